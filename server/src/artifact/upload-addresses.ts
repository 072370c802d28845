import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../platform/clock.ts";
import { newHexId } from "../platform/ids.ts";
import { uploadAddressExpired, uploadAddressRefused } from "./upload-errors.ts";

/** Long enough for a large file over a slow line; short enough that an address in an old log opens nothing. */
const LIFETIME_SECONDS = 24 * 60 * 60;
const UPLOAD_ID = /^[0-9a-f]{32}$/;
const STAGING_AREA = /^([0-9a-f]{32}|sha256-[0-9a-f]{64})$/;

/** Whether a staging area is that of an announced digest. */
export const isOfDigest = (stagingArea: string) => stagingArea.startsWith("sha256-");

export type UploadRight = "read" | "write";

/** What a valid address allows. */
export interface UploadGrant {
  readonly uploadId: string;
  /**
   * Names the folder of this writer's uncommitted blocks. Each reservation has its own, so that two writers who use the
   * same block ids never mix; with an announced digest it is the digest, so that a later attempt finds the blocks again.
   */
  readonly stagingArea: string;
  /** only these bytes are accepted */
  readonly announcedDigest: string | undefined;
}

export interface UploadAddresses {
  /** `contentUri` is for the genuine client, which takes it apart (wire contract 5.2); `uploadUri` is the same for anybody else. */
  forWriting(uploadId: string, announcedDigest?: string): { readonly contentUri: string; readonly uploadUri: string };
  forReading(uploadId: string): string;
  /** @param rights any of them will do @throws {AppError} AuthenticationFailed */
  check(uploadId: string, query: Readonly<Record<string, unknown>>, ...rights: readonly UploadRight[]): UploadGrant;
}

/**
 * Addresses of files that carry their own credential: an HMAC over file, right, staging area and expiry.
 *
 * @param deps.publicUrl `https://host[:port][/path]` without a slash at its end
 */
export function createUploadAddresses(deps: {
  publicUrl(): string;
  readonly signingKey: Buffer;
  readonly clock: Clock;
}): UploadAddresses {
  const nowSeconds = () => Math.floor(deps.clock.now().getTime() / 1000);

  function signature(uploadId: string, permission: string, expires: string, stagingArea: string): Buffer {
    const text = ["slipway-upload-1", uploadId, permission, expires, stagingArea].join("\n");
    return createHmac("sha256", deps.signingKey).update(text).digest();
  }

  function pathAndQuery(uploadId: string, right: UploadRight, stagingArea: string): string {
    const permission = permissionOf(right);
    const expires = String(nowSeconds() + LIFETIME_SECONDS);
    const sig = signature(uploadId, permission, expires, stagingArea).toString("base64url");
    const query = new URLSearchParams({ sp: permission, se: expires, si: stagingArea, sig });
    return `/blobs/${uploadId}/content?${query}`;
  }

  return {
    forWriting(uploadId, announcedDigest) {
      const stagingArea = announcedDigest?.replace(":", "-") ?? newHexId();
      const rest = pathAndQuery(uploadId, "write", stagingArea);
      const { host, pathname } = new URL(deps.publicUrl());
      const base = `${host}${pathname.replace(/\/$/, "")}`;
      return { contentUri: `https://acct.blob.@${base}${rest}`, uploadUri: `https://${base}${rest}` };
    },

    forReading(uploadId) {
      return `${deps.publicUrl()}${pathAndQuery(uploadId, "read", newHexId())}`;
    },

    check(uploadId, query, ...rights) {
      const { sp, se, si, sig } = query;
      if (typeof sp !== "string" || typeof se !== "string" || typeof si !== "string" || typeof sig !== "string")
        throw uploadAddressRefused();
      if (!UPLOAD_ID.test(uploadId) || !STAGING_AREA.test(si)) throw uploadAddressRefused();
      const given = Buffer.from(sig, "base64url");
      const expected = signature(uploadId, sp, se, si);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw uploadAddressRefused();
      if (!rights.some((right) => sp === permissionOf(right))) throw uploadAddressRefused();
      if (Number(se) <= nowSeconds()) throw uploadAddressExpired(new Date(Number(se) * 1000).toISOString());
      const announcedDigest = isOfDigest(si) ? si.replace("-", ":") : undefined;
      return { uploadId, stagingArea: si, announcedDigest };
    },
  };
}

function permissionOf(right: UploadRight): string {
  return right === "write" ? "w" : "r";
}
