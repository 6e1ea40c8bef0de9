// Lists of streams and topics, by context and name in byte order: context by context along the index (context_id, name). One statement
// over all contexts would sort what it does not return, all of it for each page.

import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Queries, SqlValue } from '../sql/database.js';
import type { ScopedName } from './name-cache.js';

export interface NameList {
  /** A context, or `all`. */
  readonly context: string;
  readonly limit: number;
  /** The name after which the list begins. */
  readonly after?: ScopedName | undefined;
}

/** The part of a list that lies in one context. */
export interface ListPart {
  readonly context: string;
  readonly contextId: number;
  /** The bytes of the name after which it begins; none where it begins with the first. */
  readonly after: Buffer;
  readonly limit: number;
}

/** The next rows of the list, `rowsOf` those of one part of it. */
export async function listByName<Row>(
  queries: Queries,
  { context, limit, after }: NameList,
  rowsOf: (part: ListPart) => Promise<readonly Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { id, name } of await contextsFrom(queries, context, after?.context ?? '')) {
    if (rows.length >= limit) break;
    const text = name.toString();
    const from = Buffer.from(text === after?.context ? after.name : '');
    rows.push(...(await rowsOf({ context: text, contextId: id, after: from, limit: limit - rows.length })));
  }
  return rows;
}

/** The contexts that a list goes through, which are few. */
function contextsFrom(queries: Queries, context: string, first: string): Promise<{ id: number; name: Buffer }[]> {
  const one: SqlValue[] = context === ALL_CONTEXTS ? [] : [Buffer.from(context)];
  const sql = `SELECT id, name FROM context FORCE INDEX (context_name)
    WHERE name >= ? ${one.length === 0 ? '' : 'AND name = ?'} ORDER BY name`;
  return queries.execute(sql, [Buffer.from(first), ...one]);
}
