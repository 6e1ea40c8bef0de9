// Parts of an archive: each a gzip member of its own, so that the file is an ordinary one for zcat, and none depends on those before. A
// field of its header, which gzip leaves to whoever writes it, says how long the member is and what is in it: so parts are found without
// unpacking those before them.

import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { Position } from '../../units.js';

/** What the header of a member says. */
export interface MemberHead {
  /** Length of the whole member. */
  readonly bytes: number;
  readonly entries: number;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
}

const PLAIN_HEAD = 10;
const FLAGS = 3;
const HAS_EXTRA = 4;
const MAGIC = Buffer.from([0x1f, 0x8b, 0x08]);
/** Identifies our field. */
const FIELD = Buffer.from('MD');
const FIELD_BYTES = 24;
const EXTRA_BYTES = 2 + FIELD.length + 2 + FIELD_BYTES;
/** Length of the header of a member. */
export const HEAD_BYTES = PLAIN_HEAD + EXTRA_BYTES;
/** The checksum and the length of what is in it end a member. */
const TAIL_BYTES = 8;
/** No member says that it has more, and none unpacks to more. */
const MAX_BYTES = 512 * 1024 * 1024;

const pack = promisify(gzip);
const unpack = promisify(gunzip);

/** The member with the lines. */
export async function member(lines: Buffer, about: Omit<MemberHead, 'bytes'>): Promise<Buffer> {
  const plain = await pack(lines);
  const head = Buffer.from(plain.subarray(0, PLAIN_HEAD));
  head[FLAGS] = HAS_EXTRA;
  const extra = Buffer.alloc(EXTRA_BYTES);
  let at = extra.writeUInt16LE(EXTRA_BYTES - 2);
  at += FIELD.copy(extra, at);
  at = extra.writeUInt16LE(FIELD_BYTES, at);
  at = extra.writeUInt32LE(plain.length + EXTRA_BYTES, at);
  at = extra.writeUInt32LE(about.entries, at);
  at = extra.writeBigUInt64LE(BigInt(about.firstPosition), at);
  extra.writeBigUInt64LE(BigInt(about.lastPosition), at);
  return Buffer.concat([head, extra, plain.subarray(PLAIN_HEAD)]);
}

/** Reads the header of a member; undefined: it is none of ours. */
export function memberHead(head: Buffer): MemberHead | undefined {
  if (head.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC) || head[FLAGS] !== HAS_EXTRA) {
    return undefined;
  }
  const extra = head.subarray(PLAIN_HEAD);
  const isOurs =
    extra.readUInt16LE() === EXTRA_BYTES - 2 &&
    extra.subarray(2, 4).equals(FIELD) &&
    extra.readUInt16LE(4) === FIELD_BYTES;
  const bytes = extra.readUInt32LE(6);
  if (!isOurs || bytes < HEAD_BYTES + TAIL_BYTES || bytes > MAX_BYTES) return undefined;
  return {
    bytes,
    entries: extra.readUInt32LE(10),
    firstPosition: Number(extra.readBigUInt64LE(14)),
    lastPosition: Number(extra.readBigUInt64LE(22)),
  };
}

/** The lines of a member. Rejects where they are not what was packed. */
export function unpacked(whole: Buffer): Promise<Buffer> {
  return unpack(whole, { maxOutputLength: MAX_BYTES });
}
