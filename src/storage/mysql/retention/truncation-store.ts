// Truncated streams whose events are still to be deleted, in MySQL; see TruncationStore for what each method promises.

import { EntryKind } from '../../../domain/events/event.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type {
  TruncatedEntry,
  TruncatedOptions,
  TruncatedStream,
  TruncationStore,
} from '../../ports/truncation-storage.js';
import { storedUpTo } from '../log/stream-ends.js';
import type { Database } from '../sql/database.js';

const OPEN = 'SELECT stream_id, up_to_sequence FROM stream_truncation ORDER BY stream_id LIMIT 100';
const DONE = 'DELETE FROM stream_truncation WHERE stream_id = ? AND up_to_sequence = ?';
/** Reads the index log_stream. */
const ENTRIES = `
  SELECT STRAIGHT_JOIN l.position, l.kind, l.event_id, l.stream_id, l.created_at, l.payload_bytes, l.topic_id, l.context_id,
    c.name AS context, t.name AS topic
  FROM log l FORCE INDEX (log_stream) JOIN topic t FORCE INDEX (PRIMARY) ON t.id = l.topic_id
  JOIN context c FORCE INDEX (PRIMARY) ON c.id = l.context_id
  WHERE l.stream_id = ? AND l.position > ? AND l.position <= ? AND l.kind <> ${EntryKind.TRANSFERRED} ORDER BY l.position`;

interface EntryRow {
  readonly position: Position;
  readonly kind: EntryKind;
  readonly event_id: EventId;
  readonly stream_id: number;
  readonly created_at: Micros;
  readonly payload_bytes: number;
  readonly topic_id: number;
  readonly context_id: number;
  readonly context: Buffer;
  readonly topic: Buffer;
}

export class MysqlTruncationStore implements TruncationStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  async open(): Promise<readonly TruncatedStream[]> {
    const rows = await this.#database.execute<{ stream_id: number; up_to_sequence: number }>(OPEN);
    return rows.map(({ stream_id: streamId, up_to_sequence: upTo }) => ({ streamId, upTo }));
  }

  async end({ streamId, upTo }: TruncatedStream): Promise<Position | undefined> {
    return (await storedUpTo(this.#database, streamId, upTo))?.position;
  }

  async entries(
    streamId: number,
    { after, upTo, limit, maxBytes }: TruncatedOptions,
  ): Promise<readonly TruncatedEntry[]> {
    const values = [streamId, after, upTo];
    const rows = await this.#database.execute<EntryRow>(`${ENTRIES} LIMIT ${Math.trunc(limit)}`, values);
    let bytes = 0;
    const end = rows.findIndex((row, index) => {
      bytes += row.payload_bytes;
      return index > 0 && bytes > maxBytes;
    });
    return (end === -1 ? rows : rows.slice(0, end)).map(entryOf);
  }

  async done({ streamId, upTo }: TruncatedStream): Promise<void> {
    await this.#database.write(DONE, [streamId, upTo]);
  }
}

function entryOf(row: EntryRow): TruncatedEntry {
  return {
    position: row.position,
    kind: row.kind,
    eventId: row.event_id,
    streamId: row.stream_id,
    createdAt: row.created_at,
    bytes: row.payload_bytes,
    topicId: row.topic_id,
    contextId: row.context_id,
    context: row.context.toString(),
    topic: row.topic.toString(),
  };
}
