// Reads a file of an archive part by part: where each lies, and its lines.

import type { FileHandle } from 'node:fs/promises';
import { HEAD_BYTES, type MemberHead, memberHead, unpacked } from './gzip-members.js';

/** A part, and where it begins in the file. */
export interface Part extends MemberHead {
  readonly offset: number;
}

/** A place of a file that is not what was written, and what is wrong there. */
export class DamagedArchive extends Error {
  override readonly name = 'DamagedArchive';
  readonly offset: number;

  constructor(offset: number, problem: string) {
    super(`at byte ${offset}: ${problem}`);
    this.offset = offset;
  }
}

/** Finds the parts of the first bytes of a file. Throws DamagedArchive where one is none, or not whole. */
export async function* partsOf(file: FileHandle, fileBytes: number): AsyncGenerator<Part> {
  for (let offset = 0; offset < fileBytes; ) {
    const head = memberHead(await bytesAt(file, offset, Math.min(HEAD_BYTES, fileBytes - offset)));
    if (head === undefined) throw new DamagedArchive(offset, 'there is no part of an archive');
    if (offset + head.bytes > fileBytes) throw new DamagedArchive(offset, 'the part that begins there is not whole');
    yield { ...head, offset };
    offset += head.bytes;
  }
}

/** The part as it stands in the file. */
export function rawPart(file: FileHandle, { offset, bytes }: Part): Promise<Buffer> {
  return bytesAt(file, offset, bytes);
}

/** The lines of a part, without their ends. Throws DamagedArchive where they are not what was written. */
export async function linesOf({ offset, entries }: Part, raw: Buffer): Promise<readonly Buffer[]> {
  const text = await unpacked(raw).catch((error: Error) => {
    throw new DamagedArchive(offset, `the part that begins there cannot be unpacked (${error.message})`);
  });
  const lines: Buffer[] = [];
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf(0x0a, from);
    if (end === -1) throw new DamagedArchive(offset, 'the last line of the part that begins there has no end');
    lines.push(text.subarray(from, end));
    from = end + 1;
  }
  if (lines.length === entries) return lines;
  throw new DamagedArchive(offset, `the part that begins there says ${entries} entries and has ${lines.length}`);
}

async function bytesAt(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let read = 0; read < bytes; ) {
    const { bytesRead } = await file.read(buffer, read, bytes - read, offset + read);
    if (bytesRead === 0) throw new DamagedArchive(offset, 'the file ends there');
    read += bytesRead;
  }
  return buffer;
}
