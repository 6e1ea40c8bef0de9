// Runs random operations on a delivery window and on the naive model side by side, and compares them after each.

import { expect } from 'vitest';
import type {
  AckStatus,
  Answer,
  FailureRecord,
  Leave,
  MemberCredit,
  Rejection,
  StreamReread,
  WindowChanges,
  WindowLimits,
} from '../../src/domain/consumers/delivery-types.js';
import { DeliveryWindow } from '../../src/domain/consumers/delivery-window.js';
import { decodeRanges } from '../../src/domain/consumers/position-ranges.js';
import { answerOf, CONSUMER_ID } from '../support/consumers/delivery.js';
import { DeliveryModel, type Entry, type ModelEvent } from './delivery-model.js';

export interface Scenario {
  readonly settings: ConstructorParameters<typeof DeliveryModel>[0];
  readonly limits: Partial<WindowLimits>;
  /** Matching events; the head lies one position behind the last. */
  readonly events: readonly ModelEvent[];
}

/** One random step; what the numbers mean depends on the kind. */
export interface Operation {
  readonly kind: (typeof OPERATIONS)[number];
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export const OPERATIONS = [
  'addMember',
  'removeMember',
  'setCredit',
  'scan',
  'redeliver',
  'reread',
  'rereadLate',
  'ack',
  'ackUpTo',
  'reject',
  'extend',
  'extendAll',
  'tick',
  'expireEvent',
  'seek',
  'keepPlace',
  'restorePlace',
  'save',
  'loseSave',
  'restart',
  'replay',
  'discard',
  'pause',
  'resume',
] as const;

const MOVING: ReadonlySet<Operation['kind']> = new Set(['seek', 'restorePlace', 'restart']);
const NAMES = ['ada', 'bob', 'cyd'];
const UNLIMITED_BYTES = 1_000_000;
const BYTES = [UNLIMITED_BYTES, UNLIMITED_BYTES, 100, 250, 600];

interface LateReread {
  readonly reread: StreamReread;
  readonly page: readonly ModelEvent[];
  readonly to: number;
}

export class DeliveryHarness {
  readonly #scenario: Scenario;
  readonly model: DeliveryModel;
  window: DeliveryWindow;
  readonly head: number;
  now = 1_000;
  #late: LateReread[] = [];
  /** A place to go back to: the offset, and what is done above it. */
  #place: Pick<WindowChanges, 'offset' | 'acked'> = { offset: 0, acked: new Uint8Array(0) };
  // What a database would have.
  #stored = {
    ...{ consumerId: CONSUMER_ID, offset: 0, acked: new Uint8Array(0) as Uint8Array },
    ...{ generation: 1, generationFirstLease: 1, generationOffset: 0 },
  };
  readonly #storedFailures = new Map<number, FailureRecord>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.model = new DeliveryModel(scenario.settings, scenario.events, scenario.limits.maxParked ?? 100_000);
    this.head = (scenario.events.at(-1)?.position ?? 0) + 1;
    this.window = this.#open(1, 1);
  }

  run(operation: Operation): void {
    const former = this.window.offset;
    this[operation.kind](operation.a, operation.b, operation.c);
    this.#compare();
    if (!MOVING.has(operation.kind)) {
      expect(this.window.offset, 'the offset never falls').toBeGreaterThanOrEqual(former);
    }
  }

  // --- members

  addMember(a: number, b: number, c: number): void {
    this.#join(pick(NAMES, a), { maxInFlight: 1 + (b % 5), maxInFlightBytes: pick(BYTES, c) });
  }

  #join(name: string, credit: MemberCredit): void {
    if (this.model.members.has(name)) this.#leave(name, { lost: false });
    this.model.members.set(name, { name, ...credit, answered: 0 });
    this.window.members.add(name, credit);
  }

  removeMember(a: number, b: number): void {
    this.#leave(pick(NAMES, a), pick([{ lost: true }, { lost: false }, { lost: false, sentAway: true }], b));
  }

  #leave(name: string, how: Leave): void {
    const expected = this.model.removeMember(name, how, this.now);
    expect(this.window.members.remove(name, how, this.now)).toBe(expected);
  }

  setCredit(a: number, b: number, c: number): void {
    const name = pick(NAMES, a);
    const member = this.model.members.get(name);
    if (member === undefined) return;
    const credit = { maxInFlight: b % 6, maxInFlightBytes: pick(BYTES, c) };
    this.model.members.set(name, Object.assign(member, credit));
    this.window.members.setCredit(name, credit);
  }

  // --- delivering

  scan(a: number): void {
    const limit = 1 + (a % 12);
    const page = this.#read(this.window.scan.position + 1, this.head, () => true).slice(0, limit);
    for (const event of page) {
      if (!this.#offer(event)) return;
    }
    this.#scannedTo(page.length < limit ? this.head : (page.at(-1)?.position ?? 0));
  }

  /** False if the scan has to stop. */
  #offer(event: ModelEvent): boolean {
    const { model, window } = this;
    const entry = model.at(event.position) as Entry;
    const predicted = model.predictOffer(entry, this.now);
    const result = window.scan.offer(event, this.now);
    if (result.kind === 'blocked') {
      this.#checkBlocked(result.by);
      return false;
    }
    if (this.#bytesDoNotMatter()) {
      expect(result.kind, `offer of ${event.position}`).toBe(predicted.kind);
      if (result.kind === 'delivered') expect(predicted.members).toContain(result.member);
    }
    if (result.kind === 'no-credit') return false;
    model.scanned = event.position;
    if (result.kind === 'delivered') model.delivered(result, this.now);
    else model.passed(entry, this.now);
    return true;
  }

  #bytesDoNotMatter(): boolean {
    return [...this.model.members.values()].every((member) => member.maxInFlightBytes === UNLIMITED_BYTES);
  }

  #checkBlocked(by: number): void {
    const { maxAckedRanges = 10_000, maxAckedAhead = 100_000 } = this.#scenario.limits;
    const ahead = this.model.entries.filter((entry) => !entry.open && entry.event.position > this.window.offset);
    expect(ahead.length).toBeGreaterThanOrEqual(Math.min(maxAckedRanges, maxAckedAhead));
    expect(by).toBeGreaterThan(this.window.offset);
    expect(by).toBeLessThanOrEqual(this.model.scanned);
  }

  #scannedTo(position: number): void {
    this.window.scan.passedTo(position);
    this.model.scanned = Math.max(this.model.scanned, position);
  }

  /** Returns how many positions the window named. */
  redeliver(a: number): number {
    const { model, window } = this;
    const positions = window.redeliveries.next(this.now, 1 + (a % 8));
    expect(positions.length).toBeLessThanOrEqual(1 + (a % 8));
    expect(positions).toEqual([...positions].sort((x, y) => x - y));
    positions.forEach((position, index) => {
      const entry = model.at(position) as Entry;
      expect(entry.place, `${position} is named`).toBe('returned');
      if (entry.expired) {
        window.redeliveries.gone(position);
        model.finish(entry, this.now);
        return;
      }
      const result = window.redeliveries.offer(entry.event, this.now);
      if (result.kind === 'delivered') model.delivered(result, this.now);
      // Of a replay that was restored the size is not known before it was read.
      else expect(index === 0 && !entry.replay, `${position} comes first and was ${result.kind}`).toBe(false);
    });
    return positions.length;
  }

  /** Returns how many streams the window named. */
  reread(a: number, b: number): number {
    const rereads = this.window.rereads.next(1 + (a % 4));
    for (const reread of rereads) this.#offerHeld(this.#readStream(reread, b));
    return rereads.length;
  }

  /** Reads now, and offers what was read some operations later, or what was read some operations ago. */
  rereadLate(a: number, b: number, c: number): void {
    if (c % 2 === 0) {
      const rereads = this.window.rereads.next(1 + (a % 4));
      this.#late = [...this.#late, ...rereads.map((reread) => this.#readStream(reread, b))].slice(-4);
    } else {
      for (const late of this.#late) this.#offerHeld(late);
      this.#late = [];
    }
  }

  #readStream(reread: StreamReread, b: number): LateReread {
    expect(reread.room).toBeGreaterThan(0);
    const limit = 1 + (b % 6);
    const events = this.#read(reread.from, this.head, (event) => event.stream === reread.stream);
    const page = events.slice(0, limit);
    return { reread, page, to: page.length < limit ? this.head : (page.at(-1)?.position ?? 0) };
  }

  #offerHeld({ reread, page, to }: LateReread): void {
    const { model, window } = this;
    const isOld = reread.era !== window.era;
    for (const event of page) {
      const result = window.rereads.offer(reread, event, this.now);
      if (isOld) expect(result.kind).toBe('done');
      if (result.kind === 'delivered') model.delivered(result, this.now);
      if (result.kind === 'held' || result.kind === 'no-credit') {
        model.reread(reread.stream, reread.from, event.position - 1, this.now);
        model.stoppedAt(model.at(event.position) as Entry, this.now);
        // After a refusal this must do nothing.
        window.rereads.passedTo(reread, Math.min(to, window.scan.position));
        return;
      }
    }
    const heldBefore = window.report.stats().heldStreams;
    window.rereads.passedTo(reread, Math.min(to, window.scan.position));
    if (isOld) return;
    // A later refusal makes what was read before it worthless; the window then stays where it is.
    const cleared = window.report.stats().heldStreams < heldBefore;
    if (cleared || Math.min(to, window.scan.position) < window.scan.position) {
      model.reread(
        reread.stream,
        reread.from,
        Math.min(to, cleared ? window.scan.position : window.scan.position - 1),
        this.now,
      );
    }
  }

  #read(from: number, to: number, wanted: (event: ModelEvent) => boolean): ModelEvent[] {
    return this.model.entries
      .filter((entry) => !entry.expired && entry.event.position >= from && entry.event.position <= to)
      .map((entry) => entry.event)
      .filter(wanted);
  }

  // --- answers

  ack(a: number, b: number, c: number): void {
    const entries = this.#pickEntries(a, b);
    const answers = entries.map((entry, index) => this.#answer(entry, c + index));
    const statuses = this.window.answers.ack(answers, this.now);
    entries.forEach((entry, index) => {
      const answer = answers[index] as Answer;
      const status = statuses[index];
      expect(this.#statuses(entry, answer), `ack of ${answer.position} with ${answer.lease}`).toContain(status);
      if (status !== 'ACCEPTED') return;
      this.model.answered(entry, this.now);
      this.model.finish(entry, this.now);
    });
  }

  ackUpTo(a: number, b: number): void {
    const upTo = a % (this.head + 1);
    const member = b % 2 === 0 ? undefined : pick(NAMES, b >> 1);
    const entries = this.model.inFlight.filter(
      (entry) => entry.event.position <= upTo && (member === undefined || entry.member?.name === member),
    );
    const positions = this.window.answers.ackUpTo(upTo, member, this.now);
    expect([...positions].sort((x, y) => x - y)).toEqual(entries.map((entry) => entry.event.position));
    for (const entry of entries) {
      this.model.answered(entry, this.now);
      this.model.finish(entry, this.now);
    }
  }

  reject(a: number, b: number, c: number): void {
    const rejection = this.#rejection(b);
    const entries = this.#pickEntries(a, b >> 4);
    const answers = entries.map((entry, index) => this.#answer(entry, c + index));
    if (rejection.action === 'PARK' && !this.window.answers.mayPark(answers)) {
      expect(entries.length, 'there is no room for all of them').toBeGreaterThan(this.model.roomToPark);
      return;
    }
    const statuses = this.window.answers.reject(answers, rejection, this.now);
    entries.forEach((entry, index) => {
      const answer = answers[index] as Answer;
      const status = statuses[index];
      const hasFailed = rejection.action === 'RETRY' && this.model.failedBefore(entry, answer.lease);
      const allowed = entry.parked || hasFailed ? this.#notAccepted(entry, answer) : this.#statuses(entry, answer);
      expect(allowed, `reject of ${answer.position} with ${answer.lease}`).toContain(status);
      if (status !== 'ACCEPTED') return;
      this.model.answered(entry, this.now);
      this.model.rejected(entry, rejection, answer.lease, this.now);
    });
  }

  /** Of a parked event only a late acknowledgement counts; of a delivery that failed no second retry, once there is another one. */
  #notAccepted(entry: Entry, answer: Answer): readonly string[] {
    return this.#statuses(entry, answer).map((status) => (status === 'ACCEPTED' ? 'ALREADY' : status));
  }

  extend(a: number, b: number, c: number): void {
    const ms = 1 + (b % pick([3_000, 30_000], b));
    for (const entry of this.#pickEntries(a, 0)) {
      const answer = this.#answer(entry, c);
      const [status] = this.window.answers.extend([answer], ms, this.now);
      const allowed = entry.parked ? this.#notAccepted(entry, answer) : this.#statuses(entry, answer);
      expect(allowed, `extend of ${answer.position} with ${answer.lease}`).toContain(status);
      if (status !== 'ACCEPTED' || entry.place !== 'in flight') continue;
      this.model.answered(entry, this.now);
      this.model.extend(entry, ms, this.now);
    }
  }

  extendAll(a: number, b: number): void {
    const ms = 1 + (a % 3_000);
    const name = b % 2 === 0 ? undefined : pick(NAMES, b >> 1);
    const entries = this.model.inFlight.filter((entry) => name === undefined || entry.member?.name === name);
    expect(this.window.answers.extendAll(name, ms, this.now)).toBe(entries.length);
    for (const entry of entries) {
      this.model.answered(entry, this.now);
      this.model.extend(entry, ms, this.now);
    }
  }

  /** The statuses that the rules allow. */
  #statuses(entry: Entry, answer: Answer): readonly AckStatus[] {
    const genuine = answerOf(answer.position, answer.lease).leaseCheck === answer.leaseCheck;
    return genuine ? this.model.statuses(entry, answer.lease) : ['UNKNOWN'];
  }

  #rejection(b: number): Rejection {
    const action = pick(['RETRY', 'RETRY', 'RETRY', 'PARK', 'SKIP'] as const, b);
    const cause = { code: 'NO', reason: 'could not' };
    return action === 'RETRY'
      ? { action, cause, delayMs: pick([0, 300, 2_000, undefined], b >> 2) }
      : { action, cause };
  }

  /** Mostly some that are open to answers, else any. */
  #pickEntries(a: number, b: number): Entry[] {
    const known = this.model.entries.filter((entry) => entry.place !== 'away' || entry.parked);
    // When the window learns that an event is gone is its own affair, as long as nobody has it.
    const any = this.model.entries.filter((entry) => !entry.expired || entry.place !== 'away');
    const from = a % 4 === 0 || known.length === 0 ? any : known;
    const first = (a >> 2) % Math.max(1, from.length);
    return from.slice(first, first + 1 + (b % 4));
  }

  /** Mostly the current lease; sometimes an older one, one of before, one of another event, or none. */
  #answer(entry: Entry, c: number): Answer {
    const { model } = this;
    const former = entry.history[(c >> 4) % Math.max(1, entry.history.length)]?.lease ?? 0;
    // A number that was never given out for the event is known as such, whatever became of the event.
    const mistyped = (c >> 8) % 16 === 0;
    const choices = [
      entry.lease,
      entry.lease,
      entry.lease,
      former,
      former,
      0,
      model.ownerFirst - 1,
      model.generationFirst - 1,
      1 + ((c >> 4) % (model.nextLease + 1)),
    ];
    const answer = answerOf(entry.event.position, Math.max(0, pick(choices, c)));
    return mistyped ? { ...answer, leaseCheck: answer.leaseCheck ^ (1 + (c % 1_000)) } : answer;
  }

  // --- time

  tick(a: number): void {
    this.#tickTo(this.now + (a % 1_500));
  }

  #tickTo(now: number): void {
    this.now = now;
    const expired = this.window.redeliveries.expire(this.now);
    const expected = this.model.expire(this.now, expired);
    expect(expired.map((expiry) => expiry.position).sort((x, y) => x - y)).toEqual(expected);
    const wake = this.window.redeliveries.nextWakeAt();
    const next = this.model.nextEvent(this.now);
    expect(wake ?? Number.POSITIVE_INFINITY, 'wakes in time').toBeLessThanOrEqual(next);
    if (wake !== undefined) expect(wake, 'does not spin').toBeGreaterThan(this.now);
  }

  /** Retention deletes an event. */
  expireEvent(a: number): void {
    const entry = pick(this.model.entries, a);
    entry.expired = true;
  }

  // --- the consumer's changes

  seek(a: number): void {
    const position = a % (this.head + 1);
    this.model.seek(position);
    this.window.seek(position, this.window.generation + 1);
    this.save();
  }

  keepPlace(): void {
    this.#place = this.window.unsaved.take();
  }

  /** Goes back, or forward, to the place that was kept. */
  restorePlace(): void {
    const { offset, acked } = this.#place;
    const { entries } = this.model;
    const ranges = decodeRanges(acked);
    const isDone = ({ event }: Entry) =>
      ranges.some(([first, last]) => first <= event.position && event.position <= last);
    this.model.seek(offset, new Set(entries.filter(isDone).map(({ event }) => event.position)));
    this.window.seek(offset, this.window.generation + 1, acked);
    this.save();
  }

  /** Some of what is in flight was not handed out yet. */
  pause(a: number): void {
    const unsent = this.model.inFlight.filter((_, index) => (a >> index) % 2 === 0);
    this.model.pause(unsent);
    this.window.members.pause(
      unsent.map((entry) => ({ position: entry.event.position, lease: entry.lease })),
      this.now,
    );
  }

  resume(): void {
    this.model.paused = false;
    this.window.members.resume();
  }

  replay(a: number): void {
    const entry = this.#listedOrAny(a);
    expect(this.window.parked.replay(entry.event.position)).toBe(entry.parked || entry.replay);
    if (entry.parked) this.model.replayParked(entry);
  }

  discard(a: number): void {
    const entry = this.#listedOrAny(a);
    const wasListed = entry.parked || entry.replay;
    expect(this.window.parked.discard(entry.event.position)).toBe(wasListed);
    if (wasListed) this.model.finish(entry, this.now);
  }

  #listedOrAny(a: number): Entry {
    const listed = this.model.entries.filter((entry) => entry.parked || entry.replay);
    return pick(listed.length > 0 ? listed : this.model.entries, a);
  }

  // --- storage

  save(): void {
    const changes = this.window.unsaved.take();
    this.#store(changes);
    this.window.unsaved.confirm(changes);
    expect(this.window.unsaved.any).toBe(false);
    this.model.save(this.window.offset);
  }

  /** The write happened, and nobody was told. */
  loseSave(): void {
    this.#store(this.window.unsaved.take());
    this.model.save(this.window.offset);
  }

  #store(changes: WindowChanges): void {
    const { offset, acked, generation, generationFirstLease, generationOffset } = changes;
    const given = { offset, acked, generation, generationFirstLease };
    this.#stored = { ...this.#stored, ...given, ...(generationOffset !== undefined && { generationOffset }) };
    writeFailures(this.#storedFailures, changes);
  }

  restart(a: number, b: number, c: number): void {
    const credits = [...this.model.members];
    const nextLease = this.window.leases.next + (a % 5);
    this.model.restart(nextLease);
    this.window = this.#open(nextLease, nextLease);
    // What a former owner read is not offered to the next.
    this.#late = [];
    if (c % 2 === 0) for (const [name, credit] of credits) this.#join(name, credit);
    else this.addMember(a, b, c >> 1);
  }

  #open(nextLease: number, ownerFirstLease: number): DeliveryWindow {
    const { settings, limits } = this.#scenario;
    const failures = [...this.#storedFailures.values()];
    const state = { ...this.#stored, failures, nextLease, ownerFirstLease, paused: this.model.paused };
    return new DeliveryWindow({ settings, limits, state, random: () => 0 });
  }

  // --- comparing

  #compare(): void {
    const { model, window } = this;
    // An offer alone leaves the offset where it is.
    window.scan.passedTo(window.scan.position);
    const stats = window.report.stats();
    expect(window.report.condition(this.head, this.now).activity === 'PAUSED', 'says that it is paused').toBe(
      model.paused,
    );
    expect(stats.inFlight, 'in flight').toBe(model.inFlight.length);
    expect(stats.waiting, 'waiting').toBe(model.entries.filter((entry) => entry.place === 'returned').length);
    expect(stats.parked, 'parked').toBe(model.entries.filter((entry) => entry.parked).length);
    expect(model.roomToPark, 'no more is parked than may be').toBeGreaterThanOrEqual(0);
    expect(stats.heldStreams, 'held streams').toBe(model.held.size);
    const oldest = model.entries.find((entry) => entry.place !== 'away' && !entry.replay)?.event.position ?? 0;
    expect(stats.oldestUnacknowledged, 'oldest unacknowledged').toBe(oldest);
    expect(window.scan.position, 'scanned').toBe(model.scanned);
    expect(window.offset, 'the offset passes nothing open').toBeLessThanOrEqual(model.offset(true));
    if (model.held.size === 0) expect(window.offset, 'the offset').toBe(model.offset(false));
    this.#compareFailures();
    for (const entry of model.inFlight) {
      expect(window.members.inFlightAt(entry.event.position)).toMatchObject({
        lease: entry.lease,
        member: entry.member?.name,
        deadlineMs: entry.clockStart === undefined ? undefined : model.deadline(entry),
      });
    }
    for (const use of window.members.uses()) {
      const held = model.inFlight.filter((entry) => entry.member?.name === use.name);
      expect(use.inFlight).toBe(held.length);
      expect(use.inFlightBytes).toBe(held.reduce((sum, entry) => sum + entry.event.bytes, 0));
    }
  }

  /** What would be stored now, but for events that are gone: when the window learns of them is its own affair. */
  #compareFailures(): void {
    const failures = new Map(this.#storedFailures);
    writeFailures(failures, this.window.unsaved.take());
    const isThere = (failure: { readonly position: number }) => this.model.at(failure.position)?.expired === false;
    const facts = [...failures.values()].filter(isThere).map(({ cause: _, parkedAtMs: __, ...failure }) => failure);
    expect(facts.sort((x, y) => x.position - y.position)).toEqual(this.model.failures().filter(isThere));
  }

  // --- the end

  /** Members behave from now on: everything has to be delivered and acknowledged, driven as the window's docstring says. */
  drain(a: number): void {
    this.resume();
    for (const name of NAMES) this.#leave(name, { lost: false });
    this.#join('good', { maxInFlight: 1 + (a % 4), maxInFlightBytes: pick(BYTES, a >> 2) });
    if (a % 3 === 0) this.#join('better', { maxInFlight: 2, maxInFlightBytes: UNLIMITED_BYTES });
    const { window } = this;
    for (let round = 0; round < 2_000; round++) {
      this.#tickTo(this.now);
      const named = this.redeliver(255) + this.reread(255, 255);
      const scanned = window.scan.position;
      this.scan(11);
      const inFlight = this.model.inFlight.slice(0, 1 + (round % 3));
      this.#ackAll(inFlight);
      const { waiting } = window.report.stats();
      if (window.offset === this.head && waiting === 0 && inFlight.length === 0) return;
      if (named > 0 || window.scan.position > scanned || inFlight.length > 0) continue;
      const wake = window.redeliveries.nextWakeAt();
      expect(
        wake,
        `stuck at ${JSON.stringify({ ...window.report.stats(), offset: window.offset, scanned })}`,
      ).toBeDefined();
      this.#tickTo(wake as number);
    }
    throw new Error(
      `not drained: ${JSON.stringify({ ...window.report.stats(), offset: window.offset, scanned: window.scan.position })}`,
    );
  }

  #ackAll(entries: readonly Entry[]): void {
    const answers = entries.map((entry) => answerOf(entry.event.position, entry.lease));
    expect(this.window.answers.ack(answers, this.now)).toEqual(answers.map(() => 'ACCEPTED'));
    for (const entry of entries) {
      this.model.answered(entry, this.now);
      this.model.finish(entry, this.now);
    }
    this.#compare();
  }
}

function writeFailures(to: Map<number, FailureRecord>, changes: WindowChanges): void {
  for (const failure of changes.failures) to.set(failure.position, failure);
  for (const position of changes.failuresOver) to.delete(position);
}

function pick<T>(from: readonly T[], index: number): T {
  return from[index % from.length] as T;
}
