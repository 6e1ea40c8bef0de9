// What a topic keeps of its events, and what that means at a moment.

import type { Micros } from '../../units.js';
import { fieldInvalid } from '../errors.js';
import { createdBefore, type LeaptSpan } from './log-time.js';
import { limitsOf, type StreamLimits } from './stream-limits.js';
import { EPHEMERAL, ttlMicros } from './ttl.js';

/** What becomes of events that are due and that a durable consumer has not passed; the values are the wire's. */
export const RetentionMode = { EXPIRE: 1, HOLD: 2 } as const;
export type RetentionMode = (typeof RetentionMode)[keyof typeof RetentionMode];

export const UNSET_MODE: RetentionMode = RetentionMode.EXPIRE;
export const RETENTION_MODE_WORDS = { [RetentionMode.EXPIRE]: 'EXPIRE', [RetentionMode.HOLD]: 'HOLD' } as const;

/** Returns the mode of a field; 0 means that none is given. FIELD_INVALID for what is none. */
export function retentionMode(value: number, field: string): RetentionMode {
  if (value === 0) return UNSET_MODE;
  if (value === RetentionMode.EXPIRE || value === RetentionMode.HOLD) return value;
  throw fieldInvalid(field, 'is no mode: EXPIRE or HOLD');
}

const DAY: Micros = 86_400_000_000;
/** How long an event is held after it was due, at most. */
export const MAX_HELD_MICROS: Micros = 30 * DAY;
/** How long an event stays for those who look at what is parked. */
export const MAX_PARKED_MICROS: Micros = 90 * DAY;
/** How long a push may be repeated safely, though its event is gone. */
export const REPEAT_MICROS: Micros = DAY;

/** How long an event is stored that is for those only who listen now. */
export const EPHEMERAL_MICROS: Micros = 600_000_000;

export interface RetentionPolicy {
  /** How long events are kept; undefined: their age does not matter. */
  readonly ageMicros: Micros | undefined;
  readonly mode: RetentionMode;
  /** Whether nobody is told what he missed of them. */
  readonly isEphemeral?: boolean;
  /** How long before it is told that something goes unread, in the normal form. */
  readonly unreadWarning: string;
  /** What is kept in each stream; undefined: that does not matter. */
  readonly streamLimits?: StreamLimits | undefined;
}

/** Settings that say what a topic keeps. */
export interface RetentionSettings {
  readonly ttl: string;
  readonly retentionMode: RetentionMode;
  readonly maxEventsPerStream: number;
  readonly maxBytesPerStream: number;
  readonly unreadWarning: string;
}

/** Returns what a topic with the settings keeps; undefined: everything. */
export function policyOf(settings: RetentionSettings): RetentionPolicy | undefined {
  const { ttl, retentionMode: mode, unreadWarning } = settings;
  if (ttl === EPHEMERAL)
    return { ageMicros: EPHEMERAL_MICROS, mode: RetentionMode.EXPIRE, isEphemeral: true, unreadWarning };
  const ageMicros = ttlMicros(ttl);
  const streamLimits = limitsOf(settings.maxEventsPerStream, settings.maxBytesPerStream);
  if (ageMicros === undefined && streamLimits === undefined) return undefined;
  return { ageMicros, mode, unreadWarning, streamLimits };
}

/** The times of creation that decide at a moment. Negative: the log is younger. */
export interface DueTimes {
  /** What was created up to then is due. */
  readonly due: Micros;
  /** What was created up to then goes whoever has not passed it. */
  readonly overdue: Micros;
  /** What is parked since after then stays. */
  readonly parkedSince: Micros;
  /** What was created later leaves its message id. */
  readonly repeatable: Micros;
}

export function dueTimes({ ageMicros, mode }: RetentionPolicy, now: Micros, leapt: readonly LeaptSpan[]): DueTimes {
  const before = (age: Micros) => createdBefore(now, age, leapt);
  const age = ageMicros ?? Number.MAX_SAFE_INTEGER / 2;
  return {
    due: before(age),
    overdue: before(mode === RetentionMode.HOLD ? age + MAX_HELD_MICROS : age),
    parkedSince: Math.max(0, before(MAX_PARKED_MICROS)),
    repeatable: Math.max(0, before(REPEAT_MICROS)),
  };
}

/** What has to be known of the database's clock to say what goes by its number. */
interface KnownClock {
  readonly now: Micros;
  readonly leapt: readonly LeaptSpan[];
  readonly stopped: object | undefined;
  readonly waitsUntil: Micros;
}

/**
 * Returns the times that decide what becomes of events that are too many: which those are is no matter of time. By a clock that is not to
 * be trusted nothing ends, and every message id stays.
 */
export function surplusTimes({ mode }: RetentionPolicy, clock: KnownClock): Omit<DueTimes, 'due'> {
  const { now, leapt, stopped, waitsUntil } = clock;
  const isTrusted = stopped === undefined && now >= waitsUntil;
  const before = (age: Micros) => (isTrusted ? Math.max(0, createdBefore(now, age, leapt)) : 0);
  return {
    overdue: mode === RetentionMode.HOLD ? before(MAX_HELD_MICROS) : Number.POSITIVE_INFINITY,
    parkedSince: before(MAX_PARKED_MICROS),
    repeatable: before(REPEAT_MICROS),
  };
}
