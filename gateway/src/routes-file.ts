import { readFile } from "node:fs/promises";
import { RouteSnapshot, shapeProblems } from "@slipway/api";
import { readTokenKey } from "./service-token.ts";

/** The file is there and cannot be used; the message says where it is wrong. */
export class RoutesInvalid extends Error {}

/**
 * Reads and checks `routes.json`; `undefined` when there is none.
 *
 * @throws {RoutesInvalid} the file breaks a rule; nothing of it may come into force
 */
export async function readRoutesFile(file: string): Promise<RouteSnapshot | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new RoutesInvalid(`${file} cannot be read: ${error.message}`, { cause: error });
  });
  return text === undefined ? undefined : parseRoutes(text, file);
}

export function parseRoutes(text: string, file: string): RouteSnapshot {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RoutesInvalid(`${file} is not JSON: ${String(error)}`, { cause: error });
  }
  const problems = shapeProblems(RouteSnapshot, value);
  if (problems.length > 0) throw new RoutesInvalid(`${file} has the wrong shape: ${problems.slice(0, 5).join("; ")}.`);
  const snapshot = value as RouteSnapshot;
  const broken = brokenRules(snapshot);
  if (broken.length > 0) throw new RoutesInvalid(`${file} contradicts itself: ${broken.slice(0, 5).join("; ")}.`);
  return snapshot;
}

function brokenRules(snapshot: RouteSnapshot): readonly string[] {
  const broken: string[] = [];
  const basePaths = new Set<string>();
  const replicas = new Set<string>();
  for (const [index, service] of snapshot.services.entries()) {
    const at = `/services/${index}`;
    if (!/^(\/[\w.~-]+)+$/.test(service.basePath)) broken.push(`${at}/basePath is not a plain path`);
    if (basePaths.has(service.basePath)) broken.push(`${at}/basePath is there twice`);
    basePaths.add(service.basePath);
    for (const { id } of service.replicas) {
      if (replicas.has(id)) broken.push(`${at}/replicas has the id ${id} a second time`);
      replicas.add(id);
    }
    if (service.asleep !== undefined && service.replicas.length > 0) broken.push(`${at}/asleep has replicas beside it`);
    if (service.certificate !== undefined && !/^[\w-]+\.pem$/.test(service.certificate.file)) {
      broken.push(`${at}/certificate/file is not the plain name of a .pem file`);
    }
    if (service.auth === "key" && service.keyHashes.length === 0) broken.push(`${at}/keyHashes is empty`);
    if (service.keyHashes.some(({ salt, hash }) => !/^([0-9a-f]{2})+$/.test(salt) || !/^[0-9a-f]{64}$/.test(hash))) {
      broken.push(`${at}/keyHashes must be hex, hashes of 64 digits`);
    }
  }
  if (snapshot.services.some(({ auth }) => auth === "token")) {
    try {
      readTokenKey(snapshot.tokenKey);
    } catch (error) {
      broken.push(`/tokenKey is not a public key for ES256: ${String(error)}`);
    }
  }
  return broken;
}
