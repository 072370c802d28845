export {
  choosePlatform,
  digestOf,
  fits,
  type ImageManifest,
  MAX_DOCUMENT_BYTES,
  parseImageConfig,
  parseManifest,
} from "./image-document.ts";
export { type ImageReference, imageName, inRegistry, parseImageReference, referenceTarget } from "./image-reference.ts";
export { readLayerMembers } from "./layer-members.ts";
export type { ImagePush } from "./push-image.ts";
export type { PushedContent } from "./pushed-content.ts";
export type { RemoteCredentials } from "./registry-token.ts";
export { layerInvalid, manifestInvalid, platformNotOffered, remoteImageNotFound } from "./remote-errors.ts";
export {
  createRemoteRegistries,
  type RemoteRegistries,
  type RemoteRegistryOptions,
  type RemoteRepository,
} from "./remote-registry.ts";
export { endOfTar, type PlainMember, padding, tarHeader } from "./tar-encoding.ts";
export type { TarHeader, TarMember } from "./tar-headers.ts";
