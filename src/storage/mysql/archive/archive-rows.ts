// Rows of archives.

import type { Micros, Position } from '../../../units.js';
import type { StoredArchive } from '../../ports/archive-storage.js';

export const ARCHIVE_COLUMNS = `a.id, c.name AS context, t.name AS topic, a.name, a.instance, a.opened_at, a.first_position, a.last_position,
  a.entries, a.payload_bytes, a.first_at, a.last_at, a.file_bytes, a.sealed_at, a.sha256, a.digest`;
/** The names of the topics of `archive a`, which stands before it. */
export const WITH_NAMES = `STRAIGHT_JOIN topic t FORCE INDEX (PRIMARY) ON t.id = a.topic_id
  STRAIGHT_JOIN context c FORCE INDEX (PRIMARY) ON c.id = t.context_id`;

export interface ArchiveRow {
  readonly id: number;
  readonly context: Buffer;
  readonly topic: Buffer;
  readonly name: Buffer;
  readonly instance: Buffer;
  readonly opened_at: Micros;
  readonly first_position: Position;
  readonly last_position: Position;
  readonly entries: number;
  readonly payload_bytes: number;
  readonly first_at: Micros;
  readonly last_at: Micros;
  readonly file_bytes: number;
  readonly sealed_at: Micros | null;
  readonly sha256: Buffer | null;
  readonly digest: Buffer | null;
}

export function archiveFromRow(row: ArchiveRow): StoredArchive {
  const { sealed_at: at, sha256, digest } = row;
  return {
    ...{ id: row.id, context: row.context.toString(), topic: row.topic.toString(), name: row.name.toString() },
    ...{ instance: row.instance.toString(), openedAt: row.opened_at },
    extent:
      row.file_bytes === 0
        ? undefined
        : {
            ...{ firstPosition: row.first_position, lastPosition: row.last_position, entries: row.entries },
            ...{ payloadBytes: row.payload_bytes, firstAt: row.first_at, lastAt: row.last_at },
            fileBytes: row.file_bytes,
          },
    sealed:
      at === null || sha256 === null || digest === null
        ? undefined
        : { at, sha256: sha256.toString('hex'), digest: digest.toString('hex') },
  };
}
