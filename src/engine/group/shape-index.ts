// Makes a topic watch the shape of a description, and its index complete, before the description is looked for the first time.
//
// | state of a shape | entered when | left when |
// |---|---|---|
// | unknown | – | a watch unit has committed |
// | building | every group since indexes its events by it | all before, as far as the look-back goes, is indexed |
// | ready | a ready unit has committed | never |
//
// Misses nothing: an event is either at or below the position at which the shape was watched, and found by the build, or above it,
// and its group met the newer catalogue. Two instances may build at the same time: index rows are the same, progress only grows.

import type { Shape } from '../../domain/descriptions/shape.js';
import { ShapeMatcher } from '../../domain/descriptions/shape-matcher.js';
import { drainingError, MadeleineError } from '../../domain/errors.js';
import { isJsonContentType, type LogEntry } from '../../domain/events/event.js';
import type { WatchedShape } from '../../domain/group/shape-catalog.js';
import { scopedKey } from '../../domain/names.js';
import { DEFAULT_LOOKBACK_MICROS } from '../../domain/waits/wait.js';
import type { Clock } from '../../lib/clock.js';
import { orAbort } from '../../lib/or-abort.js';
import { within } from '../../lib/within.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type { IndexRow, ShapeStore } from '../../storage/ports/wait-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Position } from '../../units.js';
import type { GroupCommit } from './group-commit.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

/** Events of a topic that are looked back on, at most. */
const MAX_LOOKBACK_EVENTS = 1_000_000;
const PAGE = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };
/** How long a call waits for an index that is being built; the build goes on without it. */
const PATIENCE_MS = 8_000;

export interface ShapeIndexOptions {
  readonly store: ShapeStore;
  readonly catalog: ShapeCatalogCache;
  readonly groupCommit: GroupCommit;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Topic {
  readonly context: string;
  readonly topic: string;
}

export class ShapeIndex {
  readonly #options: ShapeIndexOptions;
  readonly #builds = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(options: ShapeIndexOptions) {
    this.#options = options;
  }

  /** Builds that are under way end with their page; what they did stays. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#builds.values());
  }

  /**
   * Resolves once the topic's index for the shape is complete, at once if it is. Rejects with TOO_MANY_SHAPES, SEARCH_TOO_WIDE
   * after 8 s, or the signal's reason; the build goes on.
   */
  async ensure({ context, topic }: Topic, shape: Shape, signal?: AbortSignal): Promise<void> {
    if (this.#options.catalog.current.find(context, topic, shape)?.ready === true) return;
    const key = `${scopedKey(context, topic)}\u0000${shape.digest.toString('latin1')}`;
    const known = this.#builds.get(key);
    const build = known ?? this.#make({ context, topic }, shape).finally(() => this.#builds.delete(key));
    if (known === undefined) this.#builds.set(key, build);
    await within(this.#options.clock, PATIENCE_MS, signal === undefined ? build : orAbort(build, signal), takesLong);
  }

  async #make(topic: Topic, shape: Shape): Promise<void> {
    const watched = await this.#watch(topic, shape);
    if (watched.ready) return;
    await this.#build(topic, watched);
    await this.#options.groupCommit.submit({ kind: 'ready', shapeId: watched.id });
    await this.#options.catalog.reload();
    this.#options.logger.info({ ...topic, paths: shape.paths.length }, 'descriptions with these paths are indexed');
  }

  async #watch({ context, topic }: Topic, shape: Shape): Promise<WatchedShape> {
    const { catalog, groupCommit } = this.#options;
    const outcome = await groupCommit.submit({ kind: 'watch', context, topic, shape });
    if (outcome.kind === 'refused') throw outcome.error;
    await catalog.reload();
    const watched = catalog.current.find(context, topic, shape);
    if (watched === undefined) throw new Error('invariant broken: a watched shape is not in the catalogue');
    return watched;
  }

  async #build({ context, topic }: Topic, shape: WatchedShape): Promise<void> {
    const { log, store } = this.#options;
    const upTo = shape.watchedAfter;
    const matcher = new ShapeMatcher([shape]);
    let after = Math.max(shape.builtTo, await this.#lookBack({ context, topic }, upTo));
    while (after < upTo) {
      if (this.#stopped) throw drainingError();
      const page = await log.readPage({ context, topics: [topic] }, { after, upTo, ...PAGE });
      await store.index(shape.id, rowsOf(page.entries, matcher), page.scannedTo);
      after = page.scannedTo;
    }
  }

  async #lookBack({ context, topic }: Topic, upTo: Position): Promise<Position> {
    const { log, store, clock } = this.#options;
    const byTime = await log.positionAt(clock.nowMs() * 1000 - DEFAULT_LOOKBACK_MICROS);
    return Math.max(byTime, await store.positionBefore({ context, name: topic }, upTo, MAX_LOOKBACK_EVENTS));
  }
}

function rowsOf(entries: readonly LogEntry[], matcher: ShapeMatcher): IndexRow[] {
  return entries.flatMap(({ payload, position }) => {
    if (payload === undefined || !isJsonContentType(payload.contentType)) return [];
    return matcher.match(payload.bytes).map(({ hash }) => ({ hash, position }));
  });
}

function takesLong(): never {
  const details = { retryAfterMs: 1_000 };
  throw new MadeleineError('SEARCH_TOO_WIDE', 'the topic is still being indexed for this description', details);
}
