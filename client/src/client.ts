import { type Access, createAccess } from "./access.ts";
import { type Artifacts, createArtifacts } from "./artifacts.ts";
import { createHttp, type Fetch } from "./http.ts";
import { createImages, type Images } from "./images.ts";
import { createModels, type Models } from "./models.ts";
import { createOperations, type Operations } from "./operations.ts";
import { createRegistry, type Registry } from "./registry.ts";
import { createServices, type Services } from "./services.ts";
import { defaultWorkspace, type WorkspaceName, workspaceAddress } from "./workspace-address.ts";
import { createWorkspaces, type Workspaces } from "./workspaces.ts";

export interface ClientOptions {
  /** base address of the control plane, `https://localhost:8443` */
  readonly url: string;
  /** a token, or a function that is asked before each request and does its own caching */
  readonly token: string | (() => Promise<string>);
  /** the workspace that all areas work in; by default the one that exists from the first start */
  readonly workspace?: WorkspaceName | undefined;
  /** for a private certificate authority or tests; by default the platform's own */
  readonly fetch?: Fetch | undefined;
}

/** One workspace of one server. */
export interface SlipwayClient {
  readonly url: string;
  readonly workspace: WorkspaceName;
  readonly workspaces: Workspaces;
  readonly artifacts: Artifacts;
  readonly models: Models;
  readonly images: Images;
  readonly services: Services;
  readonly operations: Operations;
  readonly registry: Registry;
  readonly access: Access;
}

/**
 * @example
 * const client = createClient({ url: "https://localhost:8443", token });
 * const model = await client.models.register({ name: "digits", files: [fileFromBlob("digits.pkl", blob)] });
 * const image = await client.images.create({ name: "digits", models: [model.id], script, condaFile });
 * await client.operations.wait(image.operationId, { onLog: (entry) => console.log(entry.text) });
 * const deploy = await client.services.create({ name: "digits", imageId: image.imageId });
 * await client.operations.wait(deploy.operationId);
 * console.log(await client.services.score("digits", { data: [[0, 1, 2]] }));
 */
export function createClient(options: ClientOptions): SlipwayClient {
  const { token, workspace = defaultWorkspace } = options;
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const getToken = typeof token === "string" ? async () => token : token;
  const http = createHttp({ url: options.url, getToken, fetch });
  const address = workspaceAddress(http.baseUrl, workspace);
  const artifacts = createArtifacts(http, fetch, address);
  return {
    url: http.baseUrl,
    workspace,
    workspaces: createWorkspaces(http, address),
    artifacts,
    models: createModels(http, artifacts, address),
    images: createImages(http, artifacts, address),
    services: createServices(http, fetch, address),
    operations: createOperations(http, address),
    registry: createRegistry(http, workspace, address),
    access: createAccess(http),
  };
}
