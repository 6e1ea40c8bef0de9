// The search for a text: which entries of a part of the log may have it. The database looks at them itself, so that payloads need not
// come here to be looked at; what it may look at in one statement is bounded before, by rows and by the bytes of long ones.
//
// It holds texts against each other byte by byte, as latin1, in which every byte is a character, in lower case: letters of ASCII in
// either case are equal then, and so are some other bytes. Whoever asks looks again at what is found.

import type { EventCriteria } from '../../../domain/events/event-filter.js';
import type { SearchText } from '../../../domain/events/search-text.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Micros, Position } from '../../../units.js';
import {
  type EventSearchStore,
  SEARCH_LOOK,
  type SearchLook,
  type SearchLookOptions,
} from '../../ports/search-storage.js';
import type { Names } from '../names/name-cache.js';
import type { Database, SqlValue } from '../sql/database.js';
import { ROW_BYTES, type RowSize, uuidToBytes } from './entry-rows.js';
import { type PageQuery, planPage } from './event-query.js';
import { INDEXES, type PositionRange, scanRange } from './scan-range.js';

/** Entries with less are not asked for their size: all of a look have 4 MiB at most. */
const SMALL_BYTES = 1_024;
const MAX_PUSHED = 100;

const has = (expression: string) =>
  `LOCATE(LOWER(CONVERT(? USING latin1)), LOWER(CONVERT(${expression} USING latin1)) COLLATE latin1_bin) > 0`;
const nameOf = (table: 'topic' | 'stream') =>
  `(SELECT name FROM ${table} FORCE INDEX (PRIMARY) WHERE id = ${table}_id)`;
/** No text has what stands between them. */
const NAMES = `CONCAT_WS(0x00, ${nameOf('topic')}, ${nameOf('stream')},
  issuer, recipient, reply_to, tag, entity_type, organization, unit)`;

interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

export class MysqlEventSearch implements EventSearchStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: { readonly database: Database; readonly names: Names }) {
    this.#database = database;
    this.#names = names;
  }

  /** See EventSearchStore.look. */
  async look(text: SearchText, criteria: EventCriteria, { limit, ...whole }: SearchLookOptions): Promise<SearchLook> {
    const query = await planPage(this.#database, this.#names.current, criteria);
    if (query === undefined) return { positions: [], next: whole.after, bytes: 0 };
    const { range, bytes } = await this.#affordable(query, await this.#range(query, whole));
    const positions = await this.#positions(query, range, { has: hasText(text), limit });
    const last = positions.length === limit ? positions.at(-1) : undefined;
    return { positions, next: last === undefined ? range.after : last - 1, bytes };
  }

  /** See EventSearchStore.pushedAs. */
  async pushedAs(messageId: string, context: string): Promise<readonly Position[]> {
    const one: SqlValue[] = context === ALL_CONTEXTS ? [] : [Buffer.from(context)];
    // Contexts are few: one look-up for each.
    const sql = `SELECT STRAIGHT_JOIN l.position FROM context c FORCE INDEX (context_name)
      JOIN log l FORCE INDEX (log_message) ON l.context_id = c.id AND l.message_id = ?
      ${one.length === 0 ? '' : 'WHERE c.name = ?'} ORDER BY l.position DESC LIMIT ${MAX_PUSHED}`;
    const rows = await this.#database.execute<{ position: Position }>(sql, [uuidToBytes(messageId), ...one]);
    return rows.map(({ position }) => position);
  }

  /** See EventSearchStore.createdAt. */
  async createdAt(position: Position): Promise<Micros | undefined> {
    const sql = 'SELECT created_at FROM log FORCE INDEX (PRIMARY) WHERE position >= ? ORDER BY position LIMIT 1';
    return (await this.#database.execute<{ created_at: Micros }>(sql, [position]))[0]?.created_at;
  }

  /** The part of the range, from its end down, that has as many entries as one look may look at. */
  async #range({ sources }: PageQuery, { after, upTo }: PositionRange): Promise<PositionRange> {
    if (sources.length === 0) return { after: Math.max(after, upTo - SEARCH_LOOK.entries), upTo };
    return scanRange(this.#database, sources, { after, upTo, newestFirst: true, rows: SEARCH_LOOK.entries });
  }

  /** The part of the range, from its end down, whose long entries have as many bytes as one look may look at; at least one entry. */
  async #affordable(
    query: PageQuery,
    range: PositionRange,
  ): Promise<{ readonly range: PositionRange; readonly bytes: number }> {
    const isLong = { sql: 'payload_bytes + COALESCE(OCTET_LENGTH(envelope), 0) > ?', values: [SMALL_BYTES] };
    const long = await this.#select<RowSize>(query, range, { columns: `position, ${ROW_BYTES}`, condition: isLong });
    let bytes = 0;
    for (const [index, { position, payload_bytes }] of long.entries()) {
      if (index > 0 && bytes + payload_bytes > SEARCH_LOOK.bytes)
        return { range: { ...range, after: position }, bytes };
      bytes += payload_bytes;
    }
    return { range, bytes };
  }

  async #positions(
    query: PageQuery,
    range: PositionRange,
    { has: condition, limit }: { readonly has: Condition; readonly limit: number },
  ): Promise<readonly Position[]> {
    const rows = await this.#select<{ position: Position }>(query, range, { columns: 'position', condition, limit });
    return rows.map(({ position }) => position);
  }

  /** Rows of a range that the query selects and the condition holds for, newest first. */
  #select<Row>(
    { sources, conditions, values }: PageQuery,
    { after, upTo }: PositionRange,
    { columns, condition, limit }: { readonly columns: string; readonly condition: Condition; readonly limit?: number },
  ): Promise<Row[]> {
    const order = `ORDER BY position DESC${limit === undefined ? '' : ` LIMIT ${Math.trunc(limit)}`}`;
    const all = ['position > ?', 'position <= ?', ...conditions, condition.sql];
    const given = [after, upTo, ...values, ...condition.values];
    const part = (index: string, where: readonly string[]) =>
      `SELECT ${columns} FROM log FORCE INDEX (${index}) WHERE ${where.join(' AND ')} ${order}`;
    if (sources.length === 0) return this.#database.query(part('PRIMARY', all), given);
    const parts = sources.map(({ column }) => `(${part(INDEXES[column], [`${column} = ?`, ...all])})`);
    return this.#database.query(
      `${parts.join(' UNION ALL ')} ${order}`,
      sources.flatMap(({ id }): SqlValue[] => [id, ...given]),
    );
  }
}

/** What holds for every row that has the text, and for few others. */
function hasText({ text, subjects, forms, nestedForms }: SearchText): Condition {
  const id = Buffer.from(text);
  const parts: readonly (readonly [sql: string, ...values: SqlValue[]])[] = [
    ...(subjects.length === 0 ? [] : ([[`subject IN (${subjects.join(', ')})`]] as const)),
    ['session_id = ? OR correlation_id = ?', id, id],
    [has(NAMES), id],
    ...nestedForms.map((form) => [`envelope IS NOT NULL AND ${has('CAST(envelope AS BINARY)')}`, form] as const),
    ...forms.map((form) => [has('payload'), form] as const),
  ];
  return { sql: `(${parts.map(([sql]) => sql).join(' OR ')})`, values: parts.flatMap(([, ...values]) => values) };
}
