import { Readable } from "node:stream";
import { BLOCK_OFFSET_HEADER } from "@slipway/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { HttpApp } from "../platform/http/app.ts";
import type { Log } from "../platform/log.ts";
import type { ArtifactContent } from "./artifact.ts";
import { handleBlobErrors } from "./blob-error-handler.ts";
import { receivedBytes, receivedText } from "./blob-request-body.ts";
import { formatBlockList, parseBlockList } from "./block-list.ts";
import { parseRange } from "./byte-range.ts";
import { isBlockId } from "./staged-blocks.ts";
import type { UploadAddresses } from "./upload-addresses.ts";
import { uploadHeaderInvalid, uploadQueryInvalid } from "./upload-errors.ts";
import type { Checksums, UploadService, WriteMode } from "./upload-service.ts";

/** 50,000 blocks with the longest ids */
const MAX_BLOCK_LIST_BYTES = 8 * 1024 * 1024;
const API_VERSION = /^\d{4}-\d{2}-\d{2}$/;

export interface BlobRouteDependencies {
  readonly uploads: UploadService;
  readonly addresses: UploadAddresses;
  readonly log: Log;
}

/**
 * The upload and download addresses (wire contract 5.2 and 5.3): the few calls of the blob protocol that the genuine client
 * makes. Register at the root, without authentication: the signature in the query is the credential.
 */
export async function blobRoutes(app: HttpApp, deps: BlobRouteDependencies): Promise<void> {
  const { uploads, addresses } = deps;

  await app.register(async (scope) => {
    // Bodies are streamed by the handlers, whatever their media type says.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    handleBlobErrors(scope, deps.log);
    scope.addHook("onClose", () => uploads.close());
    scope.addHook("onRequest", async (request, reply) => {
      const version = request.headers["x-ms-version"];
      if (typeof version === "string" && API_VERSION.test(version)) reply.header("x-ms-version", version);
      const id = request.headers["x-ms-client-request-id"];
      if (typeof id === "string" && /^[\x20-\x7e]{1,200}$/.test(id)) reply.header("x-ms-client-request-id", id);
    });

    scope.put("/blobs/:uploadId/content", async (request, reply) => {
      const { uploadId, query } = addressOf(request);
      const grant = addresses.check(uploadId, query, "write");
      const mode = writeMode(request);
      if (query.comp === "block") {
        if (!isBlockId(query.blockid)) throw uploadQueryInvalid("blockid", "base64 of 1 to 64 bytes");
        await uploads.putBlock(grant, {
          id: query.blockid,
          bytes: receivedBytes(request),
          sums: checksums(request),
          place: { sizeBytes: sizeHeader(request, "content-length"), offset: offsetOf(request) },
        });
        return reply.code(201).send();
      }
      if (query.comp === "blocklist") {
        const blockIds = parseBlockList(await receivedText(request, MAX_BLOCK_LIST_BYTES));
        return describe(reply.code(201), await uploads.commit(grant, blockIds, mode)).send();
      }
      if (query.comp !== undefined) throw uploadQueryInvalid("comp", '"block", "blocklist" or none');
      const blobType = request.headers["x-ms-blob-type"];
      if (blobType !== undefined && blobType !== "BlockBlob") throw uploadHeaderInvalid("x-ms-blob-type", "BlockBlob");
      const content = await uploads.put(grant, receivedBytes(request), checksums(request), mode);
      return describe(reply.code(201), content).send();
    });

    scope.get("/blobs/:uploadId/content", { exposeHeadRoute: false }, async (request, reply) => {
      const { uploadId, query } = addressOf(request);
      if (query.comp === "blocklist") {
        const blocks = await uploads.blocks(addresses.check(uploadId, query, "write"));
        return reply.type("application/xml").send(formatBlockList(blocks));
      }
      const content = await uploads.get(addresses.check(uploadId, query, "read"));
      const range = parseRange(request.headers.range, content.sizeBytes);
      describe(reply, content).type("application/octet-stream");
      if (range === "unsatisfiable")
        return reply.code(416).header("content-range", `bytes */${content.sizeBytes}`).send();
      if (range !== undefined) {
        const { start, end } = range;
        reply.code(206).header("content-range", `bytes ${start}-${end}/${content.sizeBytes}`);
        reply.header("content-length", end - start + 1);
        return reply.send(Readable.from(uploads.read(content, range), { objectMode: false }));
      }
      reply.header("content-length", content.sizeBytes);
      return reply.send(Readable.from(uploads.read(content), { objectMode: false }));
    });

    scope.head("/blobs/:uploadId/content", async (request, reply) => {
      const { uploadId, query } = addressOf(request);
      const content = await uploads.get(addresses.check(uploadId, query, "read", "write"));
      return describe(reply, content)
        .type("application/octet-stream")
        .header("content-length", content.sizeBytes)
        .send();
    });
  });
}

function addressOf(request: FastifyRequest): { uploadId: string; query: Readonly<Record<string, unknown>> } {
  const { uploadId } = request.params as { uploadId: string };
  return { uploadId, query: request.query as Record<string, unknown> };
}

/** A stored file may be a page with scripts: a browser must save it, never show it under our name. */
function describe(reply: FastifyReply, content: ArtifactContent): FastifyReply {
  return reply
    .header("etag", `"${content.digest}"`)
    .header("last-modified", new Date(content.storedAt).toUTCString())
    .header("x-ms-blob-type", "BlockBlob")
    .header("accept-ranges", "bytes")
    .header("content-disposition", "attachment")
    .header("x-content-type-options", "nosniff");
}

function writeMode(request: FastifyRequest): WriteMode {
  const condition = request.headers["if-none-match"];
  if (condition !== undefined && condition !== "*") throw uploadHeaderInvalid("If-None-Match", '"*" or none');
  return { onlyIfNew: condition === "*" };
}

/** Slipway's own: the block's place in the whole file (see `UploadService.putBlock`). */
function offsetOf(request: FastifyRequest): number | undefined {
  return request.headers[BLOCK_OFFSET_HEADER] === undefined ? undefined : sizeHeader(request, BLOCK_OFFSET_HEADER);
}

function sizeHeader(request: FastifyRequest, name: string): number {
  const text = request.headers[name];
  const value = typeof text === "string" && /^\d{1,13}$/.test(text) ? Number(text) : undefined;
  if (value === undefined) throw uploadHeaderInvalid(name, "a number of bytes");
  return value;
}

function checksums(request: FastifyRequest): Checksums {
  return { sha256: base64Header(request, "content-sha256", 32), md5: base64Header(request, "content-md5", 16) };
}

/** @returns hex */
function base64Header(request: FastifyRequest, name: string, bytes: number): string | undefined {
  const value = request.headers[name];
  if (value === undefined) return undefined;
  const decoded = Buffer.from(String(value), "base64");
  if (decoded.length !== bytes) throw uploadHeaderInvalid(name, `base64 of ${bytes} bytes`);
  return decoded.toString("hex");
}
