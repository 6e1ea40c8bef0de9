// What acknowledgements of one consumer are answered with (rule 23), and what its offset may pass.

import type { ConsumerAccount, JudgedDelivery, Range } from './consumer-account.js';
import { isIn, isOnly } from './consumer-account.js';
import type { AnswerItem, AnswerOperation, AnswerStatus, SeenOffset } from './operation-log.js';

export function answerFaults(account: ConsumerAccount): string[] {
  return account.record.answers.flatMap((operation) =>
    operation.items.flatMap((item, index) => {
      if (item.status === undefined) return [];
      const allowed = allowedStatuses(account, operation, index);
      if (allowed.has(item.status)) return [];
      const asked = `${operation.kind} of ${item.position} with lease ${item.lease}`;
      return [`${asked} is answered ${item.status}, not ${[...allowed].join(' or ')}`];
    }),
  );
}

function allowedStatuses(account: ConsumerAccount, operation: AnswerOperation, index: number): Set<AnswerStatus> {
  const item = operation.items[index] as AnswerItem;
  const generations = account.generationsOf(account.phasesOf(operation));
  const question = { account, operation, index, item, generations };
  if (item.lease === 0n) return withoutLease(question);
  const delivery = account.leased(item.lease);
  // A lease proves its delivery: one that was never given out, or for another event, is of none. Its check has 14 bits: once in
  // 16,384 such a lease passes for one of before, which changes nothing; that it is not taken is what matters.
  if (delivery === undefined || delivery.position !== item.position) return new Set(['UNKNOWN', 'ALREADY', 'STALE']);
  return withLease(question, delivery);
}

interface Question {
  readonly account: ConsumerAccount;
  readonly operation: AnswerOperation;
  readonly index: number;
  readonly item: AnswerItem;
  readonly generations: Range;
}

function withLease(question: Question, delivery: JudgedDelivery): Set<AnswerStatus> {
  const { account, generations, item, operation } = question;
  const allowed = new Set<AnswerStatus>();
  const own = account.generationsOf(delivery.phases);
  if (own.first < generations.last) allowed.add('STALE');
  for (let generation = generations.first; generation <= generations.last; generation += 1) {
    if (!isIn(generation, own)) continue;
    const done = account.surelyDone(item.position, generation, operation.began);
    if (!done && !isElsewhere(question, delivery)) allowed.add('ACCEPTED');
    if (mayBeDone(question, generation)) allowed.add('ALREADY');
    if (mayBeElsewhere(question, delivery)) allowed.add('STALE');
    if (operation.kind === 'retry' && mayHaveFailed(question, delivery)) allowed.add('ALREADY');
  }
  return allowed;
}

/** Whether the delivery may have failed before, and another one followed: a rejection counts once. */
function mayHaveFailed({ account, operation, item }: Question, delivery: JudgedDelivery): boolean {
  if (account.deliveriesAt(item.position).some(({ lease }) => lease > delivery.lease)) return true;
  if (account.between(delivery.since, operation.ended) >= account.ackTimeoutMs) return true;
  const others = account.answersAt(item.position).filter(({ began }) => began !== operation.began);
  return others.some(({ kind, began }) => kind === 'retry' && began < operation.ended);
}

/** Without a lease it counts for what was delivered in this generation and is not done. */
function withoutLease(question: Question): Set<AnswerStatus> {
  const { account, generations, item, operation } = question;
  const { position } = item;
  const allowed = new Set<AnswerStatus>();
  for (let generation = generations.first; generation <= generations.last; generation += 1) {
    const phases = account.phases.filter((phase) => phase.generation === generation);
    const isDue = phases.some((phase) => account.due(phase).some((event) => event.position === position));
    const done = account.surelyDone(position, generation, operation.began);
    if (isDue && !done) allowed.add('ACCEPTED');
    if (mayBeDone(question, generation) || mayStayParked(question, generation)) allowed.add('ALREADY');
    if (!done && !wasDelivered(question, generation)) allowed.add('UNKNOWN');
  }
  return allowed;
}

/** Whether an event certainly had been delivered in the generation, by an owner who still knows of it. */
function wasDelivered({ account, operation, item }: Question, generation: number): boolean {
  return account.deliveriesAt(item.position).some((delivery) => {
    const { phases, at, since } = delivery;
    const last = account.phasesOf(operation).last;
    if (phases.first !== last || !isOnly(generation, account.generationsOf(phases)) || at >= operation.began)
      return false;
    return !account.mayHaveChangedHands(since, operation.ended);
  });
}

function mayBeDone({ account, operation, item, index }: Question, generation: number): boolean {
  const { position } = item;
  if (operation.items.slice(0, index).some((other) => other.position === position)) return true;
  const others = account.answersAt(position).filter(({ began }) => began !== operation.began);
  return account.possiblyDone(position, generation, operation.ended, others);
}

/** Whether an event that the generation began after may have been parked before: a seek forward leaves it so. */
function mayStayParked({ account, operation, item }: Question, generation: number): boolean {
  const begins = account.phases.filter((phase) => phase.generation === generation);
  if (!begins.some(({ start }) => item.position <= start.most)) return false;
  return Array.from({ length: generation }).some((_, former) =>
    account.mayBeParked(item.position, former, operation.ended),
  );
}

/** Whether another member certainly has the event. */
function isElsewhere({ account, operation, item }: Question, { lease, call }: JudgedDelivery): boolean {
  return account.deliveriesAt(item.position).some((other) => {
    if (other.lease <= lease || other.call.member === call.member || other.at >= operation.began) return false;
    return account.surelyHeld(other, operation.ended, operation);
  });
}

/** Whether another member may have the event, or the same one from another owner. */
function mayBeElsewhere({ account, operation, item }: Question, delivery: JudgedDelivery): boolean {
  const { call, since, phases } = delivery;
  if (account.mayHaveChangedHands(since, operation.ended)) return true;
  // Another ordering makes all leases those of a former owner.
  if (account.phasesOf(operation).last > phases.first) return true;
  const again = account.deliveriesAt(item.position).some(({ lease }) => lease > delivery.lease);
  const others = account.record.calls.filter(({ member, began }) => member !== call.member && began < operation.ended);
  return again || others.some(({ kind, ended, lost }) => (kind === 'subscribe' ? ended > since : lost));
}

// --- offsets

/** No offset passes what is not done, nor goes back by itself. */
export function offsetFaults(account: ConsumerAccount): string[] {
  return account.record.offsets.flatMap((seen) => [...passedFaults(account, seen), ...backFaults(account, seen)]);
}

function passedFaults(account: ConsumerAccount, seen: SeenOffset): string[] {
  const { first, last } = account.phasesOf(seen);
  if (account.phase(first).generation !== account.phase(last).generation) return [];
  const phase = account.phase(first);
  if (seen.offset < phase.start.least) return [`offset ${seen.offset} lies before ${phase.start.least}, where it went`];
  const passed = account
    .due(phase)
    .filter(({ position }) => position > phase.start.most && position <= seen.offset)
    .find(({ position }) => !account.possiblyDone(position, phase.generation, seen.ended));
  return passed === undefined
    ? []
    : [`offset ${seen.offset} is past ${passed.position}, which nobody had acknowledged`];
}

function backFaults(account: ConsumerAccount, seen: SeenOffset): string[] {
  const phases = account.phasesOf(seen);
  const before = account.record.offsets.filter(({ ended, durable }) => ended < seen.began && durable);
  const greater = before.find((other) => {
    const same = account.generationsOf(account.phasesOf(other)).first === account.generationsOf(phases).last;
    return same && other.offset > seen.offset;
  });
  return greater === undefined ? [] : [`offset ${seen.offset} comes after ${greater.offset}`];
}
