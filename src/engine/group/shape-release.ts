// Gives shapes back that nobody needs: those that were not used for a day, and, where a topic has no place for another one, the one that
// was not used for the longest, if that is an hour. What is left in the index of one that was given back goes in small parts.
//
// | state of a shape | entered when | left when |
// |---|---|---|
// | watched | a watch unit has committed | a drop unit has committed: nothing is awaited by it, and it was not needed since |
// | freed | a drop unit has committed: its row is gone, its id is in freed_shape | its index rows are deleted |
// | forgotten | – | never: ids are not used again, and the same paths are another shape |
//
// Nothing is missed: a drop unit raises the catalogue's version, so that a group planned before is planned again, and a description whose
// shape is gone is sent back to have it watched and indexed anew (Pushes). What is awaited was committed before the drop unit, which then
// is refused under the head row, or is planned after it. Nobody adds to the index of a freed shape: groups look at the catalogue, and
// builds at its row, which they lock.

import { SCARCE_SHAPE_IDLE_MICROS, SHAPE_IDLE_MICROS, shapeFreeAt } from '../../domain/descriptions/shape-life.js';
import { tooManyShapes } from '../../domain/group/group-plan-refusals.js';
import { isOwn } from '../../domain/group/shape-catalog.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ShapeStore } from '../../storage/ports/wait-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Micros, Millis } from '../../units.js';
import type { GroupCommit } from './group-commit.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

/** How often it is looked, in memory, whether a shape was not needed for a day, or something is left of one. */
const LOOK_MS: Millis = 1_000;
/** Pause after a look into the database: long waits keep shapes that nobody uses. */
const ASK_AGAIN_MS: Millis = 10_000;
/** Shapes that go in one group: for each group every other instance loads the catalogue anew. */
const BATCH = 100;
/** Index rows that go in one transaction, and how long until the next ones do: nobody waits for them. */
const CLEAR_ROWS = 500;
const CLEAR_PAUSE_MS: Millis = 10;
/** More than a topic has. */
const MAX_LISTED = 100;

export interface ShapeReleaseOptions {
  readonly store: Pick<ShapeStore, 'list' | 'idle' | 'clear'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current' | 'catchUp' | 'cleared'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly durableReads: DurableReads;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Topic {
  readonly context: string;
  readonly topic: string;
}

export class ShapeRelease {
  readonly #options: ShapeReleaseOptions;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #askAgainAt = Number.NEGATIVE_INFINITY;
  readonly #stopping = new AbortController();

  constructor(options: ShapeReleaseOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.every(LOOK_MS, () => this.#look()).unref();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.stop();
    await this.#running;
  }

  /**
   * Gives back the shape of the topic that was not needed for the longest. TOO_MANY_SHAPES where each was needed within the hour, or
   * something is awaited by it: with when each of them is free.
   */
  async makeRoom({ context, topic }: Topic): Promise<void> {
    const { catalog, clock, durableReads, store } = this.#options;
    // A shape has no position that could tell whether it is durable.
    const stored = await durableReads.durable(
      () => store.list({ context, topic, after: 0, limit: MAX_LISTED }),
      () => true,
    );
    const identity = catalog.current.of(context, topic)?.identity;
    const shapes = stored
      .filter(({ shape }) => !isOwn(identity, shape))
      .map((one) => ({ ...one, freeAt: shapeFreeAt(one, true) }))
      .sort((a, b) => a.freeAt - b.freeAt);
    const now = clock.nowMs() * 1_000;
    for (const { id, freeAt } of shapes) {
      if (freeAt > now) break;
      if (await this.#drop([id], now - SCARCE_SHAPE_IDLE_MICROS)) return;
    }
    throw tooManyShapes({ context, topic }, shapes);
  }

  #look(): void {
    if (this.#running !== undefined) return;
    const { catalog, clock } = this.#options;
    const { freed, neededSince } = catalog.current;
    const since = clock.nowMs() * 1_000 - SHAPE_IDLE_MICROS;
    const isOld = neededSince <= since && clock.monotonicMs() >= this.#askAgainAt;
    if (!isOld && freed.length === 0) return;
    this.#running = this.#release(isOld ? since : undefined, freed)
      .catch((error) => this.#options.logger.debug({ err: error }, 'shapes were not given back'))
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #release(since: Micros | undefined, freed: readonly number[]): Promise<void> {
    if (since !== undefined) await this.#dropIdle(since);
    for (const id of freed) await this.#clear(id);
  }

  async #dropIdle(since: Micros): Promise<void> {
    const { store, catalog, clock } = this.#options;
    for (let after: number | undefined = 0; after !== undefined && !this.#stopping.signal.aborted; ) {
      const ids: readonly number[] = await store.idle(since, after, BATCH);
      const given = ids.filter((id) => catalog.current.isOwn(id) !== true);
      if (given.length > 0) await this.#drop(given, since);
      after = ids.length < BATCH ? undefined : ids.at(-1);
    }
    this.#askAgainAt = clock.monotonicMs() + ASK_AGAIN_MS;
  }

  async #clear(id: number): Promise<void> {
    const { store, catalog, clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      if (await store.clear(id, CLEAR_ROWS)) return catalog.cleared(id);
      await pause(clock, CLEAR_PAUSE_MS, signal);
    }
  }

  /** Gives back those of the shapes that were not needed since, and are not needed still; false if that is none. */
  async #drop(shapeIds: readonly number[], unusedSince: Micros): Promise<boolean> {
    const { groupCommit, catalog, logger } = this.#options;
    const outcome = await groupCommit.submit({ kind: 'drop', shapeIds, unusedSince });
    if (outcome.kind === 'refused') return false;
    logger.info({ shapes: outcome.shapeIds }, 'shapes of descriptions that nobody needs were given back');
    await catalog.catchUp((known) => outcome.shapeIds.every((id) => known.byId(id) === undefined));
    return true;
  }
}
