// The sessions of this instance: opens one where a call needs it, lets go of those that nobody uses, deletes ephemeral ones
// with their last member, and ends all of them when the instance stops.

import type { ConsumerKey } from '../../domain/consumers/consumer.js';
import { MOVES_KEPT_MICROS } from '../../domain/consumers/managed/offset-move.js';
import { bug, drainingError } from '../../domain/errors.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import { scopedKey } from '../../domain/names.js';
import { type Clock, type Timer, WallTime } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { ConsumerStore, Hold } from '../../storage/ports/consumer-storage.js';
import type { Instance } from '../../storage/ports/log-storage.js';
import type { ParkedStore } from '../../storage/ports/parked-storage.js';
import { MAX_FORGOTTEN, type PlaceStore } from '../../storage/ports/place-storage.js';
import type { UnreadStore } from '../../storage/ports/unread-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { Management } from '../group/management.js';
import type { EphemeralTopics } from '../log/ephemeral-topics.js';
import type { EventPositionsLookUp } from '../log/event-look-up.js';
import type { LogSource } from '../log/log-source.js';
import { HeldPages } from './consumer-read-ahead.js';
import { ConsumerSession } from './consumer-session.js';
import { OffsetFlusher } from './offset-flusher.js';
import { ownedElsewhere } from './ownership/consumer-errors.js';
import { ConsumerOwnership } from './ownership/consumer-ownership.js';
import { ConsumerGauges } from './state/consumer-gauges.js';
import { ConsumerWatch } from './state/consumer-watch.js';

/** A session that nobody uses for so long is released. */
const IDLE_MS = 30_000;
const TICK_MS = 1_000;
const SWEEP_MS = 60_000;
/** How often it is looked for what was deleted unread of consumers that wait at the head. */
const GAPS_MS = 5_000;

export interface ConsumerSessionsOptions {
  readonly store: ConsumerStore;
  readonly parked: ParkedStore;
  readonly placeStore: PlaceStore;
  readonly unread: UnreadStore;
  readonly management: Pick<Management, 'change'>;
  readonly source: LogSource;
  readonly ephemeral: Pick<EphemeralTopics, 'kept'>;
  readonly places: EventPositionsLookUp;
  readonly instance: Instance;
  readonly clock: Clock;
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export class ConsumerSessions {
  readonly #options: ConsumerSessionsOptions;
  readonly #ownership: ConsumerOwnership;
  readonly #flusher: OffsetFlusher;
  readonly #gauges: ConsumerGauges;
  readonly #watch: ConsumerWatch;
  readonly #wallTime: WallTime;
  readonly #held = new HeldPages();
  readonly #sessions = new Map<string, ConsumerSession>();
  /** Consumers that are being acquired or let go of: whoever comes meanwhile waits and looks again. */
  readonly #busy = new Map<string, Promise<unknown>>();
  /** Ephemeral consumers that nobody ran at the last look. */
  #orphans: readonly Hold[] = [];
  #draining = false;
  #tickTimer: Timer | undefined;
  #sweepTimer: Timer | undefined;
  #gapsTimer: Timer | undefined;

  constructor(options: ConsumerSessionsOptions) {
    this.#options = options;
    this.#ownership = new ConsumerOwnership(options);
    this.#flusher = new OffsetFlusher(options);
    this.#gauges = new ConsumerGauges(options);
    this.#watch = new ConsumerWatch(options);
    this.#wallTime = new WallTime(options.clock);
  }

  get draining(): boolean {
    return this.#draining;
  }

  start(): void {
    this.#ownership.start();
    const { clock } = this.#options;
    this.#tickTimer = clock.every(TICK_MS, () => this.#tick());
    this.#sweepTimer = clock.every(SWEEP_MS, () => void this.#sweep());
    this.#gapsTimer = clock.every(GAPS_MS, () => void this.#lookForGaps());
  }

  /** See Consumers.drain. */
  async drain(graceMs: Millis): Promise<void> {
    this.#draining = true;
    const sessions = [...this.#sessions.values()];
    const drained = sessions.map((session) => session.drain());
    await within(this.#options.clock, graceMs, Promise.all(drained), () => {});
  }

  /** See Consumers.stop. */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#tickTimer?.stop();
    this.#sweepTimer?.stop();
    this.#gapsTimer?.stop();
    await Promise.allSettled(this.#busy.values());
    const sessions = [...this.#sessions.values()];
    const settled = await Promise.allSettled(sessions.map((session) => session.store()));
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) this.#options.logger.warn({ err: failed.reason }, 'not every offset was written');
    for (const session of sessions) this.#end(session);
    await this.#ownership.release(sessions.map((session) => session.key));
    this.#flusher.stop();
    await this.#ownership.stop();
  }

  /** The session that runs here now, if one does. */
  running(key: ConsumerKey): ConsumerSession | undefined {
    return this.#sessions.get(nameOf(key));
  }

  /**
   * The session of a consumer, opened if need be; undefined if there is no such consumer. OWNED_ELSEWHERE if another instance
   * runs it; DRAINING if it does not run here yet and this instance is about to stop.
   */
  async open(key: ConsumerKey): Promise<ConsumerSession | undefined> {
    const name = nameOf(key);
    for (;;) {
      const running = this.#sessions.get(name);
      if (running !== undefined) return running;
      if (this.#draining) throw drainingError();
      const busy = this.#busy.get(name);
      if (busy === undefined) return this.#whileBusy(name, () => this.#acquire(key));
      // Whoever made it so is told of a failure; this call looks again.
      await busy.catch(() => {});
    }
  }

  /** Deletes a consumer that runs here. */
  async delete(session: ConsumerSession, call: ManagementCall): Promise<void> {
    await session.changes.delete(call);
    this.#forget(session);
  }

  #whileBusy<T>(name: string, work: () => Promise<T>): Promise<T> {
    const busy = work().finally(() => this.#busy.delete(name));
    this.#busy.set(name, busy);
    return busy;
  }

  async #acquire(key: ConsumerKey): Promise<ConsumerSession | undefined> {
    const { acquired, ownership } = await this.#ownership.acquire(key);
    if (acquired.kind === 'unknown') return undefined;
    if (acquired.kind === 'owned') throw ownedElsewhere(key, acquired.owner);
    if (ownership === undefined) throw bug('a consumer that was acquired has no ownership');
    const session = new ConsumerSession({
      ...this.#options,
      ...{ record: acquired.record, leases: acquired.leases, failures: acquired.failures, ownership },
      hasGaps: acquired.hasGaps,
      flusher: this.#flusher,
      held: this.#held,
      wallTime: this.#wallTime,
      address: this.#options.instance.address,
      onEmpty: (emptied) => this.#emptied(emptied),
      onLost: (lost) => this.#forget(lost),
    });
    this.#ownership.listen(key, session.hold);
    this.#sessions.set(nameOf(key), session);
    return session;
  }

  /** The hold is not ours any more. */
  #forget(session: ConsumerSession): void {
    this.#ownership.forget(session.key);
    this.#remove(session);
  }

  #end(session: ConsumerSession): void {
    session.end(drainingError());
    this.#remove(session);
  }

  #remove(session: ConsumerSession): void {
    const name = nameOf(session.key);
    if (this.#sessions.get(name) !== session) return;
    this.#sessions.delete(name);
    this.#gauges.remove(session);
  }

  #emptied(session: ConsumerSession): void {
    // In a drain its members come back elsewhere; if they do not, it is swept.
    if (session.changes.settings.ephemeral && !this.#draining) void this.#deleteEphemeral(session);
  }

  /** Whoever comes meanwhile waits, and creates it anew. */
  async #deleteEphemeral(session: ConsumerSession): Promise<void> {
    this.#remove(session);
    await this.#whileBusy(nameOf(session.key), async () => {
      try {
        await session.changes.delete();
        this.#ownership.forget(session.key);
      } catch (error) {
        const fields = { err: error, consumer: session.key.name };
        this.#options.logger.warn(fields, 'ephemeral consumer not deleted, it is swept later');
        session.end(drainingError());
        await this.#ownership.release([session.key]);
      }
    });
  }

  #tick(): void {
    const now = this.#options.clock.monotonicMs();
    this.#gauges.measure(this.#sessions.values());
    for (const session of this.#sessions.values()) {
      session.tick();
      const { idleSinceMs } = session;
      if (idleSinceMs !== undefined && now - idleSinceMs >= IDLE_MS) void this.#releaseIdle(session, idleSinceMs);
    }
    this.#watch.look(this.#sessions.values());
  }

  async #releaseIdle(session: ConsumerSession, idleSinceMs: Millis): Promise<void> {
    if (session.changes.settings.ephemeral) return this.#deleteEphemeral(session);
    try {
      await session.store();
    } catch {
      // The place stays to be written; the next tick tries again.
      return;
    }
    if (session.ended !== undefined || session.idleSinceMs !== idleSinceMs || this.#draining) return;
    this.#end(session);
    await this.#whileBusy(nameOf(session.key), () => this.#ownership.release([session.key]));
  }

  async #lookForGaps(): Promise<void> {
    if (this.#sessions.size === 0) return;
    try {
      const found = await this.#options.unread.withGaps(this.#options.instance.id);
      if (found.size === 0) return;
      for (const session of this.#sessions.values()) {
        const expiredUnread = found.get(session.hold.guard.id);
        if (expiredUnread !== undefined) session.lookForGaps(expiredUnread);
      }
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'not looked for events that were deleted unread, tried again later');
    }
  }

  async #sweep(): Promise<void> {
    try {
      this.#orphans = await this.#options.store.sweepEphemeral(this.#orphans);
      await this.#forgetMoves();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'consumers not swept');
    }
  }

  /** Some at a time, until none is left that is old. */
  async #forgetMoves(): Promise<void> {
    const { clock, placeStore } = this.#options;
    const before = clock.nowMs() * 1000 - MOVES_KEPT_MICROS;
    while (!this.#draining && (await placeStore.forgetMoves(before)) === MAX_FORGOTTEN);
  }
}

function nameOf(key: ConsumerKey): string {
  return scopedKey(key.context, key.name);
}
