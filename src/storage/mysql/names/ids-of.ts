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
  const scoped = distinct.map((name) => ({ context, name }));
  await names.load(queries, { contexts: [context], ...(table === 'topic' ? { topics: scoped } : { streams: scoped }) });
  const idOf = (name: string) => (table === 'topic' ? names.topicId(context, name) : names.streamId(context, name));
  return distinct.map(idOf).filter((id) => id !== undefined);
}
