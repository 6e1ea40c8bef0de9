// Judges what happened: holds an operation log against what is stored in the end, and names everything that breaks a promise.

import { answerFaults, offsetFaults } from './check-answers.js';
import { deliveryFaults } from './check-deliveries.js';
import { orderFaults } from './check-order.js';
import { pauseFaults } from './check-pauses.js';
import { append, ConsumerAccount, streamOf } from './consumer-account.js';
import type { LoggedEvent, OperationLog } from './operation-log.js';

/** Of one kind. */
const MAX_FAULTS = 5;

/**
 * Everything that is wrong once all is quiet: pushes that were answered and are not stored as answered; deliveries that are not for
 * their consumer, come twice, out of order, beyond a credit or with a lease or attempt that cannot be; answers and offsets against
 * the rules; and events that a consumer never got.
 */
export function operationFaults(log: OperationLog, stored: readonly LoggedEvent[]): string[] {
  const byPosition = new Map(stored.map((event) => [event.position, event]));
  return [
    ...[log.surprises, pushFaults(log, stored), sequenceFaults(stored)].flatMap(some),
    ...log.consumers.flatMap((record) => consumerFaults(new ConsumerAccount(record, log, stored), byPosition)),
  ];
}

function some(faults: readonly string[]): string[] {
  return faults.slice(0, MAX_FAULTS);
}

/** What is wrong with one consumer, and where that is anything, first what was done to it. */
function consumerFaults(account: ConsumerAccount, stored: ReadonlyMap<number, LoggedEvent>): string[] {
  const { name, changes } = account.record;
  const faults = [
    deliveryFaults(account, stored),
    orderFaults(account),
    pauseFaults(account),
    answerFaults(account),
    offsetFaults(account),
    missingFaults(account),
    parkedFaults(account),
  ].flatMap(some);
  if (faults.length === 0) return [];
  const done = changes.map(({ what, began, ended }) => `${what} (${began} to ${ended})`);
  return [`after ${done.join(', ')}`, ...faults].map((fault) => `${name}: ${fault}`);
}

function pushFaults(log: OperationLog, stored: readonly LoggedEvent[]): string[] {
  const found = new Map<string, number[]>();
  for (const { messageId, position } of stored) append(found, messageId, position);
  const faults: string[] = [];
  for (const { event, position } of log.pushes) {
    const positions = found.get(event.messageId) ?? [];
    if (positions.length > 1) faults.push(`${event.messageId} is stored at ${positions}`);
    if (position !== undefined && positions[0] !== position)
      faults.push(`${event.messageId}, answered at ${position}, is stored at ${positions}`);
    found.delete(event.messageId);
  }
  return [...faults, ...[...found].map(([messageId, positions]) => `nobody pushed ${messageId} at ${positions}`)];
}

/** Sequences of a stream begin at 1 and have no holes. */
function sequenceFaults(stored: readonly LoggedEvent[]): string[] {
  const newest = new Map<string, number>();
  return stored.flatMap((event) => {
    if (event.stream === '') return [];
    const due = (newest.get(streamOf(event)) ?? 0) + 1;
    newest.set(streamOf(event), event.sequence);
    return event.sequence === due ? [] : [`${event.stream} has #${event.sequence} where #${due} was due`];
  });
}

/** What is for the consumer in its last generation, and neither was seen by a member nor may have been answered unseen. */
function missingFaults(account: ConsumerAccount): string[] {
  const last = account.phases.at(-1);
  if (last === undefined) return [];
  return account
    .due(last)
    .filter(
      ({ position }) =>
        position > last.start.most && !account.possiblyDone(position, last.generation, Number.POSITIVE_INFINITY),
    )
    .map(
      ({ position }) =>
        `${position} was never acknowledged${account.deliveriesAt(position).length === 0 ? ', nor delivered' : ''}`,
    );
}

/** As many events are parked as were, neither lost nor made up; a seek back over one takes it from the list. */
function parkedFaults(account: ConsumerAccount): string[] {
  const { parked } = account.record;
  const last = account.phases.at(-1);
  if (parked === undefined || last === undefined) return [];
  const end = Number.POSITIVE_INFINITY;
  const least = account
    .due(last)
    .filter(({ position }) => isSurelyLeftParked(account, position, last.generation)).length;
  const most = account.phases.flatMap((phase) =>
    account.due(phase).filter(({ position }) => account.mayBeParked(position, phase.generation, end)),
  );
  const greatest = new Set(most.map(({ position }) => position)).size;
  return least <= parked && parked <= greatest ? [] : [`${parked} events are parked, not ${least} to ${greatest}`];
}

/** Whether it was parked in that generation and nobody said anything of it since. */
function isSurelyLeftParked(account: ConsumerAccount, position: number, generation: number): boolean {
  if (!account.surelyParked(position, generation, Number.POSITIVE_INFINITY)) return false;
  const answers = account.answersAt(position);
  const parkedAt = Math.min(...answers.filter(({ kind }) => kind === 'park').map(({ began }) => began));
  return answers.every(({ kind, ended }) => kind === 'park' || kind === 'extend' || ended < parkedAt);
}
