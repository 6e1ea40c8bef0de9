// One consumer that this instance runs: joins its window, its members, its dispatcher and the other parts that callers use. It is
// told the time by one alarm.

import type { ConsumerKey } from '../../domain/consumers/consumer.js';
import type { FailureRecord } from '../../domain/consumers/delivery-types.js';
import { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { drainingError, MadeleineError, storageUnavailable } from '../../domain/errors.js';
import { Alarm } from '../../lib/alarm.js';
import type { Clock, WallTime } from '../../lib/clock.js';
import type { ConsumerRecord, ConsumerStore, LeaseBlock } from '../../storage/ports/consumer-storage.js';
import type { ParkedStore } from '../../storage/ports/parked-storage.js';
import type { PlaceStore } from '../../storage/ports/place-storage.js';
import type { UnreadStore } from '../../storage/ports/unread-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { Management } from '../group/management.js';
import type { EphemeralTopics } from '../log/ephemeral-topics.js';
import type { EventPositionsLookUp } from '../log/event-look-up.js';
import type { LogSource } from '../log/log-source.js';
import { ConsumerAnswers, type ConsumerAnswersOptions } from './consumer-answers.js';
import { ConsumerChanges, type ConsumerChangesOptions, windowSettings } from './consumer-changes.js';
import { ConsumerDispatcher, type DispatchHost } from './consumer-dispatcher.js';
import { ConsumerLife } from './consumer-life.js';
import { ConsumerMembers } from './consumer-members.js';
import { ConsumerParked, type ConsumerParkedOptions } from './consumer-parked.js';
import { ConsumerProgress, failuresFromStorage } from './consumer-progress.js';
import type { HeldPages } from './consumer-read-ahead.js';
import { ConsumerReport, type ConsumerReportOptions } from './consumer-view.js';
import { ConsumerGaps } from './gaps/consumer-gaps.js';
import type { OffsetFlusher } from './offset-flusher.js';
import { ConsumerHold } from './ownership/consumer-hold.js';
import type { Ownership } from './ownership/consumer-ownership.js';
import { DeliveryLeaseReserve } from './ownership/delivery-lease-reserve.js';
import { STALL_MS, type WatchedConsumer } from './state/consumer-watch.js';

/** Pause after a failed read or write. */
const RETRY_MS = 1_000;

export interface ConsumerSessionOptions {
  readonly record: ConsumerRecord;
  readonly ownership: Ownership;
  readonly leases: LeaseBlock;
  readonly failures: readonly FailureRecord[];
  /** Whether there is something that was deleted unread and that nobody was told of. */
  readonly hasGaps: boolean;
  readonly source: LogSource;
  readonly ephemeral: Pick<EphemeralTopics, 'kept'>;
  readonly places: EventPositionsLookUp;
  readonly held: HeldPages;
  readonly store: Pick<ConsumerStore, 'reserveLeases' | 'delete'>;
  readonly unread: Pick<UnreadStore, 'takeGaps' | 'toldGaps'>;
  readonly parked: Pick<ParkedStore, 'stillParked'>;
  readonly management: Pick<Management, 'change'>;
  readonly placeStore: Pick<PlaceStore, 'findSnapshot' | 'countSnapshots'>;
  readonly flusher: OffsetFlusher;
  readonly clock: Clock;
  readonly wallTime: WallTime;
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Address of this instance. */
  readonly address: string;
  /** Called when the last member left. */
  readonly onEmpty: (session: ConsumerSession) => void;
  /** Called when the hold is lost and the session has ended. */
  readonly onLost: (session: ConsumerSession) => void;
}

/** What is kept of the options: not what was read from the database, each piece of which holds the packet that it came in. */
type KeptOptions = Pick<
  ConsumerSessionOptions,
  'ownership' | 'clock' | 'wallTime' | 'logger' | 'flusher' | 'onEmpty' | 'onLost'
>;

export class ConsumerSession implements DispatchHost, WatchedConsumer {
  readonly key: ConsumerKey;
  readonly hold: ConsumerHold;
  readonly members: ConsumerMembers;
  readonly gaps: ConsumerGaps;
  readonly answers: ConsumerAnswers;
  readonly changes: ConsumerChanges;
  readonly progress: ConsumerProgress;
  readonly report: ConsumerReport;
  readonly parked: ConsumerParked;
  readonly #options: KeptOptions;
  readonly #life: ConsumerLife;
  readonly #window: DeliveryWindow;
  readonly #leases: DeliveryLeaseReserve;
  readonly #dispatcher: ConsumerDispatcher;
  readonly #alarm: Alarm;
  #retryAtMs = Number.POSITIVE_INFINITY;
  /** Events that waited to be delivered again when it began to drain: nobody had them. */
  #waitingBefore = 0;

  constructor(options: ConsumerSessionOptions) {
    const { record, ownership, clock, wallTime, logger, store, parked, source, places, held, flusher, address } =
      options;
    const { management, placeStore, unread, ephemeral, hasGaps, onEmpty, onLost } = options;
    const { settings, createdAt } = record;
    const key = { context: record.context, name: record.name };
    const life = new ConsumerLife(clock);
    const window = newWindow(options);
    this.key = key;
    this.#options = { ownership, clock, wallTime, logger, flusher, onEmpty, onLost };
    this.#life = life;
    this.#window = window;
    this.#alarm = new Alarm({ clock, onRing: () => this.#wake() });
    const hold = this.#newHold();
    this.hold = hold;
    const gaps = new ConsumerGaps({ hold, store: unread, expiredUnread: record.expiredUnread, isDue: hasGaps });
    this.gaps = gaps;
    const members = this.#newMembers();
    this.members = members;
    const progress = new ConsumerProgress({ record, hold, window, flusher, clock });
    this.progress = progress;
    this.#leases = new DeliveryLeaseReserve({ leases: window.leases, hold, store });
    const leases = this.#leases;
    const dispatching = {
      key,
      settings,
      window,
      members,
      gaps,
      progress,
      leases,
      source,
      ephemeral,
      held,
      clock,
      host: this,
    };
    const dispatcher = new ConsumerDispatcher(dispatching);
    this.#dispatcher = dispatcher;
    const onDeleted = (error: Error) => this.end(error);
    // One object for all, and written out: there may be many thousand sessions, and one that is spread is twice as large.
    const parts: ConsumerChangesOptions & ConsumerReportOptions & ConsumerAnswersOptions & ConsumerParkedOptions = {
      key,
      createdAt,
      address,
      window,
      life,
      hold,
      members,
      gaps,
      progress,
      dispatcher,
      source,
      places,
      store,
      parked,
      management,
      placeStore,
      clock,
      wallTime,
      onDeleted,
    };
    this.answers = new ConsumerAnswers(parts);
    this.changes = new ConsumerChanges(record, parts);
    this.report = new ConsumerReport(this.changes, parts);
    this.report.note();
    this.parked = new ConsumerParked(parts);
  }

  /** What ended it; undefined while it runs. */
  get ended(): Error | undefined {
    return this.#life.ended;
  }

  /** The time since when nobody uses it; undefined while somebody does or something is in flight. */
  get idleSinceMs(): Millis | undefined {
    return this.members.size > 0 || this.changes.underWay ? undefined : this.#life.usedAtMs;
  }

  /**
   * Tells its subscribers that the server drains, and ends them; nothing more is delivered, acknowledgements go on. Resolves
   * once every subscriber was told and what was in flight is answered, or the session ended.
   */
  drain(): Promise<void> {
    const drained = this.#life.drain();
    this.#waitingBefore = this.#window.report.stats().waiting;
    this.report.note();
    this.members.drain(this.#window.scan.position, drainingError());
    this.#tellIfDrained();
    return drained;
  }

  /** Called once a second: passes what came and does not concern it, and looks whose time has come. */
  tick(): void {
    this.#dispatcher.passQuiet();
    this.progress.flushSoon().catch((error: unknown) => this.failed(error));
    this.gaps.settle().catch((error: unknown) => this.failed(error));
    if (this.members.nextWakeAtMs() <= this.#options.clock.monotonicMs()) this.#wake();
  }

  /** Has it look for what was deleted unread, as there is something; so many events so far. */
  lookForGaps(expiredUnread: number): void {
    this.gaps.noteExpired(expiredUnread);
    this.gaps.noteDue();
    this.members.wake();
  }

  /** Stores everything that is not stored yet. */
  async store(): Promise<void> {
    await this.progress.flush();
    await this.gaps.settle();
  }

  /** Ends every member with the error. The hold is not touched; what is unwritten stays unwritten. */
  end(error: Error): void {
    if (this.#life.ended !== undefined) return;
    this.#life.end(error);
    this.#dispatcher.stop();
    this.#alarm.stop();
    this.progress.stop();
    this.members.end(error);
  }

  // --- what its dispatcher asks; methods, as an object of closures for each session would be a kilobyte and more

  /** See DispatchHost. */
  get mayDeliver(): boolean {
    return !this.changes.underWay && !this.#life.draining && this.hold.trusted;
  }

  /** See DispatchHost. */
  roundDone(idle: boolean): void {
    this.members.handOut(idle);
    this.#tellIfDrained();
    if (!idle || this.#life.ended !== undefined) return;
    this.report.note();
    if (this.#leases.areFew) this.#leases.refill().catch((error: unknown) => this.failed(error));
    this.progress.flushSoon().catch((error: unknown) => this.failed(error));
    this.#setAlarm();
  }

  /** See DispatchHost. Tries again by itself. That the database is away is said elsewhere, once for all consumers. */
  failed(error: unknown): void {
    if (this.#life.ended !== undefined) return;
    const expected = error instanceof MadeleineError;
    const fields = { err: error, context: this.key.context, consumer: this.key.name };
    this.#options.logger[expected ? 'debug' : 'error'](fields, 'consumer delayed');
    this.members.failFetches(expected ? error : storageUnavailable(error));
    this.#retryAtMs = this.#options.clock.monotonicMs() + RETRY_MS;
    this.#setAlarm();
  }

  // --- what the watch asks

  /** See WatchedConsumer. */
  get canGoOn(): boolean {
    if (!this.#dispatcher.hasBacklog || !this.#window.members.hasCredit || !this.mayDeliver) return false;
    if (this.#life.ended !== undefined || this.#retryAtMs < Number.POSITIVE_INFINITY || this.#isAboutToWake)
      return false;
    return this.report.note().activity === 'DELIVERING' && this.members.isAnyHungry;
  }

  /** Whether something has just become due, of which the alarm tells in a moment. */
  get #isAboutToWake(): boolean {
    if (this.isWaiting) return false;
    const dueMs = this.#window.redeliveries.nextWakeAt();
    const sinceMs = this.#options.clock.monotonicMs() - (dueMs ?? Number.POSITIVE_INFINITY);
    return sinceMs >= 0 && sinceMs < STALL_MS;
  }

  /** See WatchedConsumer. */
  get steps(): number {
    return this.#dispatcher.steps + this.#window.leases.next;
  }

  /** See WatchedConsumer. */
  get isWaiting(): boolean {
    return this.#dispatcher.isWaiting;
  }

  /** See WatchedConsumer. */
  get isQueued(): boolean {
    return this.#dispatcher.isQueued || this.#options.flusher.isQueued(this.progress);
  }

  /** See WatchedConsumer. */
  get isEmptyHanded(): boolean {
    return this.#window.report.stats().inFlight === 0;
  }

  /** See WatchedConsumer. */
  prod(): boolean {
    const { leases, scan } = this.#window;
    const { next } = leases;
    const { position } = scan;
    this.members.recount();
    this.members.wake();
    if (leases.next > next || scan.position > position) return true;
    return this.#dispatcher.isWaiting && this.#dispatcher.keepsPages;
  }

  /** See WatchedConsumer. */
  beginAnew(): void {
    this.#window.restart();
    this.members.clearPending();
    this.#dispatcher.giveUp();
    this.members.wake();
  }

  /** See WatchedConsumer. */
  describe(): object {
    const { inFlight, waiting, heldStreams, ackedAhead } = this.#window.report.stats();
    const { offset, head } = this.report;
    const { size: members } = this.members;
    return { offset, scanned: this.#window.scan.position, head, inFlight, waiting, heldStreams, ackedAhead, members };
  }

  // --- inside

  #newHold(): ConsumerHold {
    return new ConsumerHold({
      key: this.key,
      ownership: this.#options.ownership,
      onTrustedAgain: () => this.members.wake(),
      onLost: (error) => this.#lost(error),
    });
  }

  #newMembers(): ConsumerMembers {
    return new ConsumerMembers({
      window: this.#window,
      life: this.#life,
      gaps: this.gaps,
      clock: this.#options.clock,
      wallTime: this.#options.wallTime,
      head: () => this.report.head,
      livePosition: () => this.#dispatcher.livePosition,
      pause: () => this.changes.pause,
      onWanted: () => this.#dispatcher.kick(),
      onLeft: () => this.#memberLeft(),
    });
  }

  #lost(error: Error): void {
    if (this.#life.ended !== undefined) return;
    this.end(error);
    this.#options.onLost(this);
  }

  #memberLeft(): void {
    this.#life.use();
    this.members.wake();
    if (this.members.size === 0) this.#options.onEmpty(this);
    this.#tellIfDrained();
  }

  #tellIfDrained(): void {
    if (!this.#life.draining || this.members.hasSubscriptions) return;
    const { inFlight, waiting } = this.#window.report.stats();
    if (inFlight + waiting <= this.#waitingBefore + this.#life.returned) this.#life.tellDrained();
  }

  #setAlarm(): void {
    const wakeAtMs = this.#window.redeliveries.nextWakeAt() ?? Number.POSITIVE_INFINITY;
    this.#alarm.ringBy(Math.min(wakeAtMs, this.#retryAtMs, this.members.nextWakeAtMs()));
  }

  #wake(): void {
    if (this.#retryAtMs <= this.#options.clock.monotonicMs()) this.#retryAtMs = Number.POSITIVE_INFINITY;
    this.members.lookAtDue();
    this.members.wake();
  }
}

function newWindow({ record, leases, failures, clock, random }: ConsumerSessionOptions): DeliveryWindow {
  return new DeliveryWindow({
    settings: windowSettings(record.settings),
    random,
    state: {
      consumerId: record.id,
      generation: record.generation,
      offset: record.offset,
      acked: record.acked,
      failures: failuresFromStorage(failures, clock),
      nextLease: leases.next,
      generationFirstLease: record.generationLease,
      generationOffset: record.generationOffset,
      ownerFirstLease: leases.next,
      leaseLimit: leases.end,
      paused: record.pause !== undefined,
    },
  });
}
