import { hash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ScorerLog } from "../scorer-log.ts";
import { keysTwice, keysUnreadable, settingInvalid } from "./standalone-errors.ts";

export interface ServiceKeys {
  /** whether anybody needs one */
  readonly needed: boolean;
  has(key: string): boolean;
  stop(): void;
}

/** A mounted secret is replaced by a link to another file, of which no notice comes reliably; so the file is read again. */
const LOOK_MS = 1_000;
/** No key of ours is longer; hashing more would only serve an attacker. */
const MAX_KEY_CHARS = 8192;

/**
 * The keys in `SLIPWAY_KEYS` (comma separated) or in the file `SLIPWAY_KEYS_FILE` (one a line), which is read again when it
 * changes.
 *
 * @throws {ScorerError} SettingInvalid, KeysUnreadable
 */
export function readServiceKeys(
  env: Readonly<Record<string, string | undefined>>,
  log: ScorerLog,
  lookMs: number = LOOK_MS,
): ServiceKeys {
  const { SLIPWAY_KEYS: listed, SLIPWAY_KEYS_FILE: file } = env;
  if (listed !== undefined && file !== undefined) throw keysTwice();
  if (file === undefined) {
    const keys = split(listed ?? "", ",");
    // Somebody meant to close the door.
    if (listed !== undefined && keys.length === 0) throw settingInvalid("SLIPWAY_KEYS", listed, "one or more keys");
    return { needed: listed !== undefined, has: keyCheck(keys), stop: () => {} };
  }

  // Before the keys: what is written between the two is noticed at the next look.
  let seen = contentOf(file);
  let check = keyCheck(keysIn(file));
  const look = () => {
    const content = contentOf(file);
    if (content === seen) return;
    seen = content;
    try {
      const keys = keysIn(file);
      check = keyCheck(keys);
      log.write("scorer", `Read ${keys.length === 1 ? "1 key" : `${keys.length} keys`} from ${file}.`);
    } catch (error) {
      log.write("scorer", `${error instanceof Error ? error.message : String(error)} The keys read before stay valid.`);
    }
  };
  const timer = setInterval(look, lookMs).unref();
  return { needed: true, has: (key) => check(key), stop: () => clearInterval(timer) };
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

function keysIn(file: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw keysUnreadable(file, error instanceof Error ? error.message : String(error));
  }
  const keys = split(text, "\n");
  if (keys.length === 0) throw keysUnreadable(file, "it has no key in it");
  return keys;
}

function split(text: string, separator: string): readonly string[] {
  return text
    .split(separator)
    .map((key) => key.trim())
    .filter((key) => key !== "");
}

/** Every key is compared, also after a match: the time tells nothing about which one it was. */
function keyCheck(keys: readonly string[]): (key: string) => boolean {
  const digests = keys.map(digest);
  return (key) => {
    if (key.length > MAX_KEY_CHARS) return false;
    const given = digest(key);
    let matches = 0;
    for (const known of digests) matches += Number(timingSafeEqual(given, known));
    return matches > 0;
  };
}

const digest = (text: string) => hash("sha256", text, "buffer");
