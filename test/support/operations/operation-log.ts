// What the actors of a schedule did and saw of consumers, in one order: plain data, which operation-checker.ts judges.

import type { Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import type { Millis, Position } from '../../../src/units.js';

/** A place in the order of all that begins, ends and is seen; the next one is greater by one. */
export type Moment = number;

/** From before something was asked for until it was answered. */
export interface Span {
  readonly began: Moment;
  /** Infinity: it was never answered, and may have its effect at any time. */
  ended: Moment;
}

/** What of an event decides who gets it, and when. */
export interface EventFacts {
  readonly messageId: string;
  readonly context: string;
  readonly topic: string;
  /** Empty: of no stream. */
  readonly stream: string;
  readonly issuer: string;
  readonly to: string;
}

/** An event as a reader of the log sees it. */
export interface LoggedEvent extends EventFacts {
  readonly position: Position;
  readonly sequence: number;
}

export interface PushOperation extends Span {
  readonly event: EventFacts;
  /** Where it is stored, as answered. */
  position: Position | undefined;
}

/** What of a consumer's settings its deliveries are judged by. */
export interface JudgedSettings {
  readonly ordering: Ordering;
  readonly ackTimeoutMs: Millis;
  readonly maxAttempts: number;
  readonly matches: (event: EventFacts) => boolean;
}

export interface GenerationStart {
  readonly least: Position;
  readonly most: Position;
  /** Events that were done before this moment, in whatever generation, may be done in this one too: a place was gone back to. */
  readonly keptBefore?: Moment;
}

/** A change to a consumer that took place; of one consumer one after the other. The first one made it. */
export interface ChangeOperation extends Span {
  readonly what: string;
  /** The settings from then on. */
  readonly settings: JudgedSettings;
  /** Where a new generation began: its offset lies between the two. Undefined: no new generation. */
  readonly start: GenerationStart | undefined;
}

/** A member's stream or call: what comes by it was leased to that member. Until `ended` it certainly stood. */
export interface MemberCall extends Span {
  readonly kind: 'subscribe' | 'fetch';
  readonly member: string;
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
  /** When its member knew that it was over. */
  over: Moment;
  /** It was not answered in order: events may have been leased that nobody saw. */
  lost: boolean;
  /** It may be given what a former call leased. */
  readonly repeats: boolean;
}

export interface SeenDelivery {
  readonly at: Moment;
  readonly call: MemberCall;
  readonly event: LoggedEvent;
  /** Bytes of the payload. */
  readonly bytes: number;
  readonly lease: bigint;
  readonly attempt: number;
  readonly replay: boolean;
}

export type AnswerStatus = 'ACCEPTED' | 'ALREADY' | 'STALE' | 'UNKNOWN';

export interface AnswerItem {
  readonly position: Position;
  /** 0: whatever is current. */
  readonly lease: bigint;
  /** Undefined: not answered. */
  status: AnswerStatus | undefined;
}

/** What members say of deliveries. */
export interface AnswerOperation extends Span {
  readonly kind: 'acknowledge' | 'retry' | 'park' | 'skip' | 'extend';
  readonly items: readonly AnswerItem[];
  /** Acknowledged with it: what is in flight at or below. */
  readonly upTo: Position | undefined;
  /** How many events `upTo` acknowledged. */
  passed: number | undefined;
}

/** An offset that the server told. */
export interface SeenOffset extends Span {
  readonly offset: Position;
  /** The answer to an acknowledgement: it is stored. */
  readonly durable: boolean;
}

/** Everything about one consumer. */
export interface ConsumerRecord {
  readonly name: string;
  readonly changes: ChangeOperation[];
  readonly calls: MemberCall[];
  readonly deliveries: SeenDelivery[];
  readonly answers: AnswerOperation[];
  readonly offsets: SeenOffset[];
  /** From when a pause was answered until its end was asked for. */
  readonly pauses: Span[];
  /** How many events are parked in the end; undefined: nobody looked. */
  parked: number | undefined;
}

export class OperationLog {
  /** When each moment was, by a clock that never jumps. */
  readonly times: Millis[] = [];
  readonly pushes: PushOperation[] = [];
  /** When consumers may have changed hands, or deliveries may have been lost on their way: a server stopped, a database was killed. */
  readonly troubles: Span[] = [];
  readonly consumers: ConsumerRecord[] = [];
  /** What no client should ever see, such as an error of a wrong kind. */
  readonly surprises: string[] = [];
  readonly #now: () => Millis;

  constructor(now: () => Millis = () => performance.now()) {
    this.#now = now;
  }

  moment(): Moment {
    this.times.push(this.#now());
    return this.times.length - 1;
  }

  /** Begins something; `end` says when it was answered. */
  begin(): Span {
    return { began: this.moment(), ended: Number.POSITIVE_INFINITY };
  }

  end(span: Span): void {
    span.ended = this.moment();
  }

  consumer(name: string): ConsumerRecord {
    const lists = { changes: [], calls: [], deliveries: [], answers: [], offsets: [], pauses: [] };
    const record: ConsumerRecord = { name, ...lists, parked: undefined };
    this.consumers.push(record);
    return record;
  }
}
