// What deliveries of one consumer have to hold to: whose they are, leases, attempts, credit, and what was acknowledged.

import type { ConsumerAccount, JudgedDelivery } from './consumer-account.js';
import { isOnly } from './consumer-account.js';
import type { LoggedEvent } from './operation-log.js';

export function deliveryFaults(account: ConsumerAccount, stored: ReadonlyMap<number, LoggedEvent>): string[] {
  return [
    ...leaseFaults(account),
    ...account.deliveries.flatMap((delivery) => [
      ...storedFaults(delivery, stored),
      ...matchFaults(account, delivery),
      ...repeatFaults(account, delivery),
      ...attemptFaults(account, delivery),
      ...creditFaults(account, delivery),
    ]),
  ];
}

export function named({ position, lease }: JudgedDelivery): string {
  return `${position} by lease ${lease}`;
}

/** A lease is used once; leases of one stream of frames rise. */
function leaseFaults({ record, deliveries }: ConsumerAccount): string[] {
  const faults: string[] = [];
  deliveries.forEach((delivery, index) => {
    const before = deliveries[index - 1];
    if (before?.lease === delivery.lease)
      faults.push(`lease ${delivery.lease} is of ${before.position} and of ${delivery.position}`);
  });
  const newest = new Map<unknown, bigint>();
  for (const { call, lease } of record.deliveries) {
    const before = newest.get(call) ?? 0n;
    if (call.kind === 'subscribe' && lease < before)
      faults.push(`lease ${lease} came after ${before} to ${call.member}`);
    newest.set(call, lease);
  }
  return faults;
}

function storedFaults(delivery: JudgedDelivery, stored: ReadonlyMap<number, LoggedEvent>): string[] {
  const { event, position } = delivery;
  const found = stored.get(position);
  if (found?.messageId === event.messageId && found.stream === event.stream && found.sequence === event.sequence)
    return [];
  return [`${named(delivery)} is ${event.messageId}, stored is ${found?.messageId}`];
}

/** It is for this consumer, and lies after where its generation began. */
function matchFaults({ phases }: ConsumerAccount, delivery: JudgedDelivery): string[] {
  const possible = phases.slice(delivery.phases.first, delivery.phases.last + 1);
  if (!possible.some(({ settings }) => settings.matches(delivery.event))) return [`${named(delivery)} is not for it`];
  if (possible.some(({ start }) => delivery.position > start.least)) return [];
  return [`${named(delivery)} lies before ${possible[0]?.start.least}, where it went`];
}

/** It is not delivered again once it is acknowledged, nor while somebody holds it. */
function repeatFaults(account: ConsumerAccount, delivery: JudgedDelivery): string[] {
  const { position, since, lease, phases } = delivery;
  const { generation } = account.phase(phases.first);
  const exact = isOnly(generation, account.generationsOf(phases));
  if (exact && !delivery.replay && account.surelyDone(position, generation, since))
    return [`${named(delivery)}, which came between ${since} and ${delivery.at}, had been acknowledged`];
  if (exact && !delivery.replay && account.surelyParked(position, generation, since))
    return [`${named(delivery)} had been parked`];
  const former = account.deliveriesAt(position).filter((other) => other.lease < lease);
  return former
    .filter((other) => account.surelyHeld(other, delivery.at) && other.phases.first === phases.last)
    .map((other) => `${named(delivery)} was held by lease ${other.lease}`);
}

/** An attempt is counted for a time-out or a rejection of this event, and for nothing else. */
function attemptFaults(account: ConsumerAccount, delivery: JudgedDelivery): string[] {
  const { position, attempt, lease, phases, at } = delivery;
  const { generation } = account.phase(phases.first);
  if (!isOnly(generation, account.generationsOf(phases))) return [];
  const faults: string[] = [];
  const former = account.deliveriesAt(position).filter((other) => {
    return (
      other.lease < lease && other.replay === delivery.replay && isOnly(generation, account.generationsOf(other.phases))
    );
  });
  const before = former.at(-1);
  if (before !== undefined && attempt < before.attempt)
    faults.push(`${named(delivery)} is attempt ${attempt} after ${before.attempt}`);
  const { rejections, timeouts } = account.failuresOf(position, generation, at);
  if (attempt > 1 + rejections + timeouts)
    faults.push(
      `${named(delivery)} is attempt ${attempt}, with time for ${timeouts} time-outs and ${rejections} rejections`,
    );
  return faults;
}

/** A member's credit is not passed, but by one event alone. */
function creditFaults(account: ConsumerAccount, delivery: JudgedDelivery): string[] {
  const { call, lease, at } = delivery;
  if (call.kind === 'fetch') return [];
  const held = account.deliveries.filter((other) => {
    return other.call === call && other.lease < lease && account.surelyHeld(other, at);
  });
  const bytes = held.reduce((sum, other) => sum + other.bytes, delivery.bytes);
  if (held.length + 1 > call.maxInFlight)
    return [`${named(delivery)} is ${held.length + 1} in flight, of ${call.maxInFlight}`];
  if (held.length === 0 || bytes <= call.maxInFlightBytes) return [];
  return [`${named(delivery)} makes ${bytes} bytes in flight, of ${call.maxInFlightBytes}`];
}
