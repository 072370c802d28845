import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { AppError, errnoCode } from "../platform/errors.ts";

/** Encrypts what is stored: AES-256-GCM under the key file. Sealed text is `v1.` + base64url(nonce 12, tag 16, ciphertext). */
export interface SecretBox {
  seal(text: string): string;
  /** @throws {AppError} SecretUnreadable when the key file is not the one that sealed it */
  open(sealed: string): string;
}

const PREFIX = "v1.";
const KEY_BYTES = 32;

export function createSecretBox(key: Buffer): SecretBox {
  return {
    seal(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64url");
    },
    open(sealed) {
      try {
        if (!sealed.startsWith(PREFIX)) throw new Error("unknown form");
        const bytes = Buffer.from(sealed.slice(PREFIX.length), "base64url");
        const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, 12));
        decipher.setAuthTag(bytes.subarray(12, 28));
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString("utf8");
      } catch (cause) {
        throw new AppError({
          code: "SecretUnreadable",
          kind: "internal",
          message:
            "A stored secret cannot be read: the key file is not the one that it was written with. Restore the key file from the backup of the data folder.",
          cause,
        });
      }
    },
  };
}

/** Reads the key file, or makes it (0600) at the first start. */
export async function loadKeyFile(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.write(randomBytes(KEY_BYTES));
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (errnoCode(error) !== "EEXIST") throw error;
  }
  const key = await readFile(file);
  if (key.length !== KEY_BYTES) {
    throw new AppError({
      code: "KeyFileDamaged",
      kind: "internal",
      message: `The key file ${file} has ${key.length} bytes instead of ${KEY_BYTES}. Restore it from a backup; without it the stored secrets are lost.`,
    });
  }
  return key;
}
