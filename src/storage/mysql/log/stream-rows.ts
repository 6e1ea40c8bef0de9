// Rows of streams, and how they become what the domain knows.

import type { StreamState } from '../../../domain/events/stream.js';
import type { Micros, Position } from '../../../units.js';

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
}

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
  };
}
