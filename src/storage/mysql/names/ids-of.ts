// The numbers of names that somebody asks for.

import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { Queries } from '../sql/database.js';
import type { NameCache } from './name-cache.js';

export interface WantedNames {
  readonly table: 'topic' | 'stream';
  /** A context, or `all`. */
  readonly context: string;
  readonly wanted: readonly string[];
}

/** Numbers of topics or streams by their names, without those never used. */
export async function idsOf(
  queries: Queries,
  names: NameCache,
  { table, context, wanted }: WantedNames,
): Promise<number[]> {
  const distinct = [...new Set(wanted)];
  if (context === ALL_CONTEXTS) {
    // Contexts are few: one look-up a context in the index (context_id, name), never a scan of all names.
    const sql = `SELECT STRAIGHT_JOIN n.id FROM context c JOIN ${table} n FORCE INDEX (${table}_name)
      ON n.context_id = c.id AND n.name = ?`;
    const found = await Promise.all(distinct.map((name) => queries.execute<{ id: number }>(sql, [Buffer.from(name)])));
    return found.flat().map(({ id }) => id);
  }
  const ids = await idsIn(queries, names, { table, context, wanted: distinct });
  return [...ids.values()];
}

/** Returns those of the names that topics or streams have, in the context or, of `all`, in any. */
export async function usedNames(
  queries: Queries,
  names: NameCache,
  { table, context, wanted }: WantedNames,
): Promise<ReadonlySet<string>> {
  if (wanted.length === 0) return new Set();
  const distinct = [...new Set(wanted)];
  if (context !== ALL_CONTEXTS)
    return new Set((await idsIn(queries, names, { table, context, wanted: distinct })).keys());
  // As above, by both columns of the index for each name; a list of names would be held against all of a context.
  const each = distinct.map((_, n) => (n === 0 ? 'SELECT ? AS name' : 'SELECT ?')).join(' UNION ALL ');
  const sql = `SELECT STRAIGHT_JOIN DISTINCT w.name FROM (${each}) w JOIN context c JOIN ${table} n FORCE INDEX (${table}_name)
    ON n.context_id = c.id AND n.name = w.name`;
  const rows = await queries.query<{ name: Buffer }>(
    sql,
    distinct.map((name) => Buffer.from(name)),
  );
  return new Set(rows.map(({ name }) => name.toString()));
}

/** Numbers of topics or streams of one context by their names. */
async function idsIn(
  queries: Queries,
  names: NameCache,
  { table, context, wanted }: WantedNames,
): Promise<ReadonlyMap<string, number>> {
  const scoped = wanted.map((name) => ({ context, name }));
  await names.load(queries, { contexts: [context], ...(table === 'topic' ? { topics: scoped } : { streams: scoped }) });
  const ids = new Map<string, number>();
  for (const name of wanted) {
    const id = table === 'topic' ? names.topicId(context, name) : names.streamId(context, name);
    if (id !== undefined) ids.set(name, id);
  }
  return ids;
}
