import { createServer } from "node:http";
import { join } from "node:path";
import { BodyBudget } from "../../../gateway/src/body.ts";
import { createLog } from "../../../gateway/src/log.ts";
import { readRoutesFile } from "../../../gateway/src/routes-file.ts";
import { Routing } from "../../../gateway/src/routing.ts";
import { handleScoring } from "../../../gateway/src/scoring-handler.ts";
import { ServiceCertificates } from "../../../gateway/src/service-certificates.ts";
import { ServiceMetrics } from "../../../gateway/src/service-metrics.ts";

/** The gateway's own way of a request behind plain HTTP, which it never speaks: tells what TLS costs. */
const [port, folder = ""] = process.argv.slice(2);
const log = createLog((line) => process.stderr.write(line));
const routing = new Routing(log, false, new ServiceCertificates(join(folder, "certificates"), log));
const snapshot = await readRoutesFile(join(folder, "routes.json"));
if (snapshot === undefined) throw new Error(`There is no routes.json in ${folder}.`);
await routing.apply(snapshot);
const traffic = {
  table: () => routing.table,
  closing: () => false,
  bodies: new BodyBudget(1024 ** 3),
  log,
  unrouted: new ServiceMetrics(),
  metricsKey: "",
};
createServer({ keepAliveTimeout: 75_000 }, (request, response) =>
  handleScoring(traffic, request, response, false),
).listen(Number(port), "127.0.0.1");
