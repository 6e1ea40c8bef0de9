// The order of one consumer's deliveries: of a stream, an event comes after all earlier ones that are not done were leased to the
// same member, and after one that is delivered again the later ones come again.

import { Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import { named } from './check-deliveries.js';
import type { ConsumerAccount, JudgedDelivery } from './consumer-account.js';
import type { LoggedEvent } from './operation-log.js';

export function orderFaults(account: ConsumerAccount): string[] {
  return account.deliveries.flatMap((delivery) =>
    isOrdered(account, delivery) ? faultsBefore(account, delivery) : [],
  );
}

function isOrdered(account: ConsumerAccount, { event, phases, replay }: JudgedDelivery): boolean {
  const { settings } = account.phase(phases.first);
  const exact = phases.first === phases.last;
  return exact && event.stream !== '' && !replay && settings.ordering === Ordering.ORDERING_BY_STREAM;
}

/** What is wrong with the stream's events before this one at the moment of its lease. */
function faultsBefore(account: ConsumerAccount, delivery: JudgedDelivery): string[] {
  const phase = account.phase(delivery.phases.first);
  let newest = 0n;
  for (const event of account.dueOfStream(phase, delivery.event)) {
    const { position } = event;
    if (position >= delivery.position) return [];
    if (position <= phase.start.most || account.possiblyDone(position, phase.generation, delivery.at)) continue;
    const last = lastBefore(account, event, delivery);
    const fault = faultOf(account, event, last, delivery);
    if (fault !== undefined) return [fault];
    if (last === undefined) continue;
    if (last.lease < newest) return [`${named(delivery)} came before ${position} was delivered again`];
    newest = last.lease;
  }
  return [];
}

/** The last delivery of the event that may still have counted: changes that begin nothing anew leave events with their members. */
function lastBefore(account: ConsumerAccount, event: LoggedEvent, { lease, phases }: JudgedDelivery) {
  const began = account.beganAnew(phases.first);
  return account
    .deliveriesAt(event.position)
    .findLast((other) => other.lease < lease && !other.replay && other.phases.last >= began);
}

function faultOf(
  account: ConsumerAccount,
  { position }: LoggedEvent,
  last: JudgedDelivery | undefined,
  delivery: JudgedDelivery,
): string | undefined {
  if (last?.holder === delivery.holder || mayHaveMissed(account, delivery)) return undefined;
  if (last === undefined) return `${named(delivery)} came before ${position}, of the same stream`;
  return `${named(delivery)} came to ${delivery.call.member} while ${position} was with ${last.call.member}`;
}

/** Whether the holder's earlier events may have been in an answer that nobody got. */
function mayHaveMissed(account: ConsumerAccount, { call, at }: JudgedDelivery): boolean {
  if (call.kind !== 'fetch') return false;
  return account.record.calls.some(
    (other) => other.lost && other.kind === 'fetch' && other.member === call.member && other.began < at,
  );
}
