// A naive consumer, written straight from what the contract promises: every event is an object, every question a loop over all of
// them. It does not choose members; it checks what the window chose, and predicts everything that the rules determine.

import { expect } from 'vitest';
import { Ordering } from '../../src/domain/consumers/consumer.js';
import type {
  AckStatus,
  Delivery,
  Expiry,
  FailureRecord,
  Leave,
  MemberCredit,
  OfferResult,
  Rejection,
  WindowSettings,
} from '../../src/domain/consumers/delivery-types.js';

export interface ModelEvent {
  readonly position: number;
  readonly stream: string | null;
  readonly bytes: number;
}

type Place = 'away' | 'in flight' | 'returned';

/** A matching event and all that ever happened to it. */
export class Entry {
  readonly event: ModelEvent;
  done = false;
  parked = false;
  replay = false;
  /** Offered to the window in this era. */
  seen = false;
  /** No longer in the log. */
  expired = false;
  place: Place = 'away';
  member: ModelMember | undefined;
  attempts = 0;
  losses = 0;
  notBefore = 0;
  /** Lease of the newest delivery that counts among the attempts. */
  failedLease = 0;
  /** Something is remembered of its failures, or of an extension. */
  failed = false;
  history: { readonly lease: number; readonly member: string }[] = [];
  /** Newest lease when it was parked: which member had which of them is not kept. */
  blurredUpTo = 0;
  clockStart: number | undefined;
  extendedUntil = 0;

  constructor(event: ModelEvent) {
    this.event = event;
  }

  get lease(): number {
    return this.history.at(-1)?.lease ?? 0;
  }

  /** Not done for its stream and the offset. */
  get open(): boolean {
    return !this.done && !this.parked && !this.replay;
  }
}

export interface ModelMember extends MemberCredit {
  readonly name: string;
  answered: number;
}

/** What a failure record says but for its cause. */
type FailureFacts = Omit<FailureRecord, 'cause' | 'parkedAtMs'>;

interface Saved {
  readonly offset: number;
  readonly generationFirst: number;
  readonly generationOffset: number;
  readonly entries: ReadonlyMap<
    number,
    Pick<Entry, 'done' | 'parked' | 'replay' | 'attempts' | 'losses' | 'notBefore' | 'failedLease' | 'failed'>
  >;
}

export class DeliveryModel {
  readonly settings: WindowSettings;
  readonly #maxParked: number;
  readonly entries: Entry[];
  readonly members = new Map<string, ModelMember>();
  /** Streams with passed over events that were not all offered again. */
  readonly held = new Set<string>();
  paused = false;
  scanned = 0;
  /** Where the generation, or the owner, began: everything at or below is done. */
  start = 0;
  nextLease = 1;
  generationFirst = 1;
  /** Where the generation began. */
  generationOffset = 0;
  ownerFirst = 1;
  /** The parked ones whose leases this owner knows. */
  readonly #parkedHere = new Set<number>();
  #saved: Saved;

  constructor(settings: WindowSettings, events: readonly ModelEvent[], maxParked: number) {
    this.settings = settings;
    this.#maxParked = maxParked;
    this.entries = events.map((event) => new Entry(event));
    this.#saved = this.#snapshot(0);
  }

  at(position: number): Entry | undefined {
    return this.entries.find((entry) => entry.event.position === position);
  }

  get inFlight(): Entry[] {
    return this.entries.filter((entry) => entry.place === 'in flight');
  }

  /** How many events more may be parked. */
  get roomToPark(): number {
    return this.#maxParked - this.entries.filter((entry) => entry.parked).length;
  }

  /** The unit's entries: those of its stream, or itself alone. */
  unitOf(entry: Entry): Entry[] {
    if (this.settings.ordering === Ordering.NONE || entry.event.stream === null || entry.replay) return [entry];
    return this.entries.filter((other) => other.event.stream === entry.event.stream && !other.replay);
  }

  // --- the offset

  /** The greatest position at or below which every matching event is done, as far as the window can know of expiries. */
  offset(knowsExpiries: boolean): number {
    const holdsUp = (entry: Entry) =>
      entry.open && entry.event.position > this.start && !(entry.expired && (knowsExpiries || !entry.seen));
    const first = this.entries.find((entry) => entry.event.position <= this.scanned && holdsUp(entry));
    return first === undefined ? this.scanned : first.event.position - 1;
  }

  // --- deliveries

  /** Checks a delivery against every rule on it, and takes it over. */
  delivered(delivery: Delivery, now: number): void {
    const entry = this.at(delivery.position) as Entry;
    const where = `delivery of ${delivery.position}`;
    expect(this.paused, `${where}: nothing is paused`).toBe(false);
    expect(delivery.lease, `${where}: leases rise`).toBe(this.nextLease);
    this.nextLease++;
    expect(entry.done || entry.parked || entry.place === 'in flight', `${where}: it is open`).toBe(false);
    expect(entry.notBefore, `${where}: it is due`).toBeLessThanOrEqual(now);
    expect(delivery.attempt, `${where}: attempt`).toBe(entry.attempts + 1);
    expect(delivery.replay, `${where}: replay`).toBe(entry.replay);
    this.#checkOrder(entry, delivery.member, where);
    this.#checkCredit(entry, delivery.member, where);
    entry.place = 'in flight';
    entry.seen = true;
    entry.member = this.members.get(delivery.member);
    entry.history.push({ lease: delivery.lease, member: delivery.member });
    entry.extendedUntil = 0;
    this.#startClocks(now);
    const runs = entry.clockStart !== undefined;
    expect(delivery.deadlineMs, `${where}: deadline`).toBe(runs ? now + this.settings.ackTimeoutMs : undefined);
  }

  #checkOrder(entry: Entry, member: string, where: string): void {
    for (const other of this.unitOf(entry)) {
      if (other === entry || !other.open || other.event.position <= this.start) continue;
      if (other.event.position > entry.event.position) {
        expect(other.place, `${where}: ${other.event.position} is later`).not.toBe('in flight');
      } else if (!other.expired) {
        expect(other.place, `${where}: ${other.event.position} is earlier`).toBe('in flight');
        expect(other.member?.name, `${where}: one member has the stream`).toBe(member);
      }
    }
  }

  #checkCredit(entry: Entry, name: string, where: string): void {
    const member = this.members.get(name);
    expect(member, `${where}: member`).toBeDefined();
    const held = this.inFlight.filter((other) => other.member === member);
    expect(held.length, `${where}: credit in events`).toBeLessThan(member?.maxInFlight ?? 0);
    if (held.length === 0) return;
    const bytes = held.reduce((sum, other) => sum + other.event.bytes, entry.event.bytes);
    expect(bytes, `${where}: credit in bytes`).toBeLessThanOrEqual(member?.maxInFlightBytes ?? 0);
  }

  free(name: string): number {
    const member = this.members.get(name);
    if (member === undefined) return 0;
    return Math.max(0, member.maxInFlight - this.inFlight.filter((entry) => entry.member === member).length);
  }

  /** What the scan must say to this event while bytes do not matter and the scan is not too far ahead. */
  predictOffer(
    entry: Entry,
    now: number,
  ): { readonly kind: OfferResult['kind']; readonly members?: readonly string[] } {
    if (!entry.open) return { kind: 'done' };
    if (this.paused) return { kind: 'no-credit' };
    const most = Math.max(0, ...[...this.members.keys()].map((name) => this.free(name)));
    if (most === 0) return { kind: 'no-credit' };
    if (this.#isBehind(entry) || entry.notBefore > now) return { kind: 'held' };
    const holder = this.unitOf(entry).find((other) => other.place === 'in flight')?.member?.name;
    if (holder === undefined) {
      return { kind: 'delivered', members: [...this.members.keys()].filter((name) => this.free(name) === most) };
    }
    if (this.free(holder) > 0) return { kind: 'delivered', members: [holder] };
    return { kind: [...this.members.keys()].some((name) => this.free(name) > 0) ? 'held' : 'no-credit' };
  }

  /** Whether events of its unit wait before it. */
  #isBehind(entry: Entry): boolean {
    if (this.unitOf(entry).length > 1 && this.held.has(entry.event.stream ?? '')) return true;
    return this.unitOf(entry).some(
      (other) => other.place === 'returned' && other.event.position < entry.event.position,
    );
  }

  /** The scan went past an event that was not delivered. */
  passed(entry: Entry, now: number): void {
    if (entry.open) {
      if (!this.#isBehind(entry) && entry.notBefore > now) entry.place = 'returned';
      else this.held.add(entry.event.stream ?? '');
    }
    entry.seen = true;
  }

  /** A re-read of its stream stopped at an event. */
  stoppedAt(entry: Entry, now: number): void {
    const waits = this.unitOf(entry).some((other) => other.place === 'returned');
    if (!waits && entry.notBefore > now) entry.place = 'returned';
  }

  /** A re-read of a stream went on up to a position; what it did not find is gone. */
  reread(stream: string, from: number, to: number, now: number): void {
    for (const entry of this.entries) {
      const { position } = entry.event;
      const missed = entry.event.stream === stream && entry.expired && position >= from && position <= to;
      if (missed && entry.open && entry.seen && entry.place === 'away') this.finish(entry, now);
    }
    if (to >= this.scanned) this.held.delete(stream);
  }

  // --- clocks

  #startClocks(now: number): void {
    for (const entry of this.inFlight) {
      const oldest = this.unitOf(entry).find((other) => other.place !== 'away' && !other.done);
      if (entry.clockStart === undefined && oldest === entry) entry.clockStart = now;
    }
  }

  deadline(entry: Entry): number {
    const T = this.settings.ackTimeoutMs;
    const start = entry.clockStart ?? Number.POSITIVE_INFINITY;
    const answered = entry.member?.answered ?? 0;
    return Math.min(Math.max(entry.extendedUntil, start + T, answered + T), start + 10 * T);
  }

  extend(entry: Entry, ms: number, now: number): void {
    entry.extendedUntil = Math.max(
      entry.extendedUntil,
      Math.min(now + ms, (entry.clockStart ?? now) + 10 * this.settings.ackTimeoutMs),
    );
    entry.notBefore = entry.extendedUntil;
    entry.failed = true;
  }

  /** Positions whose clock has run out; they fail, in the order that the window chose, as far as there is room to park. */
  expire(now: number, chosen: readonly Expiry[]): number[] {
    const due = this.inFlight.filter((entry) => entry.clockStart !== undefined && this.deadline(entry) <= now);
    const order = chosen.map(({ position }) => position);
    const sorted = [...due].sort((a, b) => order.indexOf(a.event.position) - order.indexOf(b.event.position));
    for (const entry of sorted) {
      const attempt = entry.attempts + 1;
      this.takeBack(entry);
      this.fail(entry, { lease: entry.lease, delayMs: 0 }, now);
      const told = chosen.find(({ position }) => position === entry.event.position);
      expect(told, `what ran out at ${entry.event.position}`).toMatchObject({ attempt, parked: entry.parked });
    }
    return due.map((entry) => entry.event.position);
  }

  /** The next time at which something happens by itself. */
  nextEvent(now: number): number {
    const deadlines = this.inFlight.filter((e) => e.clockStart !== undefined).map((e) => this.deadline(e));
    const isHead = (entry: Entry) => this.unitOf(entry).find((other) => other.place === 'returned') === entry;
    const delays = this.entries
      .filter((e) => e.place === 'returned' && e.notBefore > now && isHead(e))
      .map((e) => e.notBefore);
    return Math.min(Number.POSITIVE_INFINITY, ...deadlines, ...delays);
  }

  // --- returning

  #giveUp(entry: Entry, keepsTime = false): void {
    entry.place = 'returned';
    entry.clockStart = undefined;
    const wasExtended = entry.extendedUntil !== 0;
    entry.extendedUntil = 0;
    if (!wasExtended || keepsTime) return;
    entry.notBefore = 0;
    entry.failed = entry.replay || entry.attempts > 0 || entry.losses > 0;
  }

  /** The event returns, and with it what came after it in its stream. */
  takeBack(entry: Entry): void {
    for (const other of this.unitOf(entry)) {
      if (other.place === 'in flight' && other.event.position >= entry.event.position) this.#giveUp(other);
    }
  }

  /** What these entries' members were not given yet comes back, and nothing is delivered any more. */
  pause(unsent: readonly Entry[]): void {
    this.paused = true;
    for (const entry of unsent) if (entry.place === 'in flight') this.takeBack(entry);
  }

  /** A delivery failed: it counts once. */
  fail(entry: Entry, { lease, delayMs }: { lease: number; delayMs: number | undefined }, now: number): void {
    const hasCounted = lease === 0 ? entry.attempts > 0 : lease <= entry.failedLease;
    if (!hasCounted) {
      entry.attempts++;
      entry.failedLease = lease;
    }
    this.#parkOrDelay(entry, entry.attempts, delayMs, now);
  }

  #parkOrDelay(entry: Entry, failures: number, delayMs: number | undefined, now: number): void {
    entry.failed = true;
    const isUsedUp = failures >= this.settings.maxAttempts;
    if (isUsedUp && this.roomToPark > 0) {
      this.park(entry, now);
      return;
    }
    const { initialMs, maxMs } = this.settings.retryBackoff;
    const backoff = Math.min(maxMs, initialMs * 2 ** (failures - 1));
    const delay = delayMs === undefined || (isUsedUp && delayMs === 0) ? backoff : delayMs;
    entry.notBefore = delay === 0 ? 0 : now + delay;
  }

  park(entry: Entry, now: number): void {
    if (entry.history.length > 0) this.#parkedHere.add(entry.event.position);
    entry.blurredUpTo = entry.lease;
    entry.parked = true;
    entry.replay = false;
    entry.failed = true;
    entry.notBefore = 0;
    entry.extendedUntil = 0;
    entry.place = 'away';
    entry.clockStart = undefined;
    this.#startClocks(now);
  }

  finish(entry: Entry, now: number): void {
    entry.done = true;
    entry.parked = false;
    entry.replay = false;
    entry.failed = false;
    entry.extendedUntil = 0;
    entry.place = 'away';
    entry.clockStart = undefined;
    this.#startClocks(now);
  }

  removeMember(name: string, { lost, sentAway = false }: Leave, now: number): number {
    const held = this.inFlight.filter((entry) => entry.member?.name === name);
    const oldest = held.filter((entry) => this.unitOf(entry).find((other) => other.place === 'in flight') === entry);
    for (const entry of held) this.#giveUp(entry, sentAway);
    this.members.delete(name);
    for (const entry of lost ? oldest : []) {
      entry.losses++;
      this.#parkOrDelay(entry, entry.losses, 0, now);
    }
    return held.length;
  }

  // --- answers

  /** The statuses that the rule allows; more than one only for a lease that was minted for another event. */
  statuses(entry: Entry, lease: number): AckStatus[] {
    if (lease !== 0 && lease < this.generationFirst) return ['STALE'];
    if (lease >= this.nextLease) return ['UNKNOWN'];
    const former = lease !== 0 && lease < this.ownerFirst;
    if (entry.done || (entry.open && entry.event.position <= this.start)) {
      return [lease === 0 && entry.event.position <= this.generationOffset ? 'UNKNOWN' : 'ALREADY'];
    }
    if (entry.parked) return this.#parkedStatuses(entry, lease, former);
    if (lease === 0) return [entry.place === 'away' ? 'UNKNOWN' : 'ACCEPTED'];
    if (former) return [entry.place === 'in flight' ? 'STALE' : 'ACCEPTED'];
    const known = entry.history.find((delivery) => delivery.lease === lease);
    if (known === undefined) return this.#strangeStatuses(entry, lease);
    if (entry.place !== 'in flight' || lease === entry.lease) return ['ACCEPTED'];
    if (lease <= entry.blurredUpTo) return ['ACCEPTED', 'STALE'];
    return [known.member === entry.member?.name ? 'ACCEPTED' : 'STALE'];
  }

  #parkedStatuses(entry: Entry, lease: number, former: boolean): AckStatus[] {
    if (lease === 0) return ['ALREADY'];
    if (!this.#parkedHere.has(entry.event.position)) return [former ? 'ACCEPTED' : 'ALREADY'];
    if (entry.history.some((delivery) => delivery.lease === lease)) return ['ACCEPTED'];
    return ['ALREADY', 'ACCEPTED'];
  }

  #strangeStatuses(entry: Entry, lease: number): AckStatus[] {
    const first = entry.history[0]?.lease ?? Number.POSITIVE_INFINITY;
    return lease < first || lease > entry.lease ? ['UNKNOWN'] : ['UNKNOWN', 'STALE', 'ACCEPTED'];
  }

  answered(entry: Entry, now: number): void {
    if (entry.place !== 'away' && entry.member !== undefined) entry.member.answered = now;
  }

  /** Whether a retry is asked for with a delivery that failed, while a later one is in flight. */
  failedBefore(entry: Entry, lease: number): boolean {
    const isFormer = lease !== 0 && lease !== entry.lease && entry.place === 'in flight';
    return isFormer && lease <= entry.failedLease;
  }

  rejected(entry: Entry, rejection: Rejection, lease: number, now: number): void {
    if (rejection.action === 'SKIP') this.finish(entry, now);
    else if (rejection.action === 'PARK') this.park(entry, now);
    else {
      if (entry.place === 'in flight') this.takeBack(entry);
      this.fail(entry, { lease: entry.lease || lease, delayMs: rejection.delayMs }, now);
    }
  }

  // --- parked events

  replayParked(entry: Entry): void {
    entry.parked = false;
    entry.replay = true;
    entry.place = 'returned';
    entry.member = undefined;
    entry.attempts = 0;
    entry.losses = 0;
    entry.notBefore = 0;
  }

  // --- storage, restarts, seeks

  failures(): FailureFacts[] {
    return this.entries
      .filter((entry) => entry.failed)
      .map((entry) => ({
        position: entry.event.position,
        attempts: entry.attempts,
        losses: entry.losses,
        notBeforeMs: entry.notBefore,
        failedLease: entry.failedLease,
        state: entry.parked ? 'PARKED' : entry.replay ? 'REPLAY' : 'RETRY',
      }));
  }

  save(offset: number): void {
    this.#saved = this.#snapshot(offset);
  }

  /** A new owner: what was not saved is lost, and nothing is known of former deliveries. */
  restart(nextLease: number): void {
    for (const entry of this.entries) {
      const saved = this.#saved.entries.get(entry.event.position);
      this.#forget(entry);
      Object.assign(entry, saved);
      if (entry.replay) entry.place = 'returned';
    }
    this.members.clear();
    this.held.clear();
    this.#parkedHere.clear();
    this.start = this.#saved.offset;
    this.scanned = this.#saved.offset;
    this.nextLease = nextLease;
    this.generationFirst = this.#saved.generationFirst;
    this.generationOffset = this.#saved.generationOffset;
    this.ownerFirst = nextLease;
  }

  /** `done`: positions after that one that are done all the same. */
  seek(position: number, done: ReadonlySet<number> = new Set()): void {
    for (const entry of this.entries) {
      const after = entry.event.position > position && !done.has(entry.event.position);
      this.#forget(entry);
      entry.parked = entry.parked && !after;
      entry.replay = entry.replay && !after;
      if (entry.replay) entry.place = 'returned';
      entry.failed = entry.parked || entry.replay;
      entry.done = !after && !entry.failed;
      if (!entry.failed) Object.assign(entry, { attempts: 0, losses: 0, notBefore: 0, failedLease: 0 });
    }
    this.held.clear();
    this.#parkedHere.clear();
    for (const member of this.members.values()) member.answered = 0;
    this.start = position;
    this.scanned = position;
    this.generationFirst = this.nextLease;
    this.generationOffset = position;
    this.ownerFirst = this.nextLease;
  }

  #forget(entry: Entry): void {
    entry.place = 'away';
    entry.member = undefined;
    entry.seen = false;
    entry.history = [];
    entry.blurredUpTo = 0;
    entry.clockStart = undefined;
    entry.extendedUntil = 0;
  }

  #snapshot(offset: number): Saved {
    const entries = this.entries.map((entry) => {
      const { done, parked, replay, attempts, losses, notBefore, failedLease, failed } = entry;
      const saved = { done, parked, replay, attempts, losses, notBefore, failedLease, failed };
      return [entry.event.position, saved] as const;
    });
    const { generationFirst, generationOffset } = this;
    return { offset, generationFirst, generationOffset, entries: new Map(entries) };
  }
}
