import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { addressInUse } from "./scorer-errors.ts";

/** Listens on a Unix socket that only this user may connect to. What a dead scorer left there is removed. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (isSocket(path)) {
    if (await answers(path)) throw addressInUse(path);
    rmSync(path, { force: true });
  }
  await listen(server, { path });
  chmodSync(path, 0o600);
}

export async function listen(server: Server, where: { path: string } | { port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const address = "path" in where ? where.path : `port ${where.port}`;
      reject(error.code === "EADDRINUSE" ? addressInUse(address) : error);
    });
    server.listen(where, resolve);
  });
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
