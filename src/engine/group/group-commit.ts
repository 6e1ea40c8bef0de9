// Gathers concurrent units into groups and commits each group as one transaction. Batches form by themselves: while one committer
// flushes, the next group gathers.
//
// | state of a unit | entered when | left when |
// |---|---|---|
// | waiting | submitted | it is its caller's turn; its caller gives up; its patience ends |
// | queued | admitted, or its group failed in a way that may be repeated | a committer takes it; its caller gives up; its patience ends |
// | in a group | a committer took it | the group's COMMIT returned, or failed |
// | settled | outcome known | – |
//
// Invariants: units of one caller commit in the order of their submission (so that the batches of one PushEventStream do), all in
// the order of their admission: a group goes on
// under the lock only if every earlier group of this instance is settled or seen committed, and no earlier unit is queued
// again. A unit whose COMMIT was not answered is run again as a rerun, which looks its message ids up, and is never answered
// from a guess.

import { type Backoff, backoffMs, JITTER } from '../../domain/backoff.js';
import type { MadeCawin } from '../../domain/cawins/prepared-cawin.js';
import { MadeleineError, storageUnavailable } from '../../domain/errors.js';
import { type OutcomeOf, type PushOutcome, type UnitOutcome, withCawins } from '../../domain/group/group-outcomes.js';
import { planGroup } from '../../domain/group/group-plan.js';
import { matchPushes, needsOf } from '../../domain/group/group-plan-needs.js';
import {
  type GroupPlan,
  type GroupUnit,
  recatalogues,
  standsAlone,
  unitBytes,
  unitMemory,
  unitSize,
} from '../../domain/group/group-plan-types.js';
import { plannedBefore, recognised, unitAgain } from '../../domain/group/group-rerun.js';
import type { ShapeCatalog } from '../../domain/group/shape-catalog.js';
import type { UnregisteredTopics } from '../../domain/topics/context-settings.js';
import { type Callers, SERVER } from '../../lib/callers.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { TURN } from '../../lib/fair-queue.js';
import { type GroupCommitter, GroupFailure } from '../../storage/ports/log-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { LogTail } from '../log/log-tail.js';
import { countEvent } from './event-counts.js';
import { type Admissible, GroupAdmission } from './group-admission.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

/** How long a unit may wait for a group that commits, in milliseconds. */
const PATIENCE_MS = 10_000;
/** How often units whose callers or patience are gone are looked for. */
const SWEEP_MS = 250;
/** Pauses after a group that met somebody else's lock. */
const BUSY: Backoff = { baseMs: 5, capMs: 160, jitter: JITTER.withinHalf };
/** Pauses after a group that the database was not there for, or a catalogue that could not be loaded. */
const AWAY: Backoff = { baseMs: 100, capMs: 1_000, jitter: JITTER.withinHalf };
/** A committer takes at least this many events if they are there, else half of what is outstanding: the clients whose answers go
 * out together then do not all wait for the next group together. */
const MIN_TAKE = 32;
const MAX_GROUP_EVENTS = 1_000;

export interface GroupCommitOptions {
  readonly committers: readonly GroupCommitter[];
  readonly tail: LogTail;
  readonly catalog: ShapeCatalogCache;
  /** What becomes of pushes to topics that nobody registered, where their context says nothing: accept unless told. */
  readonly unregisteredTopics?: UnregisteredTopics;
  /** Shared by all that callers share. */
  readonly callers: Callers;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Payload bytes of a group at most: below half of the database's max_allowed_packet. */
  readonly maxGroupBytes: number;
  /** Events that may wait; more are refused with OVERLOADED. */
  readonly maxQueuedEvents: number;
  readonly maxQueuedBytes: number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

interface Waiting extends Admissible {
  /** Its place among the admitted ones; 0 before. */
  sequence: number;
  readonly unit: GroupUnit;
  readonly bytes: number;
  readonly giveUpAt: number;
  readonly resolve: (outcome: UnitOutcome) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal | undefined;
  /** A COMMIT with this unit was sent and not answered: what it planned then. */
  sent: UnitOutcome | undefined;
  /** Its group was refused for a value, or it is of a kind that stands alone. */
  alone: boolean;
  /** Groups with it that were decided and then met the lock of another. */
  blocked: number;
}

interface Group {
  readonly members: readonly Waiting[];
  readonly events: number;
  readonly token: number;
  readonly rerun: boolean;
  /** What it is planned with. */
  readonly catalog: ShapeCatalog;
  /** Whether it may change the catalogue. */
  readonly recatalogues: boolean;
  plan: GroupPlan | undefined;
  locked: boolean;
  /** When it got the lock. */
  lockedAtMs: Millis;
  settled: boolean;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #idleCommitters: GroupCommitter[];
  readonly #admission: GroupAdmission<Waiting>;
  /** What is admitted, ascending by sequence. */
  #queue: Waiting[] = [];
  /** The members in the order in which they were taken. */
  #groups: Group[] = [];
  #nextSequence = 1;
  #inGroupEvents = 0;
  #times = { count: 0, totalMs: 0 };
  #failures = 0;
  #retryTimer: Timer | undefined;
  #sweeper: Timer | undefined;
  #pumping = false;
  /** The catalogue is being loaded again: no group is made meanwhile. */
  #reloading = false;
  readonly #roomWaiters = new Set<() => void>();

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    const { maxQueuedEvents: events, maxQueuedBytes: bytes, callers, clock } = options;
    const onPauseOver = () => this.#madeRoom();
    this.#admission = new GroupAdmission({ most: { events, bytes }, callers, clock, onPauseOver });
    this.#idleCommitters = [...options.committers];
  }

  /** Whether a group with this token is being committed by this instance: it will be published, or run again. */
  isOwnToken(token: number): boolean {
    return this.#groups.some((group) => group.token === token && !group.settled);
  }

  /** The groups that were committed since the start, and what they took together. */
  get times(): { readonly count: number; readonly totalMs: Millis } {
    return this.#times;
  }

  /** Events that wait or are being committed. */
  get outstanding(): number {
    return this.#admission.waitingEvents + this.#inGroupEvents;
  }

  /**
   * Commits the unit with whatever else is there, callers taking turns. Resolves with its outcome once that is durable and visible; a refusal is an
   * outcome too. Rejects with OVERLOADED at once, with STORAGE_UNAVAILABLE after about 10 s without a commit, or
   * with the signal's reason while it has not been taken into a group.
   */
  submit<U extends GroupUnit>(unit: U, signal?: AbortSignal, caller = SERVER): Promise<OutcomeOf<U>> {
    const events = unitSize(unit);
    const memory = unitMemory(unit);
    if (!this.#admission.fits(caller, { events, bytes: memory })) {
      return Promise.reject(
        new MadeleineError('OVERLOADED', 'too many pushes wait to be stored', { retryAfterMs: 250 }),
      );
    }
    return new Promise((resolve, reject) => {
      const giveUpAt = this.#options.clock.monotonicMs() + PATIENCE_MS;
      const alone = standsAlone(unit);
      const waiting: Waiting = {
        caller,
        sequence: 0,
        unit,
        bytes: unitBytes(unit),
        events,
        memory,
        turn: alone ? TURN : events,
        giveUpAt,
        // The queue holds units of all kinds; the plan answers each with an outcome of its kind.
        resolve: resolve as Waiting['resolve'],
        reject,
        signal,
        sent: undefined,
        alone,
        blocked: 0,
      };
      this.#admission.add(waiting);
      this.#admit();
      this.#sweeper ??= this.#options.clock.every(SWEEP_MS, () => this.#dropHopeless()).unref();
      this.#schedulePump();
    });
  }

  /**
   * Resolves once there is room for more, at once if there is: for callers that can wait where `submit` would refuse. Also
   * when the signal aborts.
   */
  async whenRoom(signal: AbortSignal, caller = SERVER): Promise<void> {
    while (!this.#admission.hasRoom(caller) && !signal.aborted) await this.#change(signal);
  }

  /** Callers that wait for room. */
  get roomWaiters(): number {
    return this.#roomWaiters.size;
  }

  async #change(signal: AbortSignal): Promise<void> {
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#roomWaiters.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    await woken;
    signal.removeEventListener('abort', wake);
    this.#roomWaiters.delete(wake);
  }

  /** Admits what may be, callers taking turns. */
  #admit(): void {
    for (;;) {
      const waiting = this.#admission.next();
      if (waiting === undefined) return;
      waiting.sequence = this.#nextSequence;
      this.#nextSequence += 1;
      this.#queue.push(waiting);
    }
  }

  /** Resolves when nothing waits or is being committed. */
  async idle(): Promise<void> {
    while (this.outstanding > 0 || this.#groups.length > 0) {
      await new Promise<void>((resolve) => this.#options.clock.after(5, resolve));
    }
  }

  async close(): Promise<void> {
    this.#retryTimer?.stop();
    this.#sweeper?.stop();
    const left = [...this.#queue.splice(0), ...this.#admission.drop(() => false)];
    for (const waiting of left) waiting.reject(storageUnavailable('closing'));
    await Promise.all(this.#options.committers.map((committer) => committer.close()));
  }

  /** Pumps after the callers of this turn of the event loop had their say: their pushes then share a group. */
  #schedulePump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (
      this.#queue.length > 0 &&
      this.#idleCommitters.length > 0 &&
      this.#retryTimer === undefined &&
      !this.#reloading
    ) {
      // The next group queues for the head row only behind one that holds it: the database then keeps our order. Behind one that changes
      // the catalogue it would be planned in vain.
      const last = this.#groups.at(-1);
      if (last !== undefined && (!last.locked || last.recatalogues)) return;
      const committer = this.#idleCommitters.pop() as GroupCommitter;
      const group = this.#take();
      this.#groups.push(group);
      void this.#run(committer, group);
    }
  }

  #dropHopeless(): void {
    const now = this.#options.clock.monotonicMs();
    const isHopeless = (w: Waiting) => w.giveUpAt <= now || (w.signal?.aborted === true && w.sent === undefined);
    const dropped = this.#admission.drop((waiting) => !isHopeless(waiting));
    const queued = this.#queue.filter(isHopeless);
    if (queued.length > 0) this.#queue = this.#queue.filter((waiting) => !isHopeless(waiting));
    this.#admission.withdrawn(queued);
    for (const waiting of [...queued, ...dropped]) {
      waiting.reject(
        waiting.signal?.aborted === true ? waiting.signal.reason : storageUnavailable('no group committed in time'),
      );
    }
    this.#madeRoom();
  }

  #take(): Group {
    const wanted = Math.min(MAX_GROUP_EVENTS, Math.max(MIN_TAKE, Math.ceil(this.outstanding / 2)));
    const first = this.#queue[0] as Waiting;
    let events = 0;
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      const size = waiting.events;
      const tooMuch = events + size > MAX_GROUP_EVENTS || bytes + waiting.bytes > this.#options.maxGroupBytes;
      const differs = (waiting.sent === undefined) !== (first.sent === undefined) || waiting.alone || first.alone;
      if (count > 0 && (tooMuch || differs || events >= wanted)) break;
      events += size;
      bytes += waiting.bytes;
      count += 1;
    }
    const members = this.#queue.splice(0, count);
    this.#admission.grouped(members);
    this.#madeRoom();
    this.#inGroupEvents += events;
    return {
      members,
      events,
      token: Math.floor(this.#options.random() * 2 ** 52) + 1,
      rerun: first.sent !== undefined,
      catalog: this.#options.catalog.current,
      recatalogues: members.some(({ unit }) => recatalogues(unit)),
      plan: undefined,
      locked: false,
      lockedAtMs: 0,
      settled: false,
    };
  }

  #madeRoom(): void {
    this.#admit();
    this.#schedulePump();
    for (const wake of this.#roomWaiters) wake();
  }

  async #run(committer: GroupCommitter, group: Group): Promise<void> {
    const units = group.members.map(({ unit, sent }) => (sent === undefined ? unit : unitAgain(unit, sent)));
    const startedAt = this.#options.clock.monotonicMs();
    const { catalog } = group;
    try {
      matchPushes(units, catalog, this.#options.unregisteredTopics);
      const made = await committer.run({
        needs: needsOf(units, group.rerun),
        catalogVersion: catalog.version,
        token: group.token,
        onLocked: () => {
          group.locked = true;
          group.lockedAtMs = this.#options.clock.monotonicMs();
          this.#schedulePump();
        },
        mayProceed: (foundToken) => this.#mayProceed(group, foundToken),
        decide: (locked) => {
          group.plan = planGroup(locked, units, catalog);
          return group.plan.writes;
        },
        needsBarrier: () => !this.#restsOnVisible(group),
      });
      this.#committed(group, made, startedAt);
    } catch (error) {
      this.#failed(group, error);
    } finally {
      group.settled = true;
      group.locked = true;
      this.#groups = this.#groups.filter((other) => other !== group);
      this.#inGroupEvents -= group.events;
      this.#admission.settled(group.members, this.#options.clock.monotonicMs() - (group.lockedAtMs || startedAt));
      this.#idleCommitters.push(committer);
      this.#madeRoom();
    }
  }

  /** Whether everything that the group answers is an event that may be shown: refusals and waits have no position to tell by. */
  #restsOnVisible({ plan }: Group): boolean {
    const { visible } = this.#options.tail;
    const isVisible = (push: PushOutcome) => push.kind === 'duplicate' && push.position > 0 && push.position <= visible;
    return plan?.outcomes.every((outcome) => outcome.kind === 'pushed' && outcome.pushes.every(isVisible)) ?? false;
  }

  #mayProceed(group: Group, foundToken: number): boolean {
    const first = group.members[0] as Waiting;
    const overtaken = this.#queue[0];
    if (overtaken !== undefined && overtaken.sequence < first.sequence) return false;
    for (const earlier of this.#groups) {
      if (earlier === group) return true;
      if (!earlier.settled && earlier.token !== foundToken) return false;
    }
    return true;
  }

  #committed(group: Group, made: readonly MadeCawin[], startedAt: number): void {
    const { metrics, tail, clock, catalog } = this.#options;
    this.#failures = 0;
    const plan = group.plan as GroupPlan;
    const { entries, waits } = plan.writes;
    const now = clock.monotonicMs();
    this.#admission.pace.observe(group.events, now - group.lockedAtMs);
    this.#times = { count: this.#times.count + 1, totalMs: this.#times.totalMs + now - startedAt };
    if (waits?.catalog !== undefined) catalog.committed(group.catalog, waits.catalog);
    if (entries.length > 0) {
      metrics.groupSize.observe(entries.length);
      metrics.commitSeconds.observe((now - startedAt) / 1000);
      tail.publish(entries.map(({ entry }) => entry));
      for (const { entry } of entries) countEvent(metrics, entry);
    }
    group.members.forEach((waiting, index) => {
      const outcome = withCawins(plan.outcomes[index] as UnitOutcome, made);
      waiting.resolve(waiting.sent === undefined ? outcome : recognised(outcome, waiting.sent));
    });
  }

  #failed(group: Group, error: unknown): void {
    const { metrics, logger } = this.#options;
    const failure = error instanceof GroupFailure ? error : new GroupFailure('failed', error);
    metrics.groupFailures.inc({ kind: failure.kind });
    logger.debug({ err: failure.cause, kind: failure.kind, units: group.members.length }, 'group not committed');
    const splits = failure.kind === 'data' || failure.kind === 'failed';
    if (splits && group.members.length === 1) {
      (group.members[0] as Waiting).reject(failure.cause ?? failure);
      return;
    }
    // Before it was decided nothing of its own was in the way: an earlier group, a newer catalogue.
    const isBlocked = failure.kind === 'retry' && group.plan !== undefined;
    group.members.forEach((waiting, index) => {
      const planned = group.plan?.outcomes[index];
      if (failure.kind === 'unknown' && planned !== undefined) {
        waiting.sent = plannedBefore(withCawins(planned, failure.made), waiting.sent);
      }
      if (isBlocked) waiting.blocked += 1;
      // Something that one of them needs besides is locked: the others need not fail with it.
      if (splits || waiting.blocked > 1) waiting.alone = true;
    });
    this.#requeue(group.members);
    // Those whose patience ended in the group: it could be taken again before they are looked for.
    this.#dropHopeless();
    if (failure.kind === 'stale') this.#catchUp(group);
    else if (!splits) this.#backOff(failure.kind === 'unavailable' ? AWAY : BUSY);
  }

  /** Has the catalogue loaded, unless another one is here since the group was planned. */
  #catchUp({ catalog: { version } }: Group): void {
    if (this.#options.catalog.current.version === version) void this.#reload(version);
  }

  async #reload(version: number): Promise<void> {
    if (this.#reloading) return;
    this.#reloading = true;
    try {
      await this.#options.catalog.reload();
      // It has to be another one: otherwise what is read and what is locked differ, and hurrying does not help.
      if (this.#options.catalog.current.version === version) this.#backOff(AWAY);
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'catalogue not loaded');
      this.#backOff(AWAY);
    } finally {
      this.#reloading = false;
      this.#pump();
    }
  }

  #requeue(members: readonly Waiting[]): void {
    this.#admission.regrouped(members);
    this.#queue = [...members, ...this.#queue].sort((a, b) => a.sequence - b.sequence);
  }

  #backOff(backoff: Backoff): void {
    this.#failures += 1;
    if (this.#retryTimer !== undefined) return;
    const delayMs = backoffMs(backoff, this.#failures, this.#options.random);
    this.#retryTimer = this.#options.clock.after(delayMs, () => {
      this.#retryTimer = undefined;
      this.#pump();
    });
  }
}
