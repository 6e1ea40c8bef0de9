// The numbers of the server's own topics, so that reads pass their events over by an index's own column. They are read once for each
// context that is asked for; what comes later is noted when its name is first seen.

import { ALL_CONTEXTS, isReservedTopic, RESERVED_TOPICS_PREFIX } from '../../../domain/names.js';
import type { Queries } from '../sql/database.js';
import { afterPrefix } from '../sql/prefix.js';
import type { ScopedName } from './name-cache.js';

/** Numbers that are remembered; from there on they are read anew. */
const MAX_REMEMBERED = 50_000;

const [FROM, BEFORE] = [Buffer.from(RESERVED_TOPICS_PREFIX), afterPrefix(RESERVED_TOPICS_PREFIX)];
const OF_CONTEXT = `
  SELECT n.id, n.name, c.name AS context FROM context c JOIN topic n FORCE INDEX (topic_name)
  ON n.context_id = c.id AND n.name >= ? AND n.name < ?`;

export class ReservedTopics {
  readonly #ids = new Map<string, Set<number>>();
  readonly #read = new Set<string>();
  #count = 0;

  /** Takes note of a topic, should it be the server's own. */
  note(id: number, { context, name }: ScopedName): void {
    if (!isReservedTopic(name)) return;
    if (this.#count >= MAX_REMEMBERED) this.#forget();
    const ids = this.#ids.get(context) ?? new Set();
    this.#ids.set(context, ids);
    if (!ids.has(id)) this.#count += 1;
    ids.add(id);
  }

  /** The numbers of those of a context, or of all. */
  async idsOf(queries: Queries, context: string): Promise<readonly number[]> {
    if (!this.#read.has(context) && !this.#read.has(ALL_CONTEXTS)) await this.#readThose(queries, context);
    const known = context === ALL_CONTEXTS ? this.#ids.values() : [this.#ids.get(context) ?? []];
    return [...known].flatMap((ids) => [...ids]);
  }

  async #readThose(queries: Queries, context: string): Promise<void> {
    const isAll = context === ALL_CONTEXTS;
    const sql = isAll ? OF_CONTEXT : `${OF_CONTEXT} WHERE c.name = ?`;
    const values = [FROM, BEFORE, ...(isAll ? [] : [Buffer.from(context)])];
    const rows = await queries.execute<{ id: number; name: Buffer; context: Buffer }>(sql, values);
    for (const row of rows) this.note(row.id, { context: row.context.toString(), name: row.name.toString() });
    this.#read.add(context);
  }

  #forget(): void {
    this.#ids.clear();
    this.#read.clear();
    this.#count = 0;
  }
}
