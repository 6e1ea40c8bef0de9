// How the deletion is, in a few words for people: whether it goes on, and if not, why and what mends it.

import type { Condition } from '../../domain/condition.js';
import { instantText } from '../../domain/instant-text.js';
import { LEAP_MICROS } from '../../domain/retention/log-time.js';
import type { RetentionClock } from '../../storage/ports/retention-storage.js';
import type { Micros } from '../../units.js';
import type { TopicStanding } from './topic-standings.js';

export interface DeletionCondition extends Condition {
  /** Undefined: not known. */
  readonly since?: Micros;
  /** How to mend it; undefined: it mends itself, or there is nothing to mend. */
  readonly mend?: string;
}

/** What is known of the clock that all instances share; undefined: nobody has looked yet. */
export type StandingClock = Pick<RetentionClock, 'now' | 'stopped' | 'waitsUntil'> | undefined;

/** What one instance knows of the deletion. */
export interface DeletionFacts {
  readonly clock: StandingClock;
  /** Whether this instance deletes. */
  readonly isHeld: boolean;
  /** Since when its work has failed again and again; undefined: it does not. */
  readonly failsSince: Micros | undefined;
  /** Whether every topic keeps everything. */
  readonly isIdle: boolean;
  /** Whether it waits for the database to clear away what was deleted. */
  readonly isPurging: boolean;
  readonly held: readonly TopicStanding[];
}

export const RESUME = 'madeleine retention resume';

export function deletionCondition(facts: DeletionFacts): DeletionCondition {
  const standing = clockCondition(facts.clock);
  if (standing !== undefined) return standing;
  if (facts.failsSince !== undefined) {
    const detail = 'nothing is deleted: it fails, and is tried again';
    return { state: 'down', detail, since: facts.failsSince, mend: 'see the log of the server' };
  }
  if (!facts.isHeld) return { state: 'up', detail: 'another instance deletes' };
  if (facts.isIdle) return { state: 'idle', detail: 'every topic keeps everything' };
  if (facts.isPurging) return { state: 'up', detail: 'waits for the database to clear away what was deleted' };
  const [longest] = facts.held;
  return { state: 'up', detail: longest === undefined ? 'deletes what is due' : heldText(longest, facts.held.length) };
}

/** Why nothing is deleted on any instance; undefined: the clock does not stop it. */
export function clockCondition(clock: StandingClock): DeletionCondition | undefined {
  if (clock === undefined) return undefined;
  const { stopped, waitsUntil, now } = clock;
  if (stopped !== undefined) {
    const detail = `nothing is deleted: the clock of the database leapt ${leapText(stopped.leaptBy)}`;
    return { state: 'down', detail, since: stopped.at, mend: `once the clock is right: ${RESUME}` };
  }
  if (waitsUntil <= now) return undefined;
  const detail = `nothing is deleted until ${instantText(waitsUntil)}, as no instance had run for more than a day`;
  return { state: 'down', detail, mend: `to go on at once: ${RESUME}` };
}

function leapText(leaptBy: Micros): string {
  const days = Math.round((Math.abs(leaptBy) / LEAP_MICROS) * 10) / 10;
  return `${leaptBy < 0 ? 'back ' : ''}by ${days} days`;
}

function heldText({ context, name, overdue, heldBy }: TopicStanding, topics: number): string {
  const consumer = heldBy[0]?.name ?? '';
  const more = heldBy.length > 1 ? ` and ${heldBy.length - 1} more` : '';
  const rest = topics === 1 ? '' : `, and ${topics - 1} more topics are held`;
  return `deletes what is due, but "${name}" in "${context}" is held by consumer "${consumer}"${more}, for ${spanText(overdue)} by now${rest}`;
}

const SPANS: readonly (readonly [seconds: number, unit: string])[] = [
  [86_400, 'days'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** Returns a time in the largest unit that it has two of. */
function spanText(micros: Micros): string {
  const seconds = micros / 1_000_000;
  const [size, unit] = SPANS.find(([size]) => seconds >= 2 * size) ?? [1, 's'];
  return `${Math.max(1, Math.floor(seconds / size))} ${unit}`;
}
