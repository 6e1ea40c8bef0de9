// Truncated streams whose events are still to be deleted, in MySQL; see TruncationStore for what each method promises.

import { EntryKind } from '../../../domain/events/event.js';
import type { Position } from '../../../units.js';
import type {
  TruncatedEntry,
  TruncatedOptions,
  TruncatedStream,
  TruncationStore,
} from '../../ports/truncation-storage.js';
import { storedUpTo } from '../log/stream-ends.js';
import type { Database } from '../sql/database.js';
import { DUE_COLUMNS, type DueRow, dueEntry, rowsWithin } from './due-rows.js';

const OPEN = 'SELECT stream_id, up_to_sequence FROM stream_truncation ORDER BY stream_id LIMIT 100';
const DONE = 'DELETE FROM stream_truncation WHERE stream_id = ? AND up_to_sequence = ?';
/** Reads the index log_stream. */
const ENTRIES = `
  SELECT STRAIGHT_JOIN ${DUE_COLUMNS}, l.topic_id, c.name AS context, t.name AS topic
  FROM log l FORCE INDEX (log_stream) JOIN topic t FORCE INDEX (PRIMARY) ON t.id = l.topic_id
  JOIN context c FORCE INDEX (PRIMARY) ON c.id = l.context_id
  WHERE l.stream_id = ? AND l.position > ? AND l.position <= ? AND l.kind <> ${EntryKind.TRANSFERRED} ORDER BY l.position`;

interface EntryRow extends DueRow {
  readonly topic_id: number;
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
    return rowsWithin(rows, maxBytes).map(entryOf);
  }

  async done({ streamId, upTo }: TruncatedStream): Promise<void> {
    await this.#database.write(DONE, [streamId, upTo]);
  }
}

function entryOf(row: EntryRow): TruncatedEntry {
  return {
    ...dueEntry(row),
    topicId: row.topic_id,
    context: row.context.toString(),
    topic: row.topic.toString(),
  };
}
