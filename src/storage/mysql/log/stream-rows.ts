// Rows of streams, and how they become what the domain knows.

import type { StreamState } from '../../../domain/events/stream.js';
import type { Micros, Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';

export interface StreamRow {
  id: number;
  context_id: number;
  name: Buffer;
  owner: Buffer;
  epoch: number;
  last_sequence: number;
  first_position: Position;
  last_position: Position;
  first_event_at: Micros;
  last_event_at: Micros;
  former_owner: Buffer;
  transfer_position: Position;
  truncated_to: number;
}

/** The columns of a StreamRow. */
export const STREAM_COLUMNS = [
  'id',
  'context_id',
  'name',
  'owner',
  'epoch',
  'last_sequence',
  'first_position',
  'last_position',
  'first_event_at',
  'last_event_at',
  'former_owner',
  'transfer_position',
  'truncated_to',
];

export function streamFromRow(row: StreamRow, context: string): StreamState {
  return {
    context,
    name: row.name.toString(),
    owner: row.owner.toString(),
    epoch: row.epoch,
    lastSequence: row.last_sequence,
    firstPosition: row.first_position,
    lastPosition: row.last_position,
    firstEventAt: row.first_event_at,
    lastEventAt: row.last_event_at,
    formerOwner: row.former_owner.toString(),
    transferPosition: row.transfer_position,
    truncatedTo: row.truncated_to,
  };
}

/** Writes from whom streams came that the group hands over: a statement of its own, so that pushes need not send what they do not change. */
export async function writeTransfers(
  queries: Queries,
  transferred: readonly StreamState[],
  { streamId, onTrip }: { readonly streamId: (state: StreamState) => number; readonly onTrip: () => void },
): Promise<void> {
  for (const state of transferred) {
    onTrip();
    const values = [Buffer.from(state.formerOwner), state.transferPosition, streamId(state)];
    await queries.execute(
      'UPDATE stream FORCE INDEX (PRIMARY) SET former_owner = ?, transfer_position = ? WHERE id = ?',
      values,
    );
  }
}

/** Writes up to where streams are truncated, and that their events are to be deleted. */
export async function writeTruncations(
  queries: Queries,
  truncated: readonly StreamState[],
  { streamId, onTrip }: { readonly streamId: (state: StreamState) => number; readonly onTrip: () => void },
): Promise<void> {
  for (const state of truncated) {
    const values = [state.truncatedTo, streamId(state)];
    onTrip();
    await queries.execute('UPDATE stream FORCE INDEX (PRIMARY) SET truncated_to = ? WHERE id = ?', values);
    onTrip();
    await queries.execute(
      `INSERT INTO stream_truncation (up_to_sequence, stream_id) VALUES (?, ?)
       ON DUPLICATE KEY UPDATE up_to_sequence = GREATEST(up_to_sequence, VALUES(up_to_sequence))`,
      values,
    );
  }
}
