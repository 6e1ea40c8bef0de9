// One consumer that this instance runs: its window, its members, and the commands that change it. How events get from the log
// into the window is consumer-dispatcher.ts, how places get into the database offset-flusher.ts.

import {
  applySettings,
  type ConsumerKey,
  type ConsumerSettings,
  type SettingsPatch,
  selectsOtherwise,
} from '../domain/consumer.js';
import type {
  AckStatus,
  Answer,
  Delivery,
  MemberCredit,
  Trouble,
  WindowChanges,
  WindowSettings,
} from '../domain/delivery-types.js';
import { DeliveryWindow } from '../domain/delivery-window.js';
import { fieldInvalid, MadeleineError, storageUnavailable } from '../domain/errors.js';
import type { LogEntry, Micros, Position } from '../domain/event.js';
import type { Clock } from '../lib/clock.js';
import type { ConsumerRecord, ConsumerStore, LeaseBlock, OffsetWrite } from '../storage/consumer-storage.js';
import type { Logger } from '../telemetry.js';
import { ConsumerDispatcher, type DispatchHost } from './consumer-dispatcher.js';
import { FetchMember, type FetchOptions, stillLeased } from './consumer-fetch.js';
import type { MemberHost, SessionMember } from './consumer-member.js';
import type { Handout, MeasureEntry, Outbox } from './consumer-outbox.js';
import { DELIVERY_LEASES, type Ownership, type OwnershipListener } from './consumer-ownership.js';
import { Subscription } from './consumer-subscription.js';
import { type ConsumerView, countEvents, type EventCount } from './consumer-view.js';
import type { LogSource } from './log-source.js';
import type { FlushTarget, OffsetFlusher } from './offset-flusher.js';

/** More leases are reserved when fewer are left. */
const FEW_LEASES = DELIVERY_LEASES / 2;
/** An offset that passed so many positions is written without waiting for the timer. */
const MAX_UNWRITTEN_POSITIONS = 10_000;
/** After a failed read or write. */
const RETRY_MS = 1_000;
/** A fetching member that nobody uses is forgotten. */
const FETCH_IDLE_MS = 30_000;
/** Timers of the runtime cannot be longer. */
const MAX_TIMER_MS = 60_000;

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
  readonly offset: Position;
  readonly statuses: readonly AckStatus[];
  readonly upTo: number;
}

export class ConsumerSession implements FlushTarget, OwnershipListener {
  readonly key: ConsumerKey;
  readonly #options: ConsumerSessionOptions;
  readonly #window: DeliveryWindow;
  readonly #dispatcher: ConsumerDispatcher;
  readonly #host: DispatchHost & MemberHost;
  readonly #members = new Map<string, SessionMember>();
  #settings: ConsumerSettings;
  #wanted = false;
  /** Changes under way, one after the other: nothing is delivered until they are stored. */
  #changing = 0;
  #lastChange: Promise<void> = Promise.resolve();
  #deleting = false;
  #taken: { readonly changes: WindowChanges; readonly movedAt: Micros | undefined } | undefined;
  #storedOffset: Position;
  #movedAt: Micros | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #retryAtMs = Number.POSITIVE_INFINITY;
  #reserving: Promise<void> | undefined;
  #draining = false;
  #allLeft: () => void = () => {};
  /** Resolves once a drained session has no subscriber any more. */
  readonly drained: Promise<void>;
  #ended: Error | undefined;
  #usedAtMs: number;

  constructor(options: ConsumerSessionOptions) {
    const { record, leases, troubles, source, clock } = options;
    this.#options = options;
    this.drained = new Promise((resolve) => {
      this.#allLeft = resolve;
    });
    this.key = { context: record.context, name: record.name };
    this.#settings = record.settings;
    this.#window = new DeliveryWindow({
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
    this.#storedOffset = record.offset;
    this.#movedAt = record.movedAt;
    this.#usedAtMs = clock.nowMs();
    this.#host = this.#makeHost();
    const { key, settings } = { key: this.key, settings: record.settings };
    this.#dispatcher = new ConsumerDispatcher({ window: this.#window, source, key, settings, host: this.#host });
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
    return this.#window.stats().inFlight;
  }

  /** Why it runs no more; undefined while it does. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** Since when nobody uses it; undefined while somebody does or something is in flight. */
  get idleSinceMs(): number | undefined {
    return this.#members.size > 0 || this.#changing > 0 ? undefined : this.#usedAtMs;
  }

  // --- commands

  /** Adds a subscriber; a former one of the name ends with MEMBER_REPLACED and its events are free at once. */
  subscribe(name: string, credit: MemberCredit, measure: MeasureEntry): Subscription {
    const former = this.#members.get(name);
    if (former !== undefined) {
      this.#window.removeMember(name, { lost: false }, this.#now());
      former.end(new MadeleineError('MEMBER_REPLACED', `another subscriber came as member "${name}"`));
    }
    const subscription = new Subscription({ name, host: this.#host, measure });
    this.#members.set(name, subscription);
    this.#window.addMember(name, credit);
    const live = this.#dispatcher.livePosition;
    if (live !== undefined) subscription.tellCaughtUp(live);
    this.#changed();
    return subscription;
  }

  /** Leases events to callers that ask for them one by one; the member is shared by all that name it. */
  async fetch(member: string, options: FetchOptions): Promise<Handout> {
    this.#usedAtMs = this.#now();
    const { handout, repeated } = this.#fetchMember(member).fetch(options);
    const given = await handout;
    return repeated ? stillLeased(given, (position) => this.#window.inFlightAt(position)) : given;
  }

  /** Acknowledges, and resolves once the result is durable. */
  async acknowledge(
    answers: readonly Answer[],
    upTo: Position | undefined,
    member: string | undefined,
  ): Promise<Acknowledged> {
    this.#throwIfEnded();
    const now = this.#now();
    this.#usedAtMs = now;
    const statuses = this.#window.ack(answers, now);
    const passed = upTo === undefined ? [] : this.#window.ackUpTo(upTo, member, now);
    if (upTo !== undefined || answers.some((answer) => answer.lease === 0)) this.#markStale();
    this.#changed();
    await this.#flushIfDirty();
    this.#throwIfEnded();
    return { offset: this.#storedOffset, statuses, upTo: passed.length };
  }

  /** Moves the offset, in a new generation; resolves once it is durable. */
  async seek(position: Position): Promise<void> {
    await this.#change(async () => {
      this.#beginGeneration(position);
      await this.#options.flusher.flush(this);
    });
  }

  /** Takes other settings; resolves once they are durable. If it selects otherwise then, a new generation begins. */
  async configure(patch: SettingsPatch): Promise<void> {
    await this.#change(async () => {
      const former = this.#settings;
      const settings = applySettings(former, patch);
      if (!(await this.#options.store.configure(this.#options.ownership.hold, settings))) throw this.#lostNow();
      this.#settings = settings;
      this.#window.configure(windowSettings(settings));
      if (settings.ordering !== former.ordering) this.#clearOutboxes();
      this.#dispatcher.configure(settings);
      if (selectsOtherwise(former, settings)) this.#beginGeneration(this.#window.offset);
      await this.#flushIfDirty();
    });
  }

  /** Deletes the consumer; its members end with CONSUMER_UNKNOWN. */
  async delete(): Promise<void> {
    await this.#change(async () => {
      this.#deleting = true;
      try {
        if (!(await this.#options.store.delete(this.#options.ownership.hold))) throw this.#lostNow();
        this.end(consumerUnknown(this.key));
      } finally {
        this.#deleting = false;
      }
    });
  }

  /** Writes what is not written yet. */
  async #flushIfDirty(): Promise<void> {
    if (this.#window.dirty) await this.#options.flusher.flush(this);
  }

  /** Matching events that are not acknowledged. */
  countPending(): Promise<EventCount> {
    const { offset } = this.#window;
    const { acked } = this.#window.changes();
    return this.#count({ after: offset, upTo: this.#options.source.visible, without: acked });
  }

  /** Matching events between two positions, in either order. */
  countBetween(a: Position, b: Position): Promise<EventCount> {
    return this.#count({ after: Math.min(a, b), upTo: Math.max(a, b) });
  }

  /** Tells its subscribers that the server drains; nothing more is delivered. */
  drain(): void {
    this.#draining = true;
    for (const member of this.#members.values()) {
      if (member instanceof Subscription) member.drain(this.#window.scanned);
      else member.end(drainingError());
    }
    this.#tellIfDrained();
  }

  #tellIfDrained(): void {
    if (!this.#draining) return;
    for (const member of this.#members.values()) if (member instanceof Subscription) return;
    this.#allLeft();
  }

  /** Ends every member with the error, or in order. The hold is not touched; what is unwritten stays unwritten. */
  end(error: Error, memberError: Error | undefined = error): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#dispatcher.stop();
    clearTimeout(this.#timer);
    this.#options.flusher.forget(this);
    for (const member of this.#members.values()) member.end(memberError);
    this.#members.clear();
    this.#allLeft();
  }

  /** Writes what is not written; before a release. */
  async settle(): Promise<void> {
    if (this.#ended === undefined && this.#window.dirty) await this.#options.flusher.flush(this);
  }

  view(): ConsumerView {
    const stats = this.#window.stats();
    const { head } = this;
    const { activity, cause } = this.#window.activity(head, this.#now());
    return {
      ...this.key,
      settings: this.#settings,
      generation: this.#window.generation,
      offset: this.#window.offset,
      head,
      inFlight: stats.inFlight,
      parked: stats.parked,
      oldestUnacknowledged: stats.oldestUnacknowledged,
      members: this.#window.members().map((use) => this.#memberView(use)),
      movedAt: this.#movedAt,
      createdAt: this.#options.record.createdAt,
      activity,
      activityCause: cause,
      owner: this.#options.address,
    };
  }

  // --- ownership and flushing

  /** See OwnershipListener. */
  leaseTrustedAgain(): void {
    this.#changed();
  }

  /** See OwnershipListener and FlushTarget. */
  loseHold(): void {
    // A deletion takes the hold as well; whoever waits for a write is told by holdLostError.
    if (this.#ended !== undefined || this.#deleting) return;
    this.end(this.holdLostError());
    this.#options.onLost(this);
  }

  /** See FlushTarget. */
  holdLostError(): Error {
    if (this.#deleting) return consumerUnknown(this.key);
    return new MadeleineError('OWNED_ELSEWHERE', `consumer "${this.key.name}" went to another instance`, {
      retryAfterMs: 100,
    });
  }

  /** See FlushTarget. */
  takeWrite(): OffsetWrite | undefined {
    if (!this.#window.dirty || this.#ended !== undefined) return undefined;
    const changes = this.#window.changes();
    const moved = changes.offset !== this.#storedOffset;
    const movedAt = moved ? this.#now() * 1000 : this.#movedAt;
    this.#taken = { changes, movedAt };
    return {
      hold: this.#options.ownership.hold,
      generation: changes.generation,
      generationLease: changes.generationFirstLease,
      offset: changes.offset,
      acked: changes.acked,
      movedAt,
      troubles: changes.troubles,
      troublesOver: changes.troublesOver,
    };
  }

  /** See FlushTarget. */
  written(): void {
    if (this.#taken === undefined) return;
    const { changes, movedAt } = this.#taken;
    this.#taken = undefined;
    this.#storedOffset = changes.offset;
    this.#movedAt = movedAt;
    this.#window.saved(changes);
  }

  // --- inside

  #makeHost(): DispatchHost & MemberHost {
    const session = this;
    const { ownership } = this.#options;
    return {
      get mayDeliver() {
        return session.#changing === 0 && !session.#draining && ownership.trusted;
      },
      get wanted() {
        return session.#wanted;
      },
      get head() {
        return session.head;
      },
      get offset() {
        return session.#window.offset;
      },
      nowMs: () => session.#now(),
      deliver: (entry, delivery) => session.#deliver(entry, delivery),
      deliveriesEnded: () => session.#markStale(),
      gap: (first, last) => session.#eachSubscription((subscription) => subscription.tellGap(first, last)),
      caughtUp: (position) => session.#eachSubscription((subscription) => subscription.tellCaughtUp(position)),
      roundDone: (idle) => session.#roundDone(idle),
      saveTroubles: () => session.#options.flusher.flush(session),
      reserveLeases: () => session.#reserveLeases(),
      failed: (error) => session.#failed(error),
      pull: () => session.#pull(),
      setCredit: (member, credit) => session.#window.setCredit(member, credit),
      inFlight: (member) => {
        const use = session.#window.member(member);
        return { events: use?.inFlight ?? 0, bytes: use?.inFlightBytes ?? 0 };
      },
      prune: (outbox: Outbox) =>
        outbox.prune((delivery) => session.#window.inFlightAt(delivery.position)?.lease === delivery.lease),
      left: (member, how) => session.#left(member, how),
    };
  }

  #now(): number {
    return this.#options.clock.nowMs();
  }

  #pull(): void {
    this.#wanted = true;
    this.#dispatcher.kick();
  }

  #changed(): void {
    this.#wanted = this.#anyHungry();
    this.#dispatcher.kick();
  }

  #anyHungry(): boolean {
    for (const member of this.#members.values()) if (member.hungry) return true;
    return false;
  }

  #deliver(entry: LogEntry, delivery: Delivery): void {
    const member = this.#members.get(delivery.member);
    if (member === undefined) return;
    member.outbox.push(entry, delivery);
    if (!member.hungry) this.#wanted = this.#anyHungry();
  }

  #eachSubscription(act: (subscription: Subscription) => void): void {
    for (const member of this.#members.values()) if (member instanceof Subscription) act(member);
  }

  #markStale(): void {
    for (const member of this.#members.values()) member.outbox.markStale();
  }

  #clearOutboxes(): void {
    for (const member of this.#members.values()) member.outbox.clear();
  }

  #roundDone(idle: boolean): void {
    const now = this.#now();
    for (const member of this.#members.values()) member.roundDone(idle, now);
    this.#wanted = this.#anyHungry();
    if (!idle || this.#ended !== undefined) return;
    if (this.#window.leasesLeft < FEW_LEASES) this.#reserveLeases().catch((error: unknown) => this.#failed(error));
    if (this.#window.dirty) this.#writeSoon();
    this.#schedule();
  }

  #writeSoon(): void {
    const { flusher } = this.#options;
    if (this.#window.offset - this.#storedOffset < MAX_UNWRITTEN_POSITIONS) flusher.flushSoon(this);
    else flusher.flush(this).catch((error: unknown) => this.#failed(error));
  }

  #reserveLeases(): Promise<void> {
    this.#reserving ??= this.#options.store
      .reserveLeases(this.#options.ownership.hold, DELIVERY_LEASES)
      .then((block) => {
        if (block === undefined) this.loseHold();
        else this.#window.reserveLeases(block.end);
      })
      .finally(() => {
        this.#reserving = undefined;
      });
    return this.#reserving;
  }

  #failed(error: unknown): void {
    if (this.#ended !== undefined) return;
    const now = this.#now();
    this.#options.logger.warn({ err: error, consumer: this.key.name, context: this.key.context }, 'consumer delayed');
    const told = error instanceof MadeleineError ? error : storageUnavailable(error);
    for (const member of this.#members.values()) if (member instanceof FetchMember) member.failExpired(told, now);
    this.#retryAtMs = now + RETRY_MS;
    this.#schedule();
  }

  #change(work: () => Promise<void>): Promise<void> {
    this.#changing += 1;
    const change = this.#lastChange.then(async () => {
      this.#throwIfEnded();
      try {
        await work();
      } finally {
        this.#changing -= 1;
        this.#usedAtMs = this.#now();
        this.#changed();
      }
    });
    // The next change begins whatever became of this one.
    this.#lastChange = change.catch(() => {});
    return change;
  }

  #lostNow(): Error {
    this.#deleting = false;
    const error = this.holdLostError();
    this.loseHold();
    return error;
  }

  #beginGeneration(position: Position): void {
    this.#window.seek(position, this.#window.generation + 1);
    this.#clearOutboxes();
    this.#dispatcher.restart();
  }

  #count(span: { after: Position; upTo: Position; without?: Uint8Array }): Promise<EventCount> {
    return countEvents(this.#options.source, this.#dispatcher.selection, span);
  }

  #fetchMember(name: string): FetchMember {
    this.#throwIfEnded();
    if (this.#draining) throw drainingError();
    const present = this.#members.get(name);
    if (present instanceof FetchMember) return present;
    if (present !== undefined) throw fieldInvalid('member', 'is subscribed at present; fetch under another name');
    const member = new FetchMember({ name, host: this.#host, rememberMs: this.#settings.ackTimeoutMs });
    this.#members.set(name, member);
    this.#window.addMember(name, { maxInFlight: 0, maxInFlightBytes: 0 });
    return member;
  }

  #left(member: SessionMember, how: { readonly lost: boolean }): void {
    if (this.#members.get(member.name) !== member) return;
    this.#members.delete(member.name);
    const now = this.#now();
    this.#window.removeMember(member.name, how, now);
    this.#usedAtMs = now;
    this.#changed();
    if (this.#members.size === 0) this.#options.onEmpty(this);
    this.#tellIfDrained();
  }

  #memberView(use: ReturnType<DeliveryWindow['members']>[number]): ConsumerView['members'][number] {
    return { ...use, subscribedAtMs: this.#members.get(use.name)?.subscribedAtMs ?? this.#usedAtMs };
  }

  #throwIfEnded(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  // --- one timer for everything that time brings about

  #schedule(): void {
    const wakes = [this.#window.nextWakeAt(), this.#retryAtMs];
    for (const member of this.#members.values()) wakes.push(member.nextWakeAtMs(), this.#unusedEndMs(member));
    const wakeAtMs = Math.min(...wakes.map((wake) => wake ?? Number.POSITIVE_INFINITY));
    // An armed timer that fires too early only looks again: acknowledgements need not move it.
    if (wakeAtMs >= this.#timerAtMs) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = wakeAtMs;
    const delay = Math.min(Math.max(wakeAtMs - this.#now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => this.#wake(), delay + 1);
  }

  #wake(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const now = this.#now();
    if (this.#retryAtMs <= now) this.#retryAtMs = Number.POSITIVE_INFINITY;
    for (const member of this.#members.values()) {
      const endMs = this.#unusedEndMs(member);
      if (endMs !== undefined && endMs <= now) this.#left(member, { lost: false });
    }
    this.#changed();
  }

  /** When a fetching member is forgotten; undefined while it is used or has something in flight. */
  #unusedEndMs(member: SessionMember): number | undefined {
    if (!(member instanceof FetchMember) || member.unusedSinceMs === undefined) return undefined;
    return this.#host.inFlight(member.name).events > 0 ? undefined : member.unusedSinceMs + FETCH_IDLE_MS;
  }
}

export function consumerUnknown(key: ConsumerKey): MadeleineError {
  return new MadeleineError('CONSUMER_UNKNOWN', `there is no consumer "${key.name}" in context "${key.context}"`);
}

export function drainingError(): MadeleineError {
  return new MadeleineError('DRAINING', 'the server is about to stop', { retryAfterMs: 1000 });
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
