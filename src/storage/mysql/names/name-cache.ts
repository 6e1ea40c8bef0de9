// Contexts, topics and streams are rows referred to by number; this remembers which number is which. Stored names never change
// their number, so what is remembered is never wrong; as clients may make up names without end, it is forgotten by halves at a
// bound. What a piece of work has asked for once stays for it: a group decides and writes by one and the same answer.

import { scopedKey } from '../../../domain/names.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { ReservedTopics } from './reserved-topics.js';

export interface ScopedName {
  readonly context: string;
  readonly name: string;
}

/** Names that are remembered; each takes up to a kilobyte. */
const MAX_NAMES = { contexts: 10_000, topics: 50_000, streams: 200_000 };

interface Generation {
  readonly ids: Map<string, number>;
  readonly names: Map<number, ScopedName>;
}

const newGeneration = (): Generation => ({ ids: new Map(), names: new Map() });

/**
 * Ids of names in both directions, for one kind of row. Two generations: what was asked for or added lately outlives the
 * forgetting of the older half, so that nobody loses in the middle of his work what he just looked up.
 */
class NameTable {
  readonly #maxGeneration: number;
  #young = newGeneration();
  #old = newGeneration();

  constructor(max: number) {
    this.#maxGeneration = max / 2;
  }

  /** Names that are remembered, those twice that are in both generations. */
  get size(): number {
    return this.#young.ids.size + this.#old.ids.size;
  }

  idOf(context: string, name: string): number | undefined {
    const key = scopedKey(context, name);
    const id = this.#young.ids.get(key);
    if (id !== undefined) return id;
    const old = this.#old.ids.get(key);
    if (old !== undefined) this.add(old, { context, name });
    return old;
  }

  nameOf(id: number): ScopedName | undefined {
    const name = this.#young.names.get(id);
    if (name !== undefined) return name;
    const old = this.#old.names.get(id);
    if (old !== undefined) this.add(id, old);
    return old;
  }

  add(id: number, name: ScopedName): void {
    if (this.#young.ids.size >= this.#maxGeneration) {
      this.#old = this.#young;
      this.#young = newGeneration();
    }
    this.#young.ids.set(scopedKey(name.context, name.name), id);
    this.#young.names.set(id, name);
  }
}

/** One kind of names as a piece of work knows them: all of the table, and what it has asked for even when that is forgotten. */
class NamesInUse {
  readonly #table: NameTable;
  readonly #ids = new Map<string, number>();
  readonly #names = new Map<number, ScopedName>();

  constructor(table: NameTable) {
    this.#table = table;
  }

  idOf(context: string, name: string): number | undefined {
    const key = scopedKey(context, name);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#table.idOf(context, name);
    if (id === undefined) return undefined;
    this.#ids.set(key, id);
    this.#names.set(id, { context, name });
    return id;
  }

  nameOf(id: number): ScopedName | undefined {
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const name = this.#table.nameOf(id);
    if (name !== undefined) this.#names.set(id, name);
    return name;
  }

  add(id: number, name: ScopedName): void {
    this.#ids.set(scopedKey(name.context, name.name), id);
    this.#names.set(id, name);
    this.#table.add(id, name);
  }
}

class NameTables {
  readonly contexts: NameTable;
  readonly topics: NameTable;
  readonly streams: NameTable;
  readonly reserved = new ReservedTopics();

  constructor(max: typeof MAX_NAMES) {
    this.contexts = new NameTable(max.contexts);
    this.topics = new NameTable(max.topics);
    this.streams = new NameTable(max.streams);
  }
}

/**
 * The names as the present life of the database has them. Names are also read before their commit is durable: a database that
 * crashes then may lose them and give their numbers to others. Whatever is shown or written in its next life comes after a
 * connection was opened in that life, and with it the names began anew. Work takes `current` once, when it begins: what it reads
 * later than a crash can then not come into names that are older, nor the other way round.
 */
export class Names {
  readonly #max: typeof MAX_NAMES;
  #tables: NameTables;

  constructor(max = MAX_NAMES) {
    this.#max = max;
    this.#tables = new NameTables(max);
  }

  get current(): NameCache {
    return new NameCache(this.#tables);
  }

  /** Names that are remembered at present. */
  get size(): number {
    const { contexts, topics, streams } = this.#tables;
    return contexts.size + topics.size + streams.size;
  }

  /** A connection was opened that groups or barriers rely on. */
  renew(): void {
    this.#tables = new NameTables(this.#max);
  }
}

export class NameCache {
  readonly #contexts: NamesInUse;
  readonly #topics: NamesInUse;
  readonly #streams: NamesInUse;
  readonly #reserved: ReservedTopics;

  constructor({ contexts, topics, streams, reserved }: NameTables) {
    this.#reserved = reserved;
    this.#contexts = new NamesInUse(contexts);
    this.#topics = new NamesInUse(topics);
    this.#streams = new NamesInUse(streams);
  }

  contextId(context: string): number | undefined {
    return this.#contexts.idOf('', context);
  }

  topicId(context: string, topic: string): number | undefined {
    return this.#topics.idOf(context, topic);
  }

  streamId(context: string, stream: string): number | undefined {
    return this.#streams.idOf(context, stream);
  }

  contextName(id: number): string | undefined {
    return this.#contexts.nameOf(id)?.name;
  }

  /** The context and name of a topic. */
  topicScope(id: number): ScopedName | undefined {
    return this.#topics.nameOf(id);
  }

  streamName(id: number): string | undefined {
    return this.#streams.nameOf(id)?.name;
  }

  /** The context and name of a stream. */
  streamScope(id: number): ScopedName | undefined {
    return this.#streams.nameOf(id);
  }

  /** The numbers of the server's own topics in a context, or of all, as far as they are known here. */
  reservedTopicIds(queries: Queries, context: string): Promise<readonly number[]> {
    return this.#reserved.idsOf(queries, context);
  }

  /** Numbers that a committed group minted. */
  addContext(id: number, context: string): void {
    this.#contexts.add(id, { context: '', name: context });
  }

  addTopic(id: number, name: ScopedName): void {
    this.#topics.add(id, name);
    this.#reserved.note(id, name);
  }

  addStream(id: number, name: ScopedName): void {
    this.#streams.add(id, name);
  }

  /** Looks up the contexts, topics and streams that are not known yet; those that do not exist stay unknown. */
  async load(
    queries: Queries,
    wanted: { contexts?: Iterable<string>; topics?: Iterable<ScopedName>; streams?: Iterable<ScopedName> },
  ): Promise<void> {
    const contexts = [...(wanted.contexts ?? [])].filter((context) => this.contextId(context) === undefined);
    await inChunks(contexts, async (chunk) => {
      const sql = `SELECT id, name FROM context FORCE INDEX (context_name) WHERE name IN (${placeholders(chunk.length)})`;
      const rows = await queries.execute<{ id: number; name: Buffer }>(sql, chunk.map(bytes));
      for (const row of rows) this.addContext(row.id, row.name.toString());
    });
    const topics = [...(wanted.topics ?? [])].filter(({ context, name }) => this.topicId(context, name) === undefined);
    await this.#loadScoped(queries, 'topic', topics, (id, name) => this.addTopic(id, name));
    const streams = [...(wanted.streams ?? [])].filter(
      ({ context, name }) => this.streamId(context, name) === undefined,
    );
    await this.#loadScoped(queries, 'stream', streams, (id, name) => this.addStream(id, name));
  }

  async #loadScoped(
    queries: Queries,
    table: 'topic' | 'stream',
    wanted: readonly ScopedName[],
    add: (id: number, name: ScopedName) => void,
  ): Promise<void> {
    const scoped = wanted.flatMap(({ context, name }) => {
      const contextId = this.contextId(context);
      return contextId === undefined ? [] : [{ contextId, name }];
    });
    await inChunks(scoped, async (chunk) => {
      const sql = `SELECT id, context_id, name FROM ${table} FORCE INDEX (${table}_name)
        WHERE (context_id, name) IN (${placeholders(chunk.length, '(?, ?)')})`;
      const values = chunk.flatMap(({ contextId, name }): SqlValue[] => [contextId, bytes(name)]);
      const rows = await queries.execute<{ id: number; context_id: number; name: Buffer }>(sql, values);
      for (const row of rows)
        add(row.id, { context: this.contextName(row.context_id) ?? '', name: row.name.toString() });
    });
  }

  /** Looks up the names of rows of the log by their numbers. */
  async loadByIds(queries: Queries, topicIds: ReadonlySet<number>, streamIds: ReadonlySet<number>): Promise<void> {
    const topics = [...topicIds].filter((id) => this.#topics.nameOf(id) === undefined);
    await inChunks(topics, async (chunk) => {
      for (const row of await scopedRows(queries, 'topic', chunk)) {
        this.addContext(row.context_id, row.context.toString());
        this.addTopic(row.id, { context: row.context.toString(), name: row.name.toString() });
      }
    });
    const streams = [...streamIds].filter((id) => this.#streams.nameOf(id) === undefined);
    await inChunks(streams, async (chunk) => {
      for (const row of await scopedRows(queries, 'stream', chunk)) {
        this.addStream(row.id, { context: row.context.toString(), name: row.name.toString() });
      }
    });
  }
}

function scopedRows(queries: Queries, table: 'topic' | 'stream', ids: readonly number[]) {
  const sql = `SELECT STRAIGHT_JOIN n.id, n.name, n.context_id, c.name AS context
    FROM ${table} n FORCE INDEX (PRIMARY) JOIN context c FORCE INDEX (PRIMARY) ON c.id = n.context_id
    WHERE n.id IN (${placeholders(ids.length)})`;
  return queries.execute<{ id: number; name: Buffer; context_id: number; context: Buffer }>(sql, ids);
}

function bytes(text: string): Buffer {
  return Buffer.from(text);
}
