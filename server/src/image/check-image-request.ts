import { imageNames } from "@slipway/api";
import type { ImageRequest } from "./image.ts";
import { assetInvalid, imageNameInvalid, variableInvalid } from "./image-errors.ts";

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The rules that need nothing but the request itself. @throws {AppError} ImageNameInvalid, AssetInvalid, VariableInvalid */
export function checkImageRequest(request: ImageRequest): ImageRequest {
  const { name } = request;
  if (!imageNames.matches(name)) throw imageNameInvalid(name);
  for (const asset of request.assets) {
    if (!asset.url.startsWith("aml://artifact/"))
      throw assetInvalid(asset.id, "has a url that is not aml://artifact/…");
  }
  for (const [variable, value] of Object.entries(request.environmentVariables ?? {})) {
    if (!VARIABLE_NAME.test(variable) || value.includes("\u0000")) throw variableInvalid(variable);
  }
  return request;
}
