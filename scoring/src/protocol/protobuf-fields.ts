import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { InputError } from "../tensor/tensor.ts";

/** What to do with a field's value: messages, texts and bytes come as their bytes, numbers in the reader. */
export interface FieldReaders {
  readonly bytes?: Readonly<Record<number, (value: Uint8Array) => void>>;
  readonly varint?: Readonly<Record<number, (reader: BinaryReader) => void>>;
  readonly fixed32?: Readonly<Record<number, (reader: BinaryReader) => void>>;
  readonly fixed64?: Readonly<Record<number, (reader: BinaryReader) => void>>;
}

/**
 * Goes through a message. Fields that nobody reads are passed over, also those with a known number and another wire type.
 *
 * @throws {InputError} when it is no message
 */
export function readFields(message: Uint8Array, readers: FieldReaders): void {
  try {
    const reader = new BinaryReader(message);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      const taken = takeField(reader, number, wireType, readers);
      if (!taken) reader.skip(wireType, number);
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      "BodyNotProtobuf",
      `The message cannot be read: ${error instanceof Error ? error.message : error}.`,
    );
  }
}

function takeField(reader: BinaryReader, number: number, wireType: WireType, readers: FieldReaders): boolean {
  if (wireType === WireType.LengthDelimited) {
    const read = readers.bytes?.[number];
    read?.(reader.bytes());
    return read !== undefined;
  }
  const read = {
    [WireType.Varint]: readers.varint,
    [WireType.Bit32]: readers.fixed32,
    [WireType.Bit64]: readers.fixed64,
    [WireType.StartGroup]: undefined,
    [WireType.EndGroup]: undefined,
  }[wireType]?.[number];
  read?.(reader);
  return read !== undefined;
}

/** The numbers of a repeated field, packed or not. */
export function readPacked<T>(bytes: Uint8Array, one: (reader: BinaryReader) => T): T[] {
  const reader = new BinaryReader(bytes);
  const values: T[] = [];
  while (reader.pos < reader.len) values.push(one(reader));
  return values;
}

/** @throws {InputError} */
export function readText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InputError("BodyNotProtobuf", "The message holds a text that is not UTF-8.");
  }
}
