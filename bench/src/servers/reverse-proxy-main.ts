import { Agent, createServer, request } from "node:http";

/** What one writes without a gateway: `node:http` before `node:http`, with kept connections. */
const [port, backend] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true });

createServer((incoming, outgoing) => {
  const { method, url: path, headers } = incoming;
  const options = { agent, host: "127.0.0.1", port: backend, method, path, headers };
  const forwarded = request(options, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  forwarded.on("error", () => outgoing.destroy());
  incoming.pipe(forwarded);
}).listen(port, "127.0.0.1");
