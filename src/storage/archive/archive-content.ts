// What an archive holds, added up part by part: as it is written, or read again.

import { createHash, type Hash } from 'node:crypto';
import { microsOf } from '../../domain/archive/archive-time.js';
import { EntriesDigest } from '../../domain/archive/entries-digest.js';
import type { ReadLine } from '../../domain/archive/read-line.js';
import type { ArchivedLine, ArchiveExtent } from '../ports/archive-storage.js';

type Counted = Pick<ArchivedLine, 'position' | 'eventId' | 'createdAt' | 'payloadBytes' | 'payloadSha256'>;

/** What counts of a line that was read back. */
export function countedLine({ position, eventId, createdAt, payload, payloadSha256 }: ReadLine): Counted {
  const payloadBytes = payload?.bytes.byteLength ?? 0;
  return { position, eventId, createdAt: microsOf(createdAt), payloadBytes, payloadSha256 };
}

export class ContentSum {
  readonly #file: Hash;
  readonly #digest: EntriesDigest;
  #extent: ArchiveExtent | undefined;

  constructor(file = createHash('sha256'), digest = new EntriesDigest(), extent?: ArchiveExtent) {
    this.#file = file;
    this.#digest = digest;
    this.#extent = extent;
  }

  /** Another one that goes on from here. */
  copy(): ContentSum {
    return new ContentSum(this.#file.copy(), this.#digest.copy(), this.#extent);
  }

  /** Undefined: nothing is in it. */
  get extent(): ArchiveExtent | undefined {
    return this.#extent;
  }

  /** SHA-256 of the file, in hex. */
  get sha256(): string {
    return this.#file.copy().digest('hex');
  }

  get digest(): string {
    return this.#digest.hex;
  }

  /** Adds a part as it stands in the file, with its entries; returns what there is with it. */
  add(raw: Buffer, lines: readonly Counted[]): ArchiveExtent {
    this.#file.update(raw);
    for (const { eventId, payloadSha256 } of lines) this.#digest.add(eventId, payloadSha256);
    this.#extent = joined(this.#extent, raw.length, lines);
    return this.#extent;
  }
}

function joined(before: ArchiveExtent | undefined, bytes: number, lines: readonly Counted[]): ArchiveExtent {
  const positions = lines.map(({ position }) => position);
  const times = lines.map(({ createdAt }) => createdAt);
  return {
    firstPosition: Math.min(before?.firstPosition ?? Number.POSITIVE_INFINITY, ...positions),
    lastPosition: Math.max(before?.lastPosition ?? 0, ...positions),
    entries: (before?.entries ?? 0) + lines.length,
    payloadBytes: lines.reduce((sum, line) => sum + line.payloadBytes, before?.payloadBytes ?? 0),
    firstAt: Math.min(before?.firstAt ?? Number.POSITIVE_INFINITY, ...times),
    lastAt: Math.max(before?.lastAt ?? 0, ...times),
    fileBytes: (before?.fileBytes ?? 0) + bytes,
  };
}
