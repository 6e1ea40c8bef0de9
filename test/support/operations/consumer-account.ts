// One consumer's record in the order in which the server leased, with what can be known for certain of a moment, and what may have
// been: what a client sees of an answer lies somewhere between its question and its end.

import type { Millis, Position } from '../../../src/units.js';
import type {
  AnswerOperation,
  AnswerStatus,
  ConsumerRecord,
  GenerationStart,
  JudgedSettings,
  LoggedEvent,
  MemberCall,
  Moment,
  OperationLog,
  SeenDelivery,
  Span,
} from './operation-log.js';

/** From the first to the last, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** The time between two changes of a consumer. */
export interface Phase {
  readonly settings: JudgedSettings;
  /** Counts from 0. */
  readonly generation: number;
  /** Where its generation began: between the two. */
  readonly start: GenerationStart;
  /** The change that began it. */
  readonly change: Span;
}

export interface JudgedDelivery extends SeenDelivery {
  readonly position: Position;
  /** It was leased after this moment, and before `at`. */
  readonly since: Moment;
  /** The phases in which it may have been leased. */
  readonly phases: Range;
  /** Who held it: a stream of frames, or all calls of Fetch of one member. */
  readonly holder: string;
}

/** An answer to one event. */
export interface JudgedAnswer extends Span {
  readonly kind: AnswerOperation['kind'];
  readonly lease: bigint;
  readonly status: AnswerStatus | undefined;
  /** The generations in which it may have had its effect. */
  readonly generations: Range;
}

export class ConsumerAccount {
  readonly record: ConsumerRecord;
  readonly log: OperationLog;
  readonly phases: readonly Phase[];
  /** In the order in which they were leased: leases rise. */
  readonly deliveries: readonly JudgedDelivery[];
  readonly #stored: readonly LoggedEvent[];
  readonly #byLease = new Map<bigint, JudgedDelivery>();
  readonly #byPosition = new Map<Position, JudgedDelivery[]>();
  readonly #byStream = new Map<string, JudgedDelivery[]>();
  readonly #answers = new Map<Position, JudgedAnswer[]>();
  readonly #upTo: (Span & { readonly upTo: Position; readonly generations: Range })[] = [];
  readonly #pushed: ReadonlyMap<string, Moment>;
  readonly #messageIds: ReadonlyMap<Position, string>;
  readonly #due = new Map<Phase, readonly LoggedEvent[]>();
  readonly #dueByStream = new Map<Phase, ReadonlyMap<string, readonly LoggedEvent[]>>();

  constructor(record: ConsumerRecord, log: OperationLog, stored: readonly LoggedEvent[]) {
    this.record = record;
    this.log = log;
    this.phases = phasesOf(record);
    this.#stored = stored;
    this.#pushed = new Map(log.pushes.map(({ event, began }) => [event.messageId, began]));
    this.#messageIds = new Map(stored.map(({ position, messageId }) => [position, messageId]));
    this.deliveries = this.#judge();
    for (const delivery of this.deliveries) {
      if (!this.#byLease.has(delivery.lease)) this.#byLease.set(delivery.lease, delivery);
      append(this.#byPosition, delivery.position, delivery);
      append(this.#byStream, streamOf(delivery.event), delivery);
    }
    for (const answer of record.answers) this.#take(answer);
  }

  /** The shortest time after which an event may have been given up as unanswered. */
  get ackTimeoutMs(): Millis {
    return Math.min(...this.phases.map(({ settings }) => settings.ackTimeoutMs));
  }

  /** Milliseconds from one moment to another. */
  between(from: Moment, to: Moment): Millis {
    return this.timeOf(to) - this.timeOf(from);
  }

  /** When a moment was; of one that never came, when the history ended. */
  timeOf(moment: Moment): Millis {
    return this.log.times[moment] ?? this.log.times.at(-1) ?? 0;
  }

  /** The moment before which the event was not there. */
  pushedAt(messageId: string): Moment {
    return this.#pushed.get(messageId) ?? 0;
  }

  phase(index: number): Phase {
    return this.phases[index] as Phase;
  }

  /** The phase, at or before this one, that began with nothing in flight: by a new generation, or another ordering. */
  beganAnew(index: number): number {
    const isAnew = ({ generation, settings }: Phase, at: number) => {
      const before = this.phases[at - 1];
      return generation !== before?.generation || settings.ordering !== before.settings.ordering;
    };
    return Math.max(0, this.phases.slice(0, index + 1).findLastIndex(isAnew));
  }

  /** Events that the consumer is to get in a phase, wherever it began. */
  due(phase: Phase): readonly LoggedEvent[] {
    const known = this.#due.get(phase) ?? this.#stored.filter((event) => phase.settings.matches(event));
    this.#due.set(phase, known);
    return known;
  }

  /** The same of one stream. */
  dueOfStream(phase: Phase, event: LoggedEvent): readonly LoggedEvent[] {
    let known = this.#dueByStream.get(phase);
    if (known === undefined) {
      const streams = new Map<string, LoggedEvent[]>();
      for (const one of this.due(phase)) append(streams, streamOf(one), one);
      known = streams;
      this.#dueByStream.set(phase, known);
    }
    return known.get(streamOf(event)) ?? [];
  }

  leased(lease: bigint): JudgedDelivery | undefined {
    return this.#byLease.get(lease);
  }

  deliveriesAt(position: Position): readonly JudgedDelivery[] {
    return this.#byPosition.get(position) ?? [];
  }

  answersAt(position: Position): readonly JudgedAnswer[] {
    return this.#answers.get(position) ?? [];
  }

  /** The phases in which something that was asked for then may have had its effect. */
  phasesOf({ began, ended }: Span): Range {
    return {
      first: Math.max(
        0,
        this.phases.findLastIndex(({ change }) => change.ended < began),
      ),
      last: Math.max(
        0,
        this.phases.findLastIndex(({ change }) => change.began < ended),
      ),
    };
  }

  generationsOf({ first, last }: Range): Range {
    return { first: this.phase(first).generation, last: this.phase(last).generation };
  }

  /** Whether an answer may have ended the event in that generation before a moment. */
  possiblyDone(position: Position, generation: number, before: Moment, answers = this.answersAt(position)): boolean {
    return (
      answers.some((answer) => answer.began < before && mayEnd(answer, generation)) ||
      this.#upTo.some((one) => one.began < before && one.upTo >= position && isIn(generation, one.generations)) ||
      this.mayBeUsedUp(position, generation, before) ||
      this.#mayBeKept(position, generation)
    );
  }

  /** Whether the generation may have begun with the event done, as it was before. */
  #mayBeKept(position: Position, generation: number): boolean {
    const { keptBefore } = this.phases.find((phase) => phase.generation === generation)?.start ?? {};
    if (keptBefore === undefined) return false;
    return Array.from({ length: generation }).some((_, former) => this.possiblyDone(position, former, keptBefore));
  }

  /** Whether the event may have failed so often in that generation that it was parked. */
  mayBeUsedUp(position: Position, generation: number, before: Moment): boolean {
    const phases = this.phases.filter((phase) => phase.generation === generation);
    const maxAttempts = Math.min(...phases.map(({ settings }) => settings.maxAttempts));
    const members = this.record.calls.filter(({ kind, began }) => kind === 'subscribe' && began < before).length;
    if (members >= maxAttempts) return true;
    const { timeouts, rejections } = this.failuresOf(position, generation, before);
    return timeouts + rejections >= maxAttempts;
  }

  /** Whether the event may have been parked in that generation before a moment. */
  mayBeParked(position: Position, generation: number, before: Moment): boolean {
    const asked = this.answersAt(position).some(({ kind, status }) => kind === 'park' && status !== 'STALE');
    return asked || this.mayBeUsedUp(position, generation, before);
  }

  /** How often an event may have failed at most. */
  failuresOf(position: Position, generation: number, before: Moment): { timeouts: number; rejections: number } {
    const rejections = this.answersAt(position).filter(({ kind, began }) => kind === 'retry' && began < before).length;
    const messageId = this.#messageIds.get(position) ?? '';
    const generationBegan = this.phases.find((phase) => phase.generation === generation)?.change.began ?? 0;
    const began = Math.max(generationBegan, this.pushedAt(messageId));
    return { rejections, timeouts: Math.floor(this.between(began, before) / this.ackTimeoutMs) };
  }

  /** Whether the event certainly had been parked in that generation before a moment. */
  surelyParked(position: Position, generation: number, before: Moment): boolean {
    return this.answersAt(position).some(
      ({ kind, status, generations, ended }) =>
        kind === 'park' && status === 'ACCEPTED' && isOnly(generation, generations) && ended < before,
    );
  }

  /** Whether the event certainly had been acknowledged or skipped in that generation before a moment. */
  surelyDone(position: Position, generation: number, before: Moment): boolean {
    return this.answersAt(position).some(
      ({ kind, status, generations, ended }) =>
        (kind === 'acknowledge' || kind === 'skip') &&
        status === 'ACCEPTED' &&
        isOnly(generation, generations) &&
        ended < before,
    );
  }

  /**
   * Whether a member certainly still held the delivery at a moment, unless the server gave it up against the rules; whatever the
   * answer `besides` that one did.
   */
  surelyHeld(delivery: JudgedDelivery, at: Moment, besides?: Span): boolean {
    const { position, since, phases, call } = delivery;
    if (delivery.at >= at || phases.first !== phases.last) return false;
    // What was fetched stays leased to the member when the call is over.
    if (call.kind === 'subscribe' && (call.ended <= at || this.#mayBeReplaced(call, at))) return false;
    const { generation, change } = this.phase(phases.first);
    if (this.phases.some((phase) => phase.change !== change && phase.change.began < at && phase.change.ended > since))
      return false;
    if (this.mayHaveChangedHands(since, at)) return false;
    const answers = this.answersAt(position).filter(({ began }) => began !== besides?.began);
    if (this.possiblyDone(position, generation, at, answers)) return false;
    return this.#unitOf(delivery).every(
      (other) =>
        !this.#rejected(other.position, at) &&
        (this.between(other.since, at) < this.ackTimeoutMs || this.surelyDone(other.position, generation, since)),
    );
  }

  /** Whether the consumer may have got another owner, who knows nothing of what is leased. */
  mayHaveChangedHands(from: Moment, to: Moment): boolean {
    return this.log.troubles.some(({ began, ended }) => began < to && ended > from);
  }

  // --- inside

  #judge(): JudgedDelivery[] {
    const sorted = [...this.record.deliveries].sort((a, b) => (a.lease < b.lease ? -1 : a.lease > b.lease ? 1 : 0));
    let since = 0;
    const judged = sorted.map((delivery) => {
      const { call, event, at } = delivery;
      // A call of Fetch may be given what was leased for a former one whose answer was lost.
      since = Math.max(since, call.kind === 'fetch' ? 0 : call.began, this.pushedAt(event.messageId));
      const holder = call.kind === 'fetch' ? `fetch ${call.member}` : `subscribe ${call.began}`;
      const phases = this.phasesOf({ began: since, ended: at });
      return { ...delivery, position: event.position, since, phases, holder };
    });
    let last = Number.POSITIVE_INFINITY;
    for (let index = judged.length - 1; index >= 0; index -= 1) {
      const delivery = judged[index] as JudgedDelivery & { phases: Range };
      last = Math.min(last, delivery.phases.last);
      delivery.phases = { first: Math.min(delivery.phases.first, last), last };
    }
    return judged;
  }

  #take(answer: AnswerOperation): void {
    const { kind, began, ended } = answer;
    const generations = this.generationsOf(this.phasesOf(answer));
    if (answer.upTo !== undefined && answer.passed !== 0)
      this.#upTo.push({ began, ended, upTo: answer.upTo, generations });
    for (const { position, lease, status } of answer.items) {
      const judged = { kind, began, ended, lease, status, generations: this.#effective(lease, position, generations) };
      if (judged.generations !== undefined) append(this.#answers, position, judged as JudgedAnswer);
    }
  }

  /** The generations in which an answer can have had an effect: those of its lease. */
  #effective(lease: bigint, position: Position, generations: Range): Range | undefined {
    if (lease === 0n) return generations;
    const delivery = this.#byLease.get(lease);
    if (delivery === undefined || delivery.position !== position) return undefined;
    const own = this.generationsOf(delivery.phases);
    const first = Math.max(own.first, generations.first);
    const last = Math.min(own.last, generations.last);
    return first <= last ? { first, last } : undefined;
  }

  /** What returns together with the delivery: itself, and what was leased before it of its stream. */
  #unitOf(delivery: JudgedDelivery): readonly JudgedDelivery[] {
    const { event, lease, position, holder } = delivery;
    if (event.stream === '') return [delivery];
    const stream = this.#byStream.get(streamOf(event)) ?? [];
    return stream.filter((other) => other.lease <= lease && other.position <= position && other.holder === holder);
  }

  /** Whether another one of the same name may have come. */
  #mayBeReplaced(call: MemberCall, before: Moment): boolean {
    return this.record.calls.some((other) => {
      return other !== call && other.member === call.member && other.began < before && other.over > call.began;
    });
  }

  #rejected(position: Position, before: Moment): boolean {
    return this.answersAt(position).some(({ kind, began }) => kind === 'retry' && began < before);
  }
}

function phasesOf({ changes }: ConsumerRecord): Phase[] {
  let generation = -1;
  let start: GenerationStart = { least: 0, most: 0 };
  return changes.map((change) => {
    if (change.start !== undefined) {
      generation += 1;
      start = change.start;
    }
    return { settings: change.settings, generation, start, change };
  });
}

export function streamOf({ context, stream }: { readonly context: string; readonly stream: string }): string {
  return `${context}\n${stream}`;
}

/** Whether the answer may have ended its event in that generation. */
function mayEnd({ kind, status, generations }: JudgedAnswer, generation: number): boolean {
  const ends = kind === 'acknowledge' || kind === 'skip' || kind === 'park';
  return (
    ends && (status === undefined || status === 'ACCEPTED' || status === 'ALREADY') && isIn(generation, generations)
  );
}

export function isIn(value: number, { first, last }: Range): boolean {
  return first <= value && value <= last;
}

export function isOnly(value: number, { first, last }: Range): boolean {
  return first === value && last === value;
}

export function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
