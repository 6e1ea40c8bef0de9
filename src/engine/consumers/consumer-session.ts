// One consumer that this instance runs: joins its window, its members and its dispatcher, and carries out the commands that
// change it. It is told the time by one alarm.

import {
  applySettings,
  type ConsumerKey,
  type ConsumerSettings,
  type SettingsPatch,
  selectsOtherwise,
} from '../../domain/consumers/consumer.js';
import type {
  AckStatus,
  Answer,
  Delivery,
  MemberCredit,
  Trouble,
  WindowSettings,
} from '../../domain/consumers/delivery-types.js';
import { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { drainingError, MadeleineError, storageUnavailable } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import { Alarm } from '../../lib/alarm.js';
import type { Clock } from '../../lib/clock.js';
import type { ConsumerRecord, ConsumerStore, LeaseBlock } from '../../storage/ports/consumer-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { LogSource } from '../log/log-source.js';
import { ConsumerDispatcher, type DispatchHost } from './consumer-dispatcher.js';
import { consumerUnknown, holdLost } from './consumer-errors.js';
import { type FetchOptions, stillLeased } from './consumer-fetch.js';
import { ConsumerMembers } from './consumer-members.js';
import type { Handout, MeasureEntry } from './consumer-outbox.js';
import { DELIVERY_LEASES, type Ownership, type OwnershipListener } from './consumer-ownership.js';
import { ConsumerProgress } from './consumer-progress.js';
import type { Subscription } from './consumer-subscription.js';
import { type ConsumerView, countEvents, type EventCount } from './consumer-view.js';
import type { OffsetFlusher } from './offset-flusher.js';

/** More leases are reserved when fewer are left. */
const FEW_LEASES = DELIVERY_LEASES / 2;
/** After a failed read or write. */
const RETRY_MS = 1_000;

export interface ConsumerSessionOptions {
  readonly record: ConsumerRecord;
  readonly ownership: Ownership;
  readonly leases: LeaseBlock;
  readonly troubles: readonly Trouble[];
  readonly source: LogSource;
  readonly store: Pick<ConsumerStore, 'reserveLeases' | 'configure' | 'delete'>;
  readonly flusher: OffsetFlusher;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Address of this instance. */
  readonly address: string;
  /** The last member left. */
  readonly onEmpty: (session: ConsumerSession) => void;
  /** The hold is lost; the session has ended. */
  readonly onLost: (session: ConsumerSession) => void;
}

export interface Acknowledged {
  /** The durable offset. */
  readonly offset: Position;
  readonly statuses: readonly AckStatus[];
  /** Events that `upTo` acknowledged. */
  readonly upTo: number;
}

/** What is kept of the options: not what was read from the database, each piece of which holds the packet that it came in. */
type KeptOptions = Omit<ConsumerSessionOptions, 'record' | 'leases' | 'troubles'>;

export class ConsumerSession implements OwnershipListener, DispatchHost {
  readonly key: ConsumerKey;
  /** Resolves once a drained session has no subscriber any more. */
  readonly drained: Promise<void>;
  readonly #options: KeptOptions;
  readonly #createdAt: Micros;
  readonly #window: DeliveryWindow;
  readonly #members: ConsumerMembers;
  readonly #dispatcher: ConsumerDispatcher;
  readonly #progress: ConsumerProgress;
  readonly #alarm: Alarm;
  #settings: ConsumerSettings;
  /** Changes under way, one after the other: nothing is delivered until they are stored. */
  #changing = 0;
  #lastChange: Promise<void> = Promise.resolve();
  #deleting = false;
  #reserving: Promise<void> | undefined;
  #retryAtMs = Number.POSITIVE_INFINITY;
  #draining = false;
  #allLeft: () => void = () => {};
  #ended: Error | undefined;
  #usedAtMs: Millis;

  constructor(options: ConsumerSessionOptions) {
    const { record, leases: _leases, troubles: _troubles, ...kept } = options;
    const { source, clock, flusher } = kept;
    this.#options = kept;
    this.#createdAt = record.createdAt;
    this.key = { context: record.context, name: record.name };
    this.drained = new Promise((resolve) => {
      this.#allLeft = resolve;
    });
    this.#settings = record.settings;
    this.#usedAtMs = clock.nowMs();
    const window = newWindow(options);
    this.#window = window;
    this.#alarm = new Alarm({ clock, onRing: () => this.#wake() });
    this.#members = new ConsumerMembers({
      window,
      clock,
      head: () => this.head,
      onPull: () => this.#dispatcher.kick(),
      onLeft: () => this.#memberLeft(),
    });
    this.#progress = new ConsumerProgress({
      record,
      window,
      clock,
      flusher,
      hold: options.ownership.hold,
      onHoldLost: () => this.loseHold(),
      holdLostError: () => this.#holdLostError(),
    });
    const { key, settings } = { key: this.key, settings: record.settings };
    this.#dispatcher = new ConsumerDispatcher({ window, source, key, settings, host: this });
  }

  get settings(): ConsumerSettings {
    return this.#settings;
  }

  get offset(): Position {
    return this.#window.offset;
  }

  get head(): Position {
    return Math.max(this.#options.source.visible, this.#window.offset);
  }

  get inFlight(): number {
    return this.#window.report.stats().inFlight;
  }

  /** Why it runs no more; undefined while it does. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** Since when nobody uses it; undefined while somebody does or something is in flight. */
  get idleSinceMs(): Millis | undefined {
    return this.#members.size > 0 || this.#changing > 0 ? undefined : this.#usedAtMs;
  }

  // --- commands

  /** Adds a subscriber; a former one of the name ends with MEMBER_REPLACED and its events are free at once. */
  subscribe(name: string, credit: MemberCredit, measure: MeasureEntry): Subscription {
    this.#throwIfClosed();
    const subscription = this.#members.subscribe(name, credit, measure);
    const live = this.#dispatcher.livePosition;
    if (live !== undefined) subscription.tellCaughtUp(live);
    this.#changed();
    return subscription;
  }

  /** Leases events to callers that ask for them one by one; the member is shared by all that name it. */
  async fetch(member: string, options: FetchOptions): Promise<Handout> {
    this.#throwIfClosed();
    this.#usedAtMs = this.nowMs();
    const { handout, repeated } = this.#members.fetching(member, this.#settings.ackTimeoutMs).fetch(options);
    const given = await handout;
    return repeated ? stillLeased(given, (position) => this.#window.members.inFlightAt(position)) : given;
  }

  /** Acknowledges, and resolves once the result is durable. */
  async acknowledge(
    answers: readonly Answer[],
    upTo: Position | undefined,
    member: string | undefined,
  ): Promise<Acknowledged> {
    this.#throwIfEnded();
    const now = this.nowMs();
    this.#usedAtMs = now;
    const statuses = this.#window.answers.ack(answers, now);
    const passed = upTo === undefined ? [] : this.#window.answers.ackUpTo(upTo, member, now);
    // Only without a lease can one acknowledge what was not handed out yet.
    if (upTo !== undefined || answers.some((answer) => answer.lease === 0)) this.#members.markStale();
    this.#changed();
    await this.#progress.flush();
    this.#throwIfEnded();
    return { offset: this.#progress.storedOffset, statuses, upTo: passed.length };
  }

  /** Moves the offset, in a new generation; resolves once it is durable. */
  seek(position: Position): Promise<void> {
    return this.#change(async () => {
      this.#beginGeneration(position);
      await this.#progress.flush();
    });
  }

  /** Takes other settings; resolves once they are durable. If it selects otherwise then, a new generation begins. */
  configure(patch: SettingsPatch): Promise<void> {
    return this.#change(async () => {
      const former = this.#settings;
      const settings = applySettings(former, patch);
      if (!(await this.#options.store.configure(this.#options.ownership.hold, settings))) throw this.#lostNow();
      this.#settings = settings;
      this.#window.configure(windowSettings(settings));
      if (settings.ordering !== former.ordering) this.#members.clearOutboxes();
      this.#dispatcher.configure(settings);
      if (selectsOtherwise(former, settings)) this.#beginGeneration(this.#window.offset);
      await this.#progress.flush();
    });
  }

  /** Deletes the consumer; its members end with CONSUMER_UNKNOWN. */
  delete(): Promise<void> {
    return this.#change(async () => {
      this.#deleting = true;
      try {
        if (!(await this.#options.store.delete(this.#options.ownership.hold))) throw this.#lostNow();
        this.end(consumerUnknown(this.key));
      } finally {
        this.#deleting = false;
      }
    });
  }

  /** Matching events that are not acknowledged. */
  countPending(): Promise<EventCount> {
    const { offset, acked } = this.#window.unsaved.take();
    return this.#count({ after: offset, upTo: this.#options.source.visible, without: acked });
  }

  /** Matching events between two positions, in either order. */
  countBetween(a: Position, b: Position): Promise<EventCount> {
    return this.#count({ after: Math.min(a, b), upTo: Math.max(a, b) });
  }

  view(): ConsumerView {
    const stats = this.#window.report.stats();
    const { activity, cause } = this.#window.report.activity(this.head, this.nowMs());
    return {
      ...this.key,
      settings: this.#settings,
      generation: this.#window.generation,
      offset: this.#window.offset,
      head: this.head,
      inFlight: stats.inFlight,
      parked: stats.parked,
      oldestUnacknowledged: stats.oldestUnacknowledged,
      members: this.#members.views(),
      movedAt: this.#progress.movedAt,
      createdAt: this.#createdAt,
      activity,
      activityCause: cause,
      owner: this.#options.address,
    };
  }

  // --- the end

  /** Tells its subscribers that the server drains; nothing more is delivered, acknowledgements go on. */
  drain(): void {
    this.#draining = true;
    this.#members.drain(this.#window.scan.position, drainingError());
    this.#tellIfDrained();
  }

  /** Writes what is not written; before a release. */
  settle(): Promise<void> {
    return this.#progress.flush();
  }

  /** Ends every member with the error, or in order. The hold is not touched; what is unwritten stays unwritten. */
  end(error: Error, memberError: Error | undefined = error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#dispatcher.stop();
    this.#alarm.stop();
    this.#progress.stop();
    this.#members.end(memberError);
    this.#allLeft();
  }

  /** See OwnershipListener. */
  leaseTrustedAgain(): void {
    this.#changed();
  }

  /** See OwnershipListener. */
  loseHold(): void {
    // A deletion takes the hold as well; whoever waits for a write is told by holdLostError.
    if (this.#ended !== undefined || this.#deleting) return;
    this.end(this.#holdLostError());
    this.#options.onLost(this);
  }

  // --- what its dispatcher asks; methods, as an object of closures for each session would be a kilobyte and more

  /** See DispatchHost. */
  get mayDeliver(): boolean {
    return this.#changing === 0 && !this.#draining && this.#options.ownership.trusted;
  }

  /** See DispatchHost. */
  get wanted(): boolean {
    return this.#members.wanted;
  }

  /** See DispatchHost. */
  nowMs(): Millis {
    return this.#options.clock.nowMs();
  }

  /** See DispatchHost. */
  deliver(entry: LogEntry, delivery: Delivery): void {
    this.#members.deliver(entry, delivery);
  }

  /** See DispatchHost. */
  deliveriesEnded(): void {
    this.#members.markStale();
  }

  /** See DispatchHost. */
  gap(first: Position, last: Position): void {
    this.#members.tellGap(first, last);
  }

  /** See DispatchHost. */
  caughtUp(position: Position): void {
    this.#members.tellCaughtUp(position);
  }

  /** See DispatchHost. */
  roundDone(idle: boolean): void {
    this.#members.handOut(idle);
    if (!idle || this.#ended !== undefined) return;
    if (this.#window.leases.left < FEW_LEASES) this.reserveLeases().catch((error: unknown) => this.failed(error));
    this.#progress.flushSoon().catch((error: unknown) => this.failed(error));
    this.#setAlarm();
  }

  /** See DispatchHost. */
  saveTroubles(): Promise<void> {
    return this.#progress.flush();
  }

  /** See DispatchHost. */
  reserveLeases(): Promise<void> {
    this.#reserving ??= this.#options.store
      .reserveLeases(this.#options.ownership.hold, DELIVERY_LEASES)
      .then((block) => {
        if (block === undefined) this.loseHold();
        else this.#window.leases.reserve(block.end);
      })
      .finally(() => {
        this.#reserving = undefined;
      });
    return this.#reserving;
  }

  /** See DispatchHost. Tries again by itself. That the database is away is said elsewhere, once for all consumers. */
  failed(error: unknown): void {
    if (this.#ended !== undefined) return;
    const expected = error instanceof MadeleineError;
    const fields = { err: error, context: this.key.context, consumer: this.key.name };
    this.#options.logger[expected ? 'debug' : 'error'](fields, 'consumer delayed');
    this.#members.failFetches(expected ? error : storageUnavailable(error));
    this.#retryAtMs = this.nowMs() + RETRY_MS;
    this.#setAlarm();
  }

  // --- inside

  #changed(): void {
    this.#members.lookWhoWaits();
    this.#dispatcher.kick();
  }

  #memberLeft(): void {
    this.#usedAtMs = this.nowMs();
    this.#changed();
    if (this.#members.size === 0) this.#options.onEmpty(this);
    this.#tellIfDrained();
  }

  #tellIfDrained(): void {
    if (this.#draining && !this.#members.hasSubscriptions) this.#allLeft();
  }

  #setAlarm(): void {
    const wakeAtMs = this.#window.redeliveries.nextWakeAt() ?? Number.POSITIVE_INFINITY;
    this.#alarm.ringBy(Math.min(wakeAtMs, this.#retryAtMs, this.#members.nextWakeAtMs()));
  }

  #wake(): void {
    if (this.#retryAtMs <= this.nowMs()) this.#retryAtMs = Number.POSITIVE_INFINITY;
    this.#members.forgetUnused();
    this.#changed();
  }

  #change(work: () => Promise<void>): Promise<void> {
    this.#changing += 1;
    const change = this.#lastChange.then(async () => {
      try {
        this.#throwIfEnded();
        await work();
      } finally {
        this.#changing -= 1;
        this.#usedAtMs = this.nowMs();
        this.#changed();
      }
    });
    // The next change begins whatever became of this one.
    this.#lastChange = change.catch(() => {});
    return change;
  }

  #beginGeneration(position: Position): void {
    this.#window.seek(position, this.#window.generation + 1);
    this.#members.clearOutboxes();
    this.#dispatcher.restart();
  }

  #count(span: { after: Position; upTo: Position; without?: Uint8Array }): Promise<EventCount> {
    return countEvents(this.#options.source, this.#dispatcher.selection, span);
  }

  #holdLostError(): Error {
    return this.#deleting ? consumerUnknown(this.key) : holdLost(this.key);
  }

  #lostNow(): Error {
    this.#deleting = false;
    this.loseHold();
    return this.#holdLostError();
  }

  #throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  #throwIfClosed(): void {
    this.#throwIfEnded();
    if (this.#draining) throw drainingError();
  }
}

function newWindow({ record, leases, troubles }: ConsumerSessionOptions): DeliveryWindow {
  return new DeliveryWindow({
    settings: windowSettings(record.settings),
    state: {
      generation: record.generation,
      offset: record.offset,
      acked: record.acked,
      troubles,
      nextLease: leases.next,
      generationFirstLease: record.generationLease,
      ownerFirstLease: leases.next,
      leaseLimit: leases.end,
    },
  });
}

function windowSettings(settings: ConsumerSettings): WindowSettings {
  return {
    ordering: settings.ordering,
    ackTimeoutMs: settings.ackTimeoutMs,
    maxAttempts: settings.maxAttempts,
    // Parked events could be neither listed nor replayed yet: they go on being delivered.
    parking: false,
  };
}
