// What an archive holds, noted by the transaction that deletes what it has.

import type { ArchiveMark } from '../../ports/archive-storage.js';
import type { Queries } from '../sql/database.js';

const NOTE = `
  UPDATE archive SET first_position = ?, last_position = ?, entries = ?, payload_bytes = ?, first_at = ?, last_at = ?, file_bytes = ?
  WHERE id = ? AND sealed_at IS NULL`;

/** Rejects where the archive is not one that grows: then nothing of it counts, and nothing may be deleted. */
export async function noteArchived(queries: Queries, mark: ArchiveMark): Promise<void> {
  const { firstPosition, lastPosition, entries, payloadBytes, firstAt, lastAt, fileBytes, archiveId } = mark;
  const values = [firstPosition, lastPosition, entries, payloadBytes, firstAt, lastAt, fileBytes, archiveId];
  const { affectedRows } = await queries.write(NOTE, values);
  if (affectedRows !== 1) throw new Error(`invariant broken: archive ${archiveId} does not grow any more`);
}
