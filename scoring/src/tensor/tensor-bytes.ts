import { ELEMENT_TYPES, type ElementArray, type ElementRules, type ElementType } from "./element-types.ts";
import { elementCount, InputError } from "./tensor.ts";

/**
 * Tensors in the binary form of the Open Inference Protocol: elements row by row, little-endian, without padding; an element of
 * BYTES is its length (u32) and its bytes. Every machine that Node runs on here is little-endian, so numbers need no conversion.
 */

const LENGTH_BYTES = 4;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Numbers as a view of their own memory: not to be changed afterwards. */
export function toBytes(data: ElementArray): Uint8Array {
  if (!Array.isArray(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const texts = data.map((text) => Buffer.from(text));
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + LENGTH_BYTES + text.length, 0));
  let at = 0;
  for (const text of texts) {
    at = bytes.writeUInt32LE(text.length, at);
    at += text.copy(bytes, at);
  }
  return bytes;
}

/**
 * Looks at the bytes in place where their alignment allows it.
 *
 * @throws {InputError} when they are not exactly the elements of that many
 */
export function fromBytes(name: string, type: ElementType, dims: readonly number[], bytes: Uint8Array): ElementArray {
  const count = elementCount(dims);
  if (type === "string") return textsOf(name, count, bytes);
  const rules: ElementRules = ELEMENT_TYPES[type];
  if (bytes.length !== count * rules.bytes) {
    throw new InputError(
      "BinarySizeMismatch",
      `${name} has ${bytes.length} bytes; ${rules.datatype} of the shape [${dims.join(", ")}] has ${count * rules.bytes}.`,
    );
  }
  if (type === "bool" && bytes.some((byte) => byte > 1))
    throw new InputError("TypeMismatch", `${name} holds a byte that is neither 0 nor 1.`);
  const aligned = bytes.byteOffset % rules.bytes === 0 ? bytes : new Uint8Array(bytes);
  return rules.view(aligned.buffer, aligned.byteOffset, count);
}

function textsOf(name: string, count: number, bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + LENGTH_BYTES;
    const end = start <= bytes.length ? start + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) {
      throw new InputError("BinarySizeMismatch", `${name}[${texts.length}] reaches beyond the end of its data.`);
    }
    texts.push(decodeText(`${name}[${texts.length}]`, bytes.subarray(start, end)));
    at = end;
  }
  if (texts.length !== count)
    throw new InputError("BinarySizeMismatch", `${name} has ${texts.length} elements; its shape tells ${count}.`);
  return texts;
}

/** @throws {InputError} */
export function decodeText(place: string, bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InputError("TypeMismatch", `${place} is not UTF-8 text. Send other bytes as UINT8 or as base64 text.`);
  }
}
