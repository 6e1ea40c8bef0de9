// A group whose COMMIT was not answered is run again, and its message ids are looked up: what the unanswered COMMIT had stored then
// looks like a duplicate. It is told from the duplicates of others by what was planned when that COMMIT was sent.

import type { PushOutcome } from './group-plan-types.js';

/** Marks the duplicates of a rerun that are what the unanswered COMMIT itself had stored. */
export function recognised(outcomes: readonly PushOutcome[], sent: readonly PushOutcome[]): readonly PushOutcome[] {
  return outcomes.map((outcome, index) => {
    const before = sent[index];
    if (before === undefined) return outcome;
    if (outcome.kind === 'registered' && before.kind === 'registered') return before;
    return outcome.kind === 'duplicate' ? recognisedPush(outcome, before) : outcome;
  });
}

function recognisedPush(outcome: PushOutcome & { kind: 'duplicate' }, before: PushOutcome): PushOutcome {
  if (before.kind === 'occurred' && before.entry.position === outcome.position) {
    return { ...outcome, own: true, satisfied: before.satisfied };
  }
  const looked = before.kind === 'awaited' ? before.wait.eventId : before.kind === 'found' ? before.eventId : undefined;
  return outcome.position === 0 && looked === outcome.eventId ? before : outcome;
}

/** What a unit planned when its COMMIT was sent; what a rerun found to be its own from before stays as it was then. */
export function plannedBefore(
  outcomes: readonly PushOutcome[] | undefined,
  sent: readonly PushOutcome[] | undefined,
): readonly PushOutcome[] | undefined {
  if (outcomes === undefined || sent === undefined) return outcomes ?? sent;
  return recognised(outcomes, sent).map((outcome, index) =>
    outcome.kind === 'duplicate' && outcome.own === true ? (sent[index] as PushOutcome) : outcome,
  );
}
