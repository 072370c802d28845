import { createServer } from "node:http";

/** The limit of one HTTP hop with large bodies: tells their length, or sends them back as they come. */
createServer((request, response) => {
  if (request.url === "/echo") {
    request.pipe(response);
    return;
  }
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on("end", () => response.end(String(bytes)));
}).listen(Number(process.argv[2]), "127.0.0.1");
