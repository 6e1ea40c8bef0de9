// Numbers for the names that one group uses first. They are the group's own until it has committed: if it rolls back, a later
// group may mint the same numbers for other names.

import type { LogEntry } from '../../../domain/events/event.js';
import type { StreamState } from '../../../domain/events/stream.js';
import { scopedKey } from '../../../domain/names.js';
import type { Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';
import type { NameCache, ScopedName } from './name-cache.js';
import type { EntryIds } from './name-ids.js';

/** The next free numbers, as the head row has them. */
export interface NextIds {
  readonly context: number;
  readonly topic: number;
  readonly stream: number;
}

export class NameMinter {
  readonly #names: NameCache;
  readonly #headPosition: Position;
  readonly #contexts = new Map<string, number>();
  readonly #topics = new Map<string, { id: number } & ScopedName>();
  readonly #streams = new Map<string, { id: number } & ScopedName>();
  #next: NextIds;

  constructor(options: { names: NameCache; next: NextIds; headPosition: Position }) {
    this.#names = options.names;
    this.#next = options.next;
    this.#headPosition = options.headPosition;
  }

  /** The next free numbers after this group. */
  get next(): NextIds {
    return this.#next;
  }

  /** The numbers of an entry's names, all of which have to be known by now. */
  idsOf({ context, topic, stream }: LogEntry): EntryIds {
    return {
      contextId: this.contextId(context),
      topicId: this.topicId(context, topic),
      streamId: stream === '' ? null : this.streamId(context, stream),
    };
  }

  contextId(context: string): number {
    return required(this.#names.contextId(context) ?? this.#contexts.get(context));
  }

  topicId(context: string, name: string): number {
    return required(this.#names.topicId(context, name) ?? this.#topics.get(scopedKey(context, name))?.id);
  }

  streamId(context: string, name: string): number {
    return required(this.#names.streamId(context, name) ?? this.#streams.get(scopedKey(context, name))?.id);
  }

  /**
   * Finds or makes the numbers of these topics and streams and of their contexts; runs under the head row. Rows of new
   * streams are left to whoever writes their state.
   */
  async ensure(queries: Queries, topics: readonly ScopedName[], streams: readonly StreamState[]): Promise<void> {
    const newTopics = topics.filter((t) => !this.#hasTopic(t));
    const newStreams = streams.filter((s) => !this.#hasStream(s));
    if (newTopics.length === 0 && newStreams.length === 0) return;
    const contexts = new Set([...newTopics, ...newStreams].map(({ context }) => context));
    await this.loadContexts(queries, contexts);
    // A stream that has events has its number; the cache may have forgotten it.
    const known = newStreams.filter(({ firstPosition }) => firstPosition <= this.#headPosition);
    await this.#names.load(queries, { topics: newTopics, streams: known });
    await this.#mintContexts(queries, contexts);
    await this.#mintTopics(queries, newTopics);
    for (const stream of newStreams) this.#mintStream(stream);
  }

  /** Finds or makes the numbers of these contexts; runs under the head row. */
  async ensureContexts(queries: Queries, contexts: ReadonlySet<string>): Promise<void> {
    await this.loadContexts(queries, contexts);
    await this.#mintContexts(queries, contexts);
  }

  /**
   * Looks up the stored ones of these contexts. The group's own rows this transaction would find too; should it roll back, their
   * numbers go to others.
   */
  async loadContexts(queries: Queries, contexts: ReadonlySet<string>): Promise<void> {
    await this.#names.load(queries, { contexts: [...contexts].filter((context) => !this.#contexts.has(context)) });
  }

  /** The group is committed: everyone may know its names. */
  publish(): void {
    for (const [context, id] of this.#contexts) this.#names.addContext(id, context);
    for (const topic of this.#topics.values()) this.#names.addTopic(topic.id, topic);
    for (const stream of this.#streams.values()) this.#names.addStream(stream.id, stream);
  }

  #hasTopic({ context, name }: ScopedName): boolean {
    return this.#names.topicId(context, name) !== undefined || this.#topics.has(scopedKey(context, name));
  }

  #hasStream({ context, name }: ScopedName): boolean {
    return this.#names.streamId(context, name) !== undefined || this.#streams.has(scopedKey(context, name));
  }

  async #mintContexts(queries: Queries, contexts: Iterable<string>): Promise<void> {
    const rows: SqlValue[][] = [];
    for (const context of contexts) {
      if (this.#names.contextId(context) !== undefined || this.#contexts.has(context)) continue;
      const id = this.#next.context;
      this.#next = { ...this.#next, context: id + 1 };
      this.#contexts.set(context, id);
      rows.push([id, Buffer.from(context)]);
    }
    await insertRows(queries, 'INSERT INTO context (id, name) VALUES', rows);
  }

  async #mintTopics(queries: Queries, topics: readonly ScopedName[]): Promise<void> {
    const rows: SqlValue[][] = [];
    for (const { context, name } of topics) {
      if (this.#hasTopic({ context, name })) continue;
      const id = this.#next.topic;
      this.#next = { ...this.#next, topic: id + 1 };
      this.#topics.set(scopedKey(context, name), { id, context, name });
      rows.push([id, this.contextId(context), Buffer.from(name)]);
    }
    await insertRows(queries, 'INSERT INTO topic (id, context_id, name) VALUES', rows);
  }

  #mintStream({ context, name }: ScopedName): void {
    if (this.#hasStream({ context, name })) return;
    const id = this.#next.stream;
    this.#next = { ...this.#next, stream: id + 1 };
    this.#streams.set(scopedKey(context, name), { id, context, name });
  }
}

async function insertRows(queries: Queries, insert: string, rows: readonly SqlValue[][]): Promise<void> {
  const first = rows[0];
  if (first === undefined) return;
  await queries.query(`${insert} ${placeholders(rows.length, `(${placeholders(first.length)})`)}`, rows.flat());
}

function required(id: number | undefined): number {
  if (id === undefined) throw new Error('invariant broken: a name without its number');
  return id;
}
