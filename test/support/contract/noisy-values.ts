// google.protobuf.Value as strange clients encode it: all that the wire format allows, and no two the same way.

import { delimited, varint } from './descriptors.js';

const KEYS = ['a', 'b', '', '10', '9', '1e3', 'é', '😀', '__proto__', 'constructor', 'a"b\\', '\u0000', 'zz'];
const TEXTS = ['', 'x', 'é\u2028"\\\n', '😀'.repeat(20), 'long '.repeat(60), '\u0000\u001f'];
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  12.5,
  1e21,
  5e-324,
  -1.7976931348623157e308,
  2 ** 53,
  123456789,
  3.0000000000000004,
];

/** A number between 0 and this one. */
type Pick = (below: number) => number;

/** The bytes of a Value, with fields that nobody knows, kinds that others replace, lengths longer than need be, and keys anywhere. */
export function noisyValue(random: () => number, depth = 4): Buffer {
  const pick: Pick = (below) => Math.floor(random() * below);
  return value(pick, depth);
}

/** A field of which nobody knows anything. */
export function unknownField(pick: Pick): Buffer {
  return pick(2) === 0
    ? Buffer.concat([varint(500 << 3), varint(pick(1_000))])
    : delimited(501, Buffer.alloc(pick(9), 7));
}

function value(pick: Pick, depth: number): Buffer {
  const kinds = Array.from({ length: 1 + (pick(6) === 0 ? 1 : 0) }, () => kind(pick, depth));
  return Buffer.concat([...noise(pick), ...kinds, ...noise(pick)]);
}

function kind(pick: Pick, depth: number): Buffer {
  switch (pick(depth > 0 ? 7 : 4)) {
    case 0:
      return Buffer.concat([varint(1 << 3), Buffer.from([0x80, 0x80, 0])]);
    case 1:
      return double(NUMBERS[pick(NUMBERS.length)] as number);
    case 2:
      return overlong(pick, 3, Buffer.from(TEXTS[pick(TEXTS.length)] as string));
    case 3:
      return Buffer.concat([varint(4 << 3), varint(pick(2) * 5)]);
    case 4:
      return overlong(pick, 6, list(pick, depth - 1));
    default:
      return overlong(pick, 5, struct(pick, depth - 1));
  }
}

function double(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(number);
  return Buffer.concat([varint((2 << 3) | 1), bytes]);
}

function list(pick: Pick, depth: number): Buffer {
  return Buffer.concat(Array.from({ length: pick(4) }, () => overlong(pick, 1, value(pick, depth))));
}

/** The fields of a Struct: the same key may come again, and before or behind its value. */
export function struct(pick: Pick, depth: number): Buffer {
  const entries = Array.from({ length: pick(6) }, () => {
    const key = delimited(1, Buffer.from(KEYS[pick(KEYS.length)] as string));
    const member = overlong(pick, 2, value(pick, depth));
    return overlong(pick, 1, Buffer.concat(pick(3) === 0 ? [member, ...noise(pick), key] : [key, member]));
  });
  return Buffer.concat([...entries, ...noise(pick)]);
}

function noise(pick: Pick): Buffer[] {
  return pick(5) === 0 ? [unknownField(pick)] : [];
}

/** A field whose length may be written in more bytes than it takes. */
function overlong(pick: Pick, number: number, bytes: Buffer): Buffer {
  if (pick(4) !== 0) return delimited(number, bytes);
  const short = [...varint(bytes.length)];
  const last = short.length - 1;
  const length = [...short.slice(0, last), (short[last] as number) | 0x80, 0x80, 0];
  return Buffer.concat([varint((number << 3) | 2), Buffer.from(length), bytes]);
}
