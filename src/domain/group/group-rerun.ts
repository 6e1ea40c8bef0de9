// A group whose COMMIT was not answered is run again, and its message ids are looked up: what the unanswered COMMIT had stored then
// looks like a duplicate. It is told from the duplicates of others by what was planned when that COMMIT was sent.

import type { ChangeEffect } from '../management/consumer-change.js';
import type { PushOutcome, UnitOutcome } from './group-outcomes.js';
import type { GroupUnit } from './group-plan-types.js';

/** Returns the unit as it is run again: it knows of the cawin that the unanswered COMMIT may have stored. */
export function unitAgain(unit: GroupUnit, sent: UnitOutcome): GroupUnit {
  if (unit.kind !== 'observe' || sent.kind !== 'observed') return unit;
  return { ...unit, cawin: { ...unit.cawin, former: sent.cawin } };
}

/** Marks what in the outcome of a rerun the unanswered COMMIT itself had stored. */
export function recognised(outcome: UnitOutcome, sent: UnitOutcome): UnitOutcome {
  if (outcome.kind === 'registered' && sent.kind === 'registered') return sent;
  // Others may have handed the stream on since.
  if (outcome.kind === 'transferred' && sent.kind === 'transferred') return sent;
  // Ids are never used again: what is gone was dropped by that COMMIT, or by somebody else.
  if (sent.kind === 'dropped' && isGone(outcome)) return sent;
  // A later unit of that COMMIT may have deleted the consumer.
  if (isEffect(outcome, 'lost') && isEffect(sent, 'gone')) return sent;
  if (outcome.kind !== 'pushed' || sent.kind !== 'pushed') return outcome;
  return { ...outcome, pushes: outcome.pushes.map((push, index) => recognisedPush(push, sent.pushes[index])) };
}

function isEffect(outcome: UnitOutcome, effect: ChangeEffect): boolean {
  return outcome.kind === 'managed' && outcome.effect === effect;
}

function isGone(outcome: UnitOutcome): boolean {
  return outcome.kind === 'refused' && outcome.error.reason === 'SHAPE_UNKNOWN';
}

function recognisedPush(outcome: PushOutcome, before: PushOutcome | undefined): PushOutcome {
  if (outcome.kind === 'discarded' && before?.kind === 'discarded') return before;
  if (outcome.kind !== 'duplicate' || before === undefined) return outcome;
  if (before.kind === 'occurred' && before.entry.position === outcome.position) {
    return { ...outcome, own: true, satisfied: before.satisfied };
  }
  const looked = before.kind === 'awaited' ? before.wait.eventId : before.kind === 'found' ? before.eventId : undefined;
  return outcome.position === 0 && looked === outcome.eventId ? before : outcome;
}

/** What a unit planned when its COMMIT was sent; what a rerun found to be its own from before stays as it was then. */
export function plannedBefore(outcome: UnitOutcome, sent: UnitOutcome | undefined): UnitOutcome {
  if (sent === undefined) return outcome;
  const again = recognised(outcome, sent);
  if (again.kind !== 'pushed' || sent.kind !== 'pushed') return again;
  const pushes = again.pushes.map((push, index) =>
    push.kind === 'duplicate' && push.own === true ? (sent.pushes[index] ?? push) : push,
  );
  return { ...again, pushes };
}
