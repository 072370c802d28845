import {
  ArtifactContentPage,
  ArtifactPage,
  ArtifactContentInformation as ContentInformation,
  HEAD_BYTES,
  ReserveArtifacts,
  ReservedArtifacts,
  type WireArtifact,
} from "@slipway/api";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import type { HttpApp } from "../platform/http/app.ts";
import { workspaceOf } from "../workspace/index.ts";
import type { ReservedArtifact } from "./artifact.ts";
import { type ArtifactPlace, checkArtifactPlace } from "./artifact-path.ts";
import type { ArtifactService } from "./artifact-service.ts";
import type { UploadAddresses } from "./upload-addresses.ts";

const ContainerParams = Type.Object({ origin: Type.String(), container: Type.String() });
const PageQuery = Type.Object({ continuationToken: Type.Optional(Type.String({ maxLength: 8_000 })) });

export interface ArtifactRouteDependencies {
  readonly artifacts: ArtifactService;
  readonly addresses: UploadAddresses;
}

/** Reserving, finding and listing artifacts (wire contract 5.1 and 5.4); `app` is a workspace scope under `/artifact/v2.0`. */
export function artifactRoutes(app: HttpApp, deps: ArtifactRouteDependencies): void {
  const { artifacts, addresses } = deps;

  app.post(
    "/artifacts/batch/metadata/:origin/:container",
    { schema: { params: ContainerParams, body: ReserveArtifacts, response: { 200: ReservedArtifacts } } },
    async (request) => {
      const { origin, container } = request.params;
      const files = request.body.paths.map(({ path, sha256, sizeBytes, headSha256 }) => ({
        path,
        digest: sha256 && `sha256:${sha256}`,
        head:
          headSha256 === undefined || sizeBytes === undefined
            ? undefined
            : { fileBytes: sizeBytes, headBytes: HEAD_BYTES, sha256: headSha256 },
      }));
      const reservations = await artifacts.reserve(workspaceOf(request).id, origin, container, files);
      return {
        // fromEntries makes own properties of any name, `__proto__` included.
        artifacts: Object.fromEntries(reservations.map(({ artifact }) => [artifact.path, toWireArtifact(artifact)])),
        artifactContentInformation: Object.fromEntries(
          reservations.map(({ artifact, announcedDigest, alreadyStored, mayBeStored }) => {
            const address = addresses.forWriting(artifact.uploadId, announcedDigest);
            const known = { alreadyStored, ...(mayBeStored === undefined ? {} : { mayBeStored }) };
            return [artifact.path, { ...placeOf(artifact), ...address, ...known }];
          }),
        ),
        errors: {},
      };
    },
  );

  app.get(
    "/artifacts/contentinfo/:origin/:container/*",
    { schema: { params: ContainerParams, response: { 200: ContentInformation } } },
    async (request) => {
      const place = placeInAddress(request);
      return contentInformation(await artifacts.get(workspaceOf(request).id, place));
    },
  );

  async function contentPage(workspaceId: string, place: ArtifactPlace, token: string | undefined) {
    const page = await artifacts.list(workspaceId, place, token);
    return { value: page.artifacts.map(contentInformation), continuationToken: page.continuationToken };
  }
  app.get(
    "/artifacts/prefix/contentinfo/:origin/:container",
    { schema: { params: ContainerParams, querystring: PageQuery, response: { 200: ArtifactContentPage } } },
    async (request) => {
      const place = checkArtifactPlace(request.params.origin, request.params.container, "");
      return contentPage(workspaceOf(request).id, place, request.query.continuationToken);
    },
  );
  app.get(
    "/artifacts/prefix/contentinfo/:origin/:container/*",
    { schema: { params: ContainerParams, querystring: PageQuery, response: { 200: ArtifactContentPage } } },
    async (request) => {
      const place = placeInAddress(request);
      return contentPage(workspaceOf(request).id, place, request.query.continuationToken);
    },
  );

  app.get(
    "/artifacts/:origin/:container",
    { schema: { params: ContainerParams, querystring: PageQuery, response: { 200: ArtifactPage } } },
    async (request) => {
      const place = checkArtifactPlace(request.params.origin, request.params.container, "");
      const page = await artifacts.list(workspaceOf(request).id, place, request.query.continuationToken);
      return { value: page.artifacts.map(toWireArtifact), continuationToken: page.continuationToken };
    },
  );

  function contentInformation(artifact: ReservedArtifact): ContentInformation {
    return { contentUri: addresses.forReading(artifact.uploadId), ...placeOf(artifact) };
  }
}

/** The path cannot be in the schema: TypeBox takes a property called "*" for a pattern. */
function placeInAddress(request: FastifyRequest): ArtifactPlace {
  const { origin, container, "*": path } = request.params as { origin: string; container: string; "*": string };
  return checkArtifactPlace(origin, container, path);
}

function placeOf({ origin, container, path }: ReservedArtifact): ArtifactPlace {
  return { origin, container, path };
}

function toWireArtifact(artifact: ReservedArtifact): WireArtifact {
  return {
    artifactId: artifact.id,
    ...placeOf(artifact),
    etag: null,
    createdTime: artifact.createdAt,
    dataPath: null,
  };
}
