import { isIP } from "node:net";

/** DER of one element; all our lengths are below 65536. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const length =
    body.length < 128
      ? [body.length]
      : body.length < 256
        ? [0x81, body.length]
        : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/**
 * The NameConstraints extension (RFC 5280, section 4.2.1.10) that permits exactly these names and addresses. By hand, because the
 * certificate library encodes an address of a constraint (address and mask, 8 or 32 bytes) as an address (4 or 16).
 */
export function encodeNameConstraints(hosts: readonly string[]): Buffer {
  const subtrees = hosts.map((host) => {
    const family = isIP(host);
    const name =
      family === 0
        ? der(0x82, Buffer.from(host, "ascii"))
        : der(0x87, addressBytes(host), Buffer.alloc(family === 4 ? 4 : 16, 0xff));
    return der(0x30, name);
  });
  // A family of which no name is listed would be unconstrained: permit one address that is nobody's.
  if (!hosts.some((host) => isIP(host) === 4))
    subtrees.push(der(0x30, der(0x87, Buffer.alloc(4), Buffer.alloc(4, 0xff))));
  if (!hosts.some((host) => isIP(host) === 6))
    subtrees.push(der(0x30, der(0x87, Buffer.alloc(16), Buffer.alloc(16, 0xff))));
  return der(0x30, der(0xa0, ...subtrees));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [left = "", right] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const head = groups(left);
  const tail = right === undefined ? [] : groups(right);
  const middle = right === undefined ? [] : Array(8 - head.length - tail.length).fill("0");
  const bytes = Buffer.alloc(16);
  [...head, ...middle, ...tail].forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return bytes;
}
