// Makes a topic watch the shape of a description, and its index complete, before the description is looked for the first time.
//
// | state of a shape | entered when | left when |
// |---|---|---|
// | unknown | –, or it was given back (shape-release.ts) | a watch unit has committed |
// | building | every group since indexes its events by it | all before, as far as the look-back goes, is indexed |
// | ready | a ready unit has committed | it is given back |
//
// Misses nothing: an event is either at or below the position at which the shape was watched, and found by the build, or above it,
// and its group met the newer catalogue. Two instances may build at the same time: index rows are the same, progress only grows. A
// build whose shape is given back ends with its page, and begins anew with another shape of the same paths.

import type { Shape } from '../../domain/descriptions/shape.js';
import { ShapeMatcher } from '../../domain/descriptions/shape-matcher.js';
import { drainingError, MadeleineError } from '../../domain/errors.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import { isJsonContentType, type LogEntry } from '../../domain/events/event.js';
import type { ShapeCatalog, WatchedShape } from '../../domain/group/shape-catalog.js';
import { scopedKey } from '../../domain/names.js';
import { DEFAULT_LOOKBACK_MICROS } from '../../domain/waits/wait.js';
import type { Clock } from '../../lib/clock.js';
import type { FairGate } from '../../lib/fair-gate.js';
import type { LoopSlices } from '../../lib/loop-slices.js';
import { orAbort } from '../../lib/or-abort.js';
import { within } from '../../lib/within.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type { IndexRow, ShapeStore } from '../../storage/ports/wait-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Position } from '../../units.js';
import type { GroupCommit } from './group-commit.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';
import type { ShapeRelease } from './shape-release.js';
import type { ShapeUses } from './shape-uses.js';

/** Events of a topic that are looked back on, at most. */
const MAX_LOOKBACK_EVENTS = 1_000_000;
const PAGE = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };
/** How often a shape is made that is given back before it is ready; a shape that is wanted seldom is. */
const ROUNDS = 3;
/** How often room is made for a shape: others may take the place. */
const ROOM_ROUNDS = 3;
/** How long a call waits for an index that is being built; the build goes on without it. */
const PATIENCE_MS = 8_000;

export interface ShapeIndexOptions {
  readonly store: Pick<ShapeStore, 'index' | 'positionBefore'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current' | 'catchUp'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly release: Pick<ShapeRelease, 'makeRoom'>;
  readonly uses: Pick<ShapeUses, 'note' | 'idle'>;
  readonly log: Pick<EventLog, 'readPage' | 'positionAt'>;
  /** See LogReaderOptions. */
  readonly pages: FairGate;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
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
    await this.#options.uses.idle();
  }

  /**
   * Resolves once the topic's index for the shape is complete, at once if it is. Rejects with TOO_MANY_SHAPES, SEARCH_TOO_WIDE
   * after 8 s, or the signal's reason; the build goes on.
   */
  async ensure({ context, topic }: Topic, shape: Shape, signal?: AbortSignal): Promise<void> {
    if (this.#isReady({ context, topic }, shape)) return;
    const key = `${scopedKey(context, topic)}\u0000${shape.digest.toString('latin1')}`;
    const known = this.#builds.get(key);
    const build = known ?? this.#make({ context, topic }, shape).finally(() => this.#builds.delete(key));
    if (known === undefined) this.#builds.set(key, build);
    await within(this.#options.clock, PATIENCE_MS, signal === undefined ? build : orAbort(build, signal), takesLong);
  }

  /** Whether the topic's index for the shape is complete; then it is used. */
  #isReady({ context, topic }: Topic, shape: Shape): boolean {
    const { catalog, uses } = this.#options;
    const known = catalog.current.find(context, topic, shape);
    if (known?.ready !== true) return false;
    uses.note(known, catalog.current.of(context, topic)?.isFull === true);
    return true;
  }

  async #make(topic: Topic, shape: Shape): Promise<void> {
    for (let round = 0; round < ROUNDS; round += 1) {
      const watched = await this.#watch(topic, shape);
      if (watched?.ready === true) return;
      if (watched === undefined || !(await this.#build(topic, watched))) continue;
      await this.#ready(watched.id);
      if (!this.#isReady(topic, shape)) continue;
      this.#options.logger.info({ ...topic, paths: shape.paths.length }, 'descriptions with these paths are indexed');
      return;
    }
    takesLong();
  }

  async #ready(shapeId: number): Promise<void> {
    const { catalog, groupCommit } = this.#options;
    await groupCommit.submit({ kind: 'ready', shapeId });
    await catalog.catchUp((known) => known.byId(shapeId)?.ready !== false);
  }

  /** The shape as it is watched; undefined: it was given back at once. */
  async #watch({ context, topic }: Topic, shape: Shape): Promise<WatchedShape | undefined> {
    const { catalog, groupCommit, release, clock } = this.#options;
    for (let round = 0; ; round += 1) {
      const neededAt = clock.nowMs() * 1_000;
      const outcome = await groupCommit.submit({ kind: 'watch', context, topic, shape, neededAt });
      if (outcome.kind === 'watching') {
        const find = (known: ShapeCatalog) => known.find(context, topic, shape);
        // How far another build has come is known to who has just loaded it.
        await catalog.catchUp((known) => (outcome.created ? find(known) !== undefined : find(known)?.ready === true));
        return find(catalog.current);
      }
      if (round === ROOM_ROUNDS) throw outcome.error;
      await release.makeRoom({ context, topic });
    }
  }

  /** False: the shape was given back meanwhile. */
  async #build({ context, topic }: Topic, shape: WatchedShape): Promise<boolean> {
    const { log, store, pages } = this.#options;
    const caller = `index of ${scopedKey(context, topic)}`;
    const upTo = shape.watchedAfter;
    const matcher = new ShapeMatcher([shape]);
    let after = Math.max(shape.builtTo, await this.#lookBack({ context, topic }, upTo));
    while (after < upTo) {
      if (this.#stopped) throw drainingError();
      const span = { after, upTo, ...PAGE };
      const page = await pages.run(caller, () => log.readPage({ context, topics: [topic] }, span));
      const rows = await this.#rowsOf(page.entries, matcher, caller);
      if (!(await store.index(shape.id, { after, upTo: page.scannedTo, rows }))) return false;
      after = page.scannedTo;
    }
    return true;
  }

  async #rowsOf(entries: readonly LogEntry[], matcher: ShapeMatcher, caller: string): Promise<IndexRow[]> {
    const rows: IndexRow[] = [];
    const look = ({ payload, position }: LogEntry) => {
      if (payload === undefined || !isJsonContentType(payload.contentType)) return true;
      for (const { hash } of matcher.match(payload.bytes)) rows.push({ hash, position });
      return true;
    };
    await this.#options.slices.each(caller, { items: entries, bytesOf: entryBytes, look });
    return rows;
  }

  async #lookBack({ context, topic }: Topic, upTo: Position): Promise<Position> {
    const { log, store, clock } = this.#options;
    const byTime = await log.positionAt(clock.nowMs() * 1000 - DEFAULT_LOOKBACK_MICROS);
    return Math.max(byTime, await store.positionBefore({ context, name: topic }, upTo, MAX_LOOKBACK_EVENTS));
  }
}

function takesLong(): never {
  const details = { retryAfterMs: 1_000 };
  throw new MadeleineError('SEARCH_TOO_WIDE', 'the topic is still being indexed for this description', details);
}
