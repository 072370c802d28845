import type { AppError } from "../platform/errors.ts";
import { MAX_BODY_BYTES } from "./service-defaults.ts";
import { bodyLimitInvalid, corsOriginInvalid } from "./service-errors.ts";

/** Properties of a service that the gateway goes by: the genuine client can set properties, but no members of ours. */
export const CORS_PROPERTY = "slipway.cors";
export const MAX_BODY_PROPERTY = "slipway.maxBodyBytes";

export interface GatewayProperties {
  /** origins whose pages may call the service, or `*`; undefined: the script answers for itself */
  readonly corsOrigins?: readonly string[];
  readonly maxBodyBytes: number;
  /** what is wrong with the properties; the default stands in for it */
  readonly problem?: AppError;
}

/** An empty property is the same as none: properties can be changed, but not taken away. */
export function gatewayProperties(properties: Readonly<Record<string, string>>): GatewayProperties {
  const origins = (properties[CORS_PROPERTY] ?? "")
    .split(",")
    .map((origin) => origin.trim())
    .filter(Boolean);
  const badOrigin = origins.find((origin) => !isOrigin(origin));
  const limit = properties[MAX_BODY_PROPERTY] ?? "";
  const bytes = limit === "" ? MAX_BODY_BYTES : Number(limit);
  const badLimit = !Number.isInteger(bytes) || bytes < 1 || bytes > MAX_BODY_BYTES;
  const problem =
    badOrigin !== undefined
      ? corsOriginInvalid(badOrigin)
      : badLimit
        ? bodyLimitInvalid(limit, MAX_BODY_BYTES)
        : undefined;
  return {
    ...(origins.length > 0 && badOrigin === undefined ? { corsOrigins: origins } : {}),
    maxBodyBytes: badLimit ? MAX_BODY_BYTES : bytes,
    ...(problem && { problem }),
  };
}

/** As a browser writes it into `Origin`: scheme, host, and a port that is not the scheme's own. */
function isOrigin(text: string): boolean {
  if (text === "*") return true;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return (url?.protocol === "https:" || url?.protocol === "http:") && url.origin === text;
}
