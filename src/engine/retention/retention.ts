// Deletes what topics do not keep any more: one instance at a time, by a lease in the database, in small batches with pauses between them.
//
// | state    | entered when                                   | left when                                           |
// |----------|------------------------------------------------|-----------------------------------------------------|
// | idle     | at first; the hold was lost; the database away | the lease is free: deleting                         |
// | deleting | the lease was acquired                         | a guarded write finds another owner; an error; stop |
//
// Whether anything may be deleted by its age is said by the ClockWatch; what is too much in its stream goes whatever the clock shows. A
// topic that keeps everything costs nothing: it is not looked at.

import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import type {
  RetentionClock,
  RetentionHold,
  RetentionStore,
  RetentionTopic,
} from '../../storage/ports/retention-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Millis, Position } from '../../units.js';
import { LeasedWork } from '../log/leased-work.js';
import type { ClockWatch } from './clock-watch.js';
import { type DeletionCondition, deletionCondition } from './deletion-condition.js';
import { DeletionPace, type PushProgress } from './deletion-pace.js';
import { SettledMarks } from './settled-marks.js';
import type { GoneEntries, StreamDeletion } from './stream-deletion.js';
import type { SurplusDeletion } from './surplus-deletion.js';
import type { LookResult, TopicDeletion } from './topic-deletion.js';
import { type TopicStanding, TopicStandings } from './topic-standings.js';
import type { UnreadWarnings } from './unread-warnings.js';

/** How often a lease is asked for, and a held one renewed. */
const LEASE_PERIOD_MS: Millis = 5_000;
/** Pause after an error. */
const RETRY_MS: Millis = 1_000;
/** How often it is looked what topics keep, and whether something is due. */
const LOOK_MS: Millis = 1_000;
/** How often it is looked while no topic keeps less than everything. */
const IDLE_MS: Millis = 5_000;
/** How often a topic is looked at, whatever was found: what holds an event may be gone, and what was not settled is. */
const LOOK_AGAIN_MS: Millis = 10_000;
/** How often it is looked for what is about to go unread. */
const WARN_MS: Millis = 60_000;
/** How often what was kept alone is looked at. */
const KEPT_MS: Millis = 60_000;
/** How long an event is there at least before it is too much, for whoever reads what comes, on any instance. */
const SURPLUS_AFTER_MS: Millis = 10_000;
/** Batches of one topic before the others have their turn. */
const BATCHES = 20;
/** How often the purge lag is asked for, in batches. */
const PURGE_EVERY = 20;

export interface RetentionOptions {
  readonly store: RetentionStore;
  readonly deletion: TopicDeletion;
  readonly surplus: SurplusDeletion;
  readonly streams: StreamDeletion;
  readonly warnings: Pick<UnreadWarnings, 'look'>;
  readonly watch: ClockWatch;
  readonly pace: DeletionPace;
  readonly pushes: () => PushProgress;
  readonly instanceId: string;
  readonly metrics: Pick<Metrics, 'retentionEvents' | 'retentionBytes'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** When a topic is looked at, on the clock that never jumps. */
interface Times {
  lookAt: Millis;
  warnAt: Millis;
  keptAt: Millis;
  keptAfter: Position;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly #leased: LeasedWork;
  readonly #times = new Map<number, Times>();
  readonly #standings = new TopicStandings();
  readonly #settled = new SettledMarks(SURPLUS_AFTER_MS);
  #end: { readonly head: Position; readonly settledTo: Position } = { head: -1, settledTo: 0 };
  #hold: RetentionHold | undefined;
  #renewAt = 0;
  #batches = 0;
  #isIdle = false;
  #purgeLag: number | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#leased = new LeasedWork({
      clock,
      logger,
      leasePeriodMs: LEASE_PERIOD_MS,
      retryMs: RETRY_MS,
      failing: 'events are not deleted at present',
      working: 'events are deleted again',
      acquire: () => this.#acquire(),
      work: (signal) => this.#work(signal),
    });
  }

  /** How the deletion is, as far as this instance knows. */
  get condition(): DeletionCondition {
    return deletionCondition({
      clock: this.#options.watch.known,
      isHeld: this.#hold !== undefined,
      failsSince: this.#leased.failsSince,
      isIdle: this.#isIdle,
      isPurging: DeletionPace.isBehind(this.#purgeLag) && this.#standings.isBehind,
      held: this.#standings.held(),
    });
  }

  /** How far it is with each topic that does not keep everything; none where another instance deletes. */
  standings(): Iterable<TopicStanding> {
    return this.#hold === undefined ? [] : this.#standings.all();
  }

  start(): void {
    this.#options.watch.start();
    this.#leased.start();
  }

  /** Lets another instance go on. */
  async stop(): Promise<void> {
    await this.#leased.stop();
    await this.#options.watch.stop();
    if (this.#hold !== undefined) await this.#options.store.release(this.#hold);
  }

  async #acquire(): Promise<void> {
    const { store, deletion, surplus, streams, instanceId } = this.#options;
    this.#hold = await store.acquire(instanceId);
    this.#noteRenewal();
    this.#times.clear();
    this.#standings.forget();
    for (const one of [deletion, surplus, streams]) one.forget();
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (this.#hold !== undefined && !signal.aborted) {
      const hasTruncated = await this.#truncate(signal);
      const all = await this.#topics();
      const hasTaken = await this.#takeSurplus(all, signal);
      const hasWorked = await this.#round(all, signal);
      if (!hasTruncated && !hasTaken && !hasWorked)
        await pause(this.#options.clock, this.#isIdle ? IDLE_MS : LOOK_MS, signal);
    }
  }

  /** Deletes of truncated streams, whatever the clock shows: it was decided by somebody. Whether something was deleted. */
  async #truncate(signal: AbortSignal): Promise<boolean> {
    const { streams } = this.#options;
    let hasWorked = false;
    for (let batch = 0; batch < BATCHES && this.#hold !== undefined && !signal.aborted; batch += 1) {
      const hold = this.#hold;
      const { isHeld, gone } = await this.#paced(signal, () => streams.look(hold));
      if (!isHeld) this.#hold = undefined;
      if (gone.length === 0) break;
      hasWorked = true;
    }
    return hasWorked;
  }

  async #topics(): Promise<readonly RetentionTopic[]> {
    await this.#renew();
    const all = await this.#options.store.topics();
    this.#isIdle = all.length === 0;
    this.#standings.keepOnly(all);
    return all;
  }

  /** Deletes what streams have too much of topics that keep only so much in each; whether something was done. */
  async #takeSurplus(all: readonly RetentionTopic[], signal: AbortSignal): Promise<boolean> {
    const { watch, clock, surplus } = this.#options;
    const limited = all.filter(({ policy }) => policy.streamLimits !== undefined);
    if (limited.length === 0 || this.#hold === undefined) return false;
    const upTo = this.#settled.note(clock.monotonicMs(), await this.#settledTo());
    const due = upTo === 0 ? [] : await surplus.due(limited, upTo);
    if (due.length === 0) return false;
    const moment = { clock: await watch.look(), upTo };
    let hasWorked = false;
    for (const topic of due) {
      for (let batch = 0; batch < BATCHES && this.#hold !== undefined && !signal.aborted; batch += 1) {
        const hold = this.#hold;
        const { isWork, isMore } = await this.#lookAtTopic(topic, signal, () => surplus.look(hold, topic, moment));
        if (isWork) hasWorked = true;
        if (!isMore) break;
      }
    }
    return hasWorked;
  }

  /** Asks only where the log has grown, or is not settled up to its end. */
  async #settledTo(): Promise<Position> {
    const { store, pushes } = this.#options;
    const { head } = pushes();
    if (head !== this.#end.head || this.#end.settledTo < head - 1)
      this.#end = { head, settledTo: await store.settledTo() };
    return this.#end.settledTo;
  }

  /** Looks at every topic that is to be looked at; whether something was deleted. */
  async #round(all: readonly RetentionTopic[], signal: AbortSignal): Promise<boolean> {
    const { watch, clock, store } = this.#options;
    if (all.length === 0 || this.#hold === undefined) return false;
    const due = all.filter((topic) => this.#timesOf(topic).lookAt <= clock.monotonicMs());
    if (due.length === 0) return false;
    const known = await watch.look();
    if (known.stopped !== undefined || known.now < known.waitsUntil) return false;
    const upTo = await store.settledTo();
    let hasWorked = false;
    for (const topic of due) {
      if (this.#hold === undefined || signal.aborted) break;
      if (await this.#lookAt(topic, { clock: known, upTo }, signal)) hasWorked = true;
    }
    return hasWorked;
  }

  async #lookAt(
    topic: RetentionTopic,
    at: { readonly clock: RetentionClock; readonly upTo: Position },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, deletion } = this.#options;
    const times = this.#timesOf(topic);
    await this.#warn(topic, times, at.clock);
    let hasWorked = await this.#lookAtKept(topic, times, at, signal);
    if (topic.policy.ageMicros === undefined) {
      times.lookAt = clock.monotonicMs() + LOOK_AGAIN_MS;
      return hasWorked;
    }
    for (let batch = 0; batch < BATCHES && this.#hold !== undefined && !signal.aborted; batch += 1) {
      const hold = this.#hold;
      const result = await this.#lookAtTopic(topic, signal, () => deletion.look(hold, topic, at));
      this.#standings.note(topic, result);
      if (result.goneEntries > 0) hasWorked = true;
      if (result.isMore) continue;
      const dueInMs = (result.dueIn ?? Number.POSITIVE_INFINITY) / 1_000;
      times.lookAt = clock.monotonicMs() + Math.min(LOOK_AGAIN_MS, Math.max(LOOK_MS, dueInMs));
      break;
    }
    return hasWorked;
  }

  /** Tells what is about to go unread, before something goes. */
  async #warn(topic: RetentionTopic, times: Times, known: RetentionClock): Promise<void> {
    const { clock, warnings } = this.#options;
    if (times.warnAt > clock.monotonicMs()) return;
    times.warnAt = clock.monotonicMs() + WARN_MS;
    await warnings.look(topic, known);
  }

  async #lookAtKept(
    topic: RetentionTopic,
    times: Times,
    { clock: known }: { readonly clock: RetentionClock },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, deletion } = this.#options;
    if (this.#hold === undefined || times.keptAt > clock.monotonicMs()) return false;
    const hold = this.#hold;
    const { keptAfter } = times;
    const result = await this.#lookAtTopic(topic, signal, async () => {
      const looked = await deletion.lookAtKept(hold, topic, { clock: known, after: keptAfter });
      times.keptAfter = looked.after ?? 0;
      if (looked.after === undefined) times.keptAt = clock.monotonicMs() + KEPT_MS;
      return looked.result;
    });
    return result.goneEntries > 0;
  }

  /** Runs a look at a topic, and takes note of what it did. */
  async #lookAtTopic<Look extends Pick<LookResult, 'isHeld' | 'goneEntries' | 'goneBytes'>>(
    { context, name }: RetentionTopic,
    signal: AbortSignal,
    look: () => Promise<Look>,
  ): Promise<Look> {
    return this.#paced(signal, async () => {
      const result = await look();
      if (!result.isHeld) this.#hold = undefined;
      const { goneEntries, goneBytes } = result;
      return { ...result, gone: goneEntries === 0 ? [] : [{ context, name, goneEntries, goneBytes }] };
    });
  }

  /** Runs a look, counts what it deleted, and pauses as long as that asks for. */
  async #paced<Look extends { readonly gone: readonly GoneEntries[]; readonly isWork?: boolean }>(
    signal: AbortSignal,
    look: () => Promise<Look>,
  ): Promise<Look> {
    const { clock, pace, pushes, metrics } = this.#options;
    const startedAt = clock.monotonicMs();
    pace.beforeBatch(pushes(), startedAt);
    const result = await look();
    if (result.gone.length === 0 && result.isWork !== true) return result;
    this.#noteRenewal();
    for (const { context, name, goneEntries, goneBytes } of result.gone) {
      metrics.retentionEvents.inc(context, name, goneEntries);
      metrics.retentionBytes.inc(context, name, goneBytes);
    }
    const nowMs = clock.monotonicMs();
    const entries = result.gone.reduce((sum, { goneEntries }) => sum + goneEntries, 0);
    const batch = { entries, tookMs: nowMs - startedAt, nowMs };
    const pauseMs = pace.afterBatch(batch, pushes(), await this.#lag());
    await pause(clock, pauseMs, signal);
    return result;
  }

  async #lag(): Promise<number | undefined> {
    this.#batches += 1;
    if (this.#batches % PURGE_EVERY === 1) this.#purgeLag = await this.#options.store.purgeLag();
    return this.#purgeLag;
  }

  async #renew(): Promise<void> {
    const { clock, store } = this.#options;
    if (this.#hold === undefined || clock.monotonicMs() < this.#renewAt) return;
    this.#noteRenewal();
    if (!(await store.renew(this.#hold))) this.#hold = undefined;
  }

  #noteRenewal(): void {
    this.#renewAt = this.#options.clock.monotonicMs() + LEASE_PERIOD_MS;
  }

  #timesOf({ topicId }: RetentionTopic): Times {
    const known = this.#times.get(topicId);
    if (known !== undefined) return known;
    const times = { lookAt: 0, warnAt: 0, keptAt: 0, keptAfter: 0 };
    this.#times.set(topicId, times);
    return times;
  }
}
