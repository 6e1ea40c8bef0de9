// Rows of the log as a deletion looks at them.

import type { EntryKind } from '../../../domain/events/event.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { DueEntry } from '../../ports/retention-storage.js';

export interface DueRow {
  readonly position: Position;
  readonly kind: EntryKind;
  readonly event_id: EventId;
  readonly stream_id: number | null;
  readonly created_at: Micros;
  readonly payload_bytes: number;
}

/** The columns of a DueRow of `log l`. */
export const DUE_COLUMNS = 'l.position, l.kind, l.event_id, l.stream_id, l.created_at, l.payload_bytes';

export function dueEntry(row: DueRow): DueEntry {
  return {
    position: row.position,
    kind: row.kind,
    eventId: row.event_id,
    streamId: row.stream_id ?? undefined,
    createdAt: row.created_at,
    bytes: row.payload_bytes,
  };
}

/** The first rows, as many as have payloads of that size together; at least one. */
export function rowsWithin<Row extends DueRow>(rows: readonly Row[], maxBytes: number): readonly Row[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += row.payload_bytes;
    return index > 0 && bytes > maxBytes;
  });
  return end === -1 ? rows : rows.slice(0, end);
}
