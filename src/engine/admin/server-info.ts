// What the server knows of its database, of the instances beside it and of the head of the log. While the database is away, what was
// known last.

import type { Clock } from '../../lib/clock.js';
import { SharedRun } from '../../lib/shared-run.js';
import { within } from '../../lib/within.js';
import type { DatabaseFacts, SeenInstance, ServerStore } from '../../storage/ports/server-storage.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { LogSource } from '../log/log-source.js';
import type { UpSince } from './up-since.js';

/** How long what was read is new enough, so that those who ask again and again cost nothing. */
const FRESH_MS = 1_000;
/** How long an answer waits for the database. */
const PATIENCE_MS = 2_000;

export interface ServerInfoOptions {
  readonly store: ServerStore;
  readonly source: Pick<LogSource, 'visible' | 'epoch' | 'inMemory' | 'readAt'>;
  readonly database: UpSince;
  readonly clock: Clock;
}

/** What the database said last. */
export interface KnownDatabase {
  readonly facts: DatabaseFacts;
  readonly instances: readonly SeenInstance[];
  readonly seenAt: Micros;
}

export interface ShownHead {
  readonly epoch: number;
  readonly position: Position;
  /** Undefined: the entry is not stored any more, or cannot be read. */
  readonly createdAt: Micros | undefined;
}

export interface ServerState {
  /** Undefined: nothing is known yet. */
  readonly database: KnownDatabase | undefined;
  readonly head: ShownHead;
}

export class ServerInfo {
  readonly #options: ServerInfoOptions;
  readonly #looks = new SharedRun(() => this.#look());
  #known: KnownDatabase | undefined;
  #lookedAtMs: Millis = Number.NEGATIVE_INFINITY;

  constructor(options: ServerInfoOptions) {
    this.#options = options;
  }

  /** The state as it is now, or as it was known last; never rejects, and waits for the database two seconds at most. */
  async read(): Promise<ServerState> {
    const [database, head] = await Promise.all([this.#database(), this.#head()]);
    return { database, head };
  }

  async #database(): Promise<KnownDatabase | undefined> {
    const isFresh = this.#options.clock.monotonicMs() - this.#lookedAtMs < FRESH_MS;
    if (!isFresh) await this.#patiently(this.#looks.join());
    return this.#known;
  }

  async #look(): Promise<void> {
    const { store, clock } = this.#options;
    const [facts, instances] = await Promise.all([store.facts(), store.instances()]);
    this.#known = { facts, instances, seenAt: clock.nowMs() * 1_000 };
    this.#lookedAtMs = clock.monotonicMs();
  }

  async #head(): Promise<ShownHead> {
    const { source } = this.#options;
    const { epoch, visible: position } = source;
    const kept = source.inMemory(position);
    if (kept !== undefined || position === 0) return { epoch, position, createdAt: kept?.createdAt };
    const stored = this.#options.database.isUp ? await this.#patiently(source.readAt([position])) : undefined;
    return { epoch, position, createdAt: stored?.[0]?.createdAt };
  }

  /** What is read, or undefined where that fails or takes too long; the database being known to be away, at once. */
  async #patiently<T>(read: Promise<T>): Promise<T | undefined> {
    const { database, clock } = this.#options;
    const settled = read.catch(() => undefined);
    return database.isUp ? within(clock, PATIENCE_MS, settled, () => undefined) : undefined;
  }
}
