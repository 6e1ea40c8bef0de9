// Events that are acknowledged by their ids: an answer for each of their entries, and what becomes of the event by these.

import type { AckStatus, Answer } from '../../../domain/consumers/delivery-types.js';
import type { Position } from '../../../units.js';

/** What became of an event that was named by an id. */
export interface EventAnswer {
  /** The newest entry that the status is of; 0 with UNKNOWN. */
  readonly position: Position;
  readonly status: AckStatus;
}

/** What becomes of an event by those of its entries: the first of these that one of them has. */
const PREFERRED: readonly AckStatus[] = ['ACCEPTED', 'ALREADY', 'STALE'];

/** The answers for the entries of events, all without leases: to whatever is current. */
export function unleasedAnswers(events: readonly (readonly Position[])[]): Answer[] {
  return events.flat().map((position) => ({ position, lease: 0, leaseCheck: 0 }));
}

/** What became of each event, by the statuses of the answers that `unleasedAnswers` made for them. */
export function eventAnswers(
  events: readonly (readonly Position[])[],
  statuses: readonly AckStatus[],
): readonly EventAnswer[] {
  let at = 0;
  return events.map((positions) => {
    const own = statuses.slice(at, at + positions.length);
    at += positions.length;
    const status = PREFERRED.find((preferred) => own.includes(preferred));
    return status === undefined
      ? { position: 0, status: 'UNKNOWN' }
      : { position: positions[own.lastIndexOf(status)] ?? 0, status };
  });
}
