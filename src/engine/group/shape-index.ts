// Makes a topic watch the shape of a description, and its index complete, before the description is looked for the first time.
//
// | state of a shape | entered when | left when |
// |---|---|---|
// | unknown | –, or it was given back (shape-release.ts) | it is its caller's turn, and a watch unit has committed |
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
import { SERVER } from '../../lib/callers.js';
import type { Clock } from '../../lib/clock.js';
import { FairGate } from '../../lib/fair-gate.js';
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
/** How long a call waits for an index, its turn included; a build goes on without it. */
const PATIENCE_MS = 8_000;

/** Groups that one makes shapes by, at a time: while one commits, the next one waits, and pushes come between them. */
const CHANGES_AT_ONCE = 2;

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

/** Who waits for an index: callers take turns. */
interface AskedBy {
  readonly signal?: AbortSignal | undefined;
  readonly caller?: string | undefined;
}

/** An index that is to be made. */
interface Wanted {
  readonly topic: Topic;
  readonly shape: Shape;
  readonly key: string;
  readonly caller: string;
}

export class ShapeIndex {
  readonly #options: ShapeIndexOptions;
  /** Indexes that are being made, by keyOf; each says whether it is complete in the end. */
  readonly #builds = new Map<string, Promise<boolean>>();
  /** Each change of the catalogue is a group of its own. */
  readonly #changes = new FairGate(CHANGES_AT_ONCE);
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
   * after 8 s, or the signal's reason; a build that has begun goes on.
   */
  async ensure({ context, topic }: Topic, shape: Shape, { signal, caller = SERVER }: AskedBy = {}): Promise<void> {
    if (this.#isReady({ context, topic }, shape)) return;
    const key = keyOf({ context, topic }, shape);
    const left = new AbortController();
    const making = this.#make({ topic: { context, topic }, shape, key, caller }, left.signal);
    const made = signal === undefined ? making : orAbort(making, signal);
    const late = () => (this.#builds.has(key) ? takesLong() : waitsLong());
    await within(this.#options.clock, PATIENCE_MS, made, late).finally(() => left.abort());
  }

  /** Whether the topic's index for the shape is complete; then it is used. */
  #isReady({ context, topic }: Topic, shape: Shape): boolean {
    const { catalog, uses } = this.#options;
    const known = catalog.current.find(context, topic, shape);
    if (known?.ready !== true) return false;
    uses.note(known, catalog.current.of(context, topic)?.isFull === true);
    return true;
  }

  /** The signal says that nobody waits for it any more. */
  async #make(wanted: Wanted, signal: AbortSignal): Promise<void> {
    for (let round = 0; round < ROUNDS; round += 1) {
      // Who comes while it is made joins. Who waits for a turn does so in the line of its own caller: that of another may be long.
      const build =
        this.#builds.get(wanted.key) ??
        (await this.#changes.run(wanted.caller, () => this.#begin(wanted), signal)).build;
      if (await build) return;
    }
    takesLong();
  }

  /** Returns the build of the index once the shape is watched; not as a promise of its end, for which no turn is held. */
  async #begin(wanted: Wanted): Promise<{ readonly build: Promise<boolean> }> {
    if (this.#stopped) throw drainingError();
    const { topic, shape, key } = wanted;
    if (this.#isReady(topic, shape)) return { build: Promise.resolve(true) };
    const known = this.#builds.get(key);
    if (known !== undefined) return { build: known };
    const watching = this.#watch(topic, shape);
    const build = watching
      .then((watched) => watched !== undefined && this.#complete(wanted, watched))
      .finally(() => this.#builds.delete(key));
    this.#builds.set(key, build);
    // Whoever waits for the build is told why there is none.
    await watching.catch(() => {});
    return { build };
  }

  /** False: the shape was given back before its index was ready. */
  async #complete({ topic, shape, caller }: Wanted, watched: WatchedShape): Promise<boolean> {
    if (watched.ready) return true;
    if (!(await this.#build(topic, watched))) return false;
    // What was begun is ended before more is begun: others may have joined.
    await this.#changes.run(`ready ${caller}`, () => this.#ready(watched.id));
    if (!this.#isReady(topic, shape)) return false;
    this.#options.logger.info({ ...topic, paths: shape.paths.length }, 'descriptions with these paths are indexed');
    return true;
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

function keyOf({ context, topic }: Topic, shape: Shape): string {
  return `${scopedKey(context, topic)}\u0000${shape.digest.toString('latin1')}`;
}

/** Its turn did not come. */
function waitsLong(): never {
  const details = { retryAfterMs: 1_000 };
  throw new MadeleineError(
    'SEARCH_TOO_WIDE',
    'the topic is not being indexed for this description yet: others are first',
    details,
  );
}

function takesLong(): never {
  const details = { retryAfterMs: 1_000 };
  throw new MadeleineError('SEARCH_TOO_WIDE', 'the topic is still being indexed for this description', details);
}
