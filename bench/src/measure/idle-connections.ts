import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

/** A port of one address has 65,535 peers; a few addresses keep far from that. */
const SOURCE_ADDRESSES = 50;
const AT_ONCE = 32;
const SPARE_DESCRIPTORS = 1_000;

/** How many connections this process, and one that it starts, may have open beside what they need. */
export async function possibleConnections(wanted: number): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const descriptors = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
  return Math.min(wanted, descriptors - SPARE_DESCRIPTORS);
}

/** Opens TLS connections that have had one answer each and are kept since. */
export async function openIdleConnections(port: number, count: number): Promise<readonly TLSSocket[]> {
  const sockets: TLSSocket[] = [];
  const open = async () => {
    while (sockets.length < count) {
      const localAddress = `127.0.0.${1 + (sockets.length % SOURCE_ADDRESSES)}`;
      const transport = connect({ host: "127.0.0.1", port, localAddress });
      const socket = connectTls({ socket: transport, rejectUnauthorized: false });
      sockets.push(socket);
      await once(socket, "secureConnect");
      socket.write("GET /nothing HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await once(socket, "data");
      socket.on("error", () => socket.destroy());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, open));
  return sockets;
}
