// Parked events in MySQL; see ParkedStore for what each method promises.

import type { Position } from '../../../units.js';
import {
  type ListParkedOptions,
  MAX_PARKED_LOOKED_AT,
  type ParkedPage,
  type ParkedRecord,
  type ParkedSelection,
  type ParkedStore,
} from '../../ports/parked-storage.js';
import type { Database } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { FAILURE_STATES } from './consumer-rows.js';

/** Entries read by one statement: a reason may have 4 KiB. */
const READ_AT_ONCE = 500;

// By primary key, with whatever else of the consumer failed in between: that is little, and positions come in order.
const COLUMNS = 't.position, t.attempts, t.losses, t.code, t.reason, t.parked_at, t.state';
const AFTER = 't.consumer_id = ? AND t.position > ? ORDER BY t.position LIMIT ?';
const SELECT = `SELECT ${COLUMNS}, NULL AS stream FROM consumer_trouble t FORCE INDEX (PRIMARY) WHERE ${AFTER}`;
const SELECT_WITH_STREAM = `
  SELECT ${COLUMNS}, s.name AS stream FROM consumer_trouble t FORCE INDEX (PRIMARY)
  LEFT JOIN log l FORCE INDEX (PRIMARY) ON l.position = t.position
  LEFT JOIN stream s FORCE INDEX (PRIMARY) ON s.id = l.stream_id WHERE ${AFTER}`;
const STILL_PARKED = (rows: number) => `
  SELECT position FROM consumer_trouble FORCE INDEX (PRIMARY)
  WHERE consumer_id = ? AND position IN (${placeholders(rows)}) AND state IN (${FAILURE_STATES.PARKED}, ${FAILURE_STATES.REPLAY})`;

interface ParkedRow {
  readonly position: Position;
  readonly attempts: number;
  readonly losses: number;
  readonly code: string;
  readonly reason: string;
  readonly parked_at: number;
  readonly state: number;
  readonly stream: Buffer | null;
}

export class MysqlParkedStore implements ParkedStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  async list(options: ListParkedOptions): Promise<ParkedPage> {
    const records: ParkedRecord[] = [];
    let { after } = options;
    for (let lookedAt = 0; lookedAt < MAX_PARKED_LOOKED_AT; lookedAt += READ_AT_ONCE) {
      const rows = await this.#read(options, after);
      for (const row of rows) {
        after = row.position;
        if (isSelected(row, options)) records.push(recordOf(row));
        if (records.length === options.limit) return { records, next: after };
      }
      if (rows.length < READ_AT_ONCE) return { records, next: undefined };
    }
    return { records, next: after };
  }

  async stillParked(consumerId: number, positions: readonly Position[]): Promise<ReadonlySet<Position>> {
    const found = new Set<Position>();
    await inChunks(positions, async (chunk) => {
      const sql = STILL_PARKED(chunk.length);
      const rows = await this.#database.execute<{ position: Position }>(sql, [consumerId, ...chunk]);
      for (const { position } of rows) found.add(position);
    });
    return found;
  }

  #read({ consumerId, stream }: ListParkedOptions, after: Position): Promise<ParkedRow[]> {
    const sql = stream === '' ? SELECT : SELECT_WITH_STREAM;
    // Not prepared: a LIMIT among the values of a prepared statement is no number on every engine.
    return this.#database.query<ParkedRow>(sql, [consumerId, after, READ_AT_ONCE]);
  }
}

function isSelected(row: ParkedRow, { withReplaying, ...selection }: ListParkedOptions): boolean {
  const isListed = row.state === FAILURE_STATES.PARKED || (withReplaying && row.state === FAILURE_STATES.REPLAY);
  return isListed && matches(row, selection);
}

function matches(row: ParkedRow, { code, stream, parkedAfter, parkedBefore }: ParkedSelection): boolean {
  if (code !== '' && row.code !== code) return false;
  if (stream !== '' && row.stream?.toString() !== stream) return false;
  if (parkedAfter !== undefined && row.parked_at <= parkedAfter) return false;
  return parkedBefore === undefined || (row.parked_at < parkedBefore && row.parked_at > 0);
}

function recordOf({ position, attempts, losses, code, reason, parked_at: parkedAt, state }: ParkedRow): ParkedRecord {
  const replaying = state === FAILURE_STATES.REPLAY;
  return { position, attempts, losses, code, reason, parkedAt: parkedAt === 0 ? undefined : parkedAt, replaying };
}
