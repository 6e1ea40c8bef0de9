// `madeleine consumers explain`: the state of a consumer in sentences, with since when, why, and the command that mends it.

import {
  Consumer,
  ConsumerActivity,
  type ConsumerMember,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { answered } from '../../connection/calls.js';
import type { Session } from '../../connection/run.js';
import { enumText } from '../../text/enum-text.js';
import { messageJson } from '../../text/event-json.js';
import { printable } from '../../text/output.js';
import { ageText, timestampText } from '../../text/time-text.js';

/** Members that are told one by one. */
const MAX_MEMBERS = 10;

const STATES: Readonly<Partial<Record<ConsumerActivity, string>>> = {
  [ConsumerActivity.CONSUMER_ACTIVITY_UNSPECIFIED]: 'changes hands',
  [ConsumerActivity.CONSUMER_ACTIVITY_IDLE]: 'is idle',
  [ConsumerActivity.CONSUMER_ACTIVITY_DELIVERING]: 'is delivering',
  [ConsumerActivity.CONSUMER_ACTIVITY_WAITING_FOR_ACKS]: 'waits for acknowledgements',
  [ConsumerActivity.CONSUMER_ACTIVITY_BLOCKED_BY_RETRY]: 'is blocked',
  [ConsumerActivity.CONSUMER_ACTIVITY_PAUSED]: 'is paused',
  [ConsumerActivity.CONSUMER_ACTIVITY_NO_MEMBER]: 'has no member',
  [ConsumerActivity.CONSUMER_ACTIVITY_DRAINING]: 'is drained',
  [ConsumerActivity.CONSUMER_ACTIVITY_OWNED_ELSEWHERE]: 'is run elsewhere',
};

/** Prints what an answer of GetConsumer means. */
export async function printExplanation({ output }: Session, answer: { consumer?: Consumer | undefined }) {
  const consumer = answered(answer.consumer);
  const sentences = explanation(consumer);
  if (output.json) {
    return output.line(`{"consumer":${messageJson(Consumer, consumer)},"explanation":${JSON.stringify(sentences)}}`);
  }
  for (const sentence of sentences) await output.line(printable(sentence));
}

/** Returns the state of a consumer in sentences, the most important one first. */
export function explanation(consumer: Consumer): string[] {
  return [
    stateSentence(consumer),
    ...blockedSentence(consumer),
    placeSentence(consumer),
    ...inFlightSentence(consumer),
    ...parkedSentence(consumer),
    ...memberSentences(consumer),
    ...mendSentence(consumer),
  ];
}

function stateSentence({ name, activity, activitySince, activityCause }: Consumer): string {
  const state = STATES[activity] ?? `is ${enumText(ConsumerActivity, 'CONSUMER_ACTIVITY_', activity)}`;
  const since = activitySince === undefined ? '' : ` since ${timestampText(activitySince)}`;
  return `Consumer ${name} ${state}${since}${activityCause === '' ? '' : `: ${activityCause}`}.`;
}

function blockedSentence({ blockedPosition, blockedUntil }: Consumer): string[] {
  return blockedUntil === undefined
    ? []
    : [`Position ${blockedPosition} is delivered again at ${timestampText(blockedUntil)}.`];
}

function placeSentence({ offset, head, lag, pending, pendingIsMinimum, lagTime }: Consumer): string {
  const done = `What concerns it is done up to position ${offset}`;
  if (lag === 0n) return `${done}, which is the head.`;
  const left = `${pending}${pendingIsMinimum ? ' or more' : ''} matching ${pending === 1n ? 'event is' : 'events are'} left`;
  const age = lagTime === undefined ? '' : `; the next event is ${ageText(lagTime)} old`;
  return `${done}, the head is ${head}: ${left}${age}.`;
}

function inFlightSentence({ inFlight, oldestUnacknowledged }: Consumer): string[] {
  if (inFlight === 0) return [];
  const events = inFlight === 1 ? '1 event is' : `${inFlight} events are`;
  return [`${events} in flight; position ${oldestUnacknowledged} is the oldest that is not acknowledged.`];
}

function parkedSentence({ parked }: Consumer): string[] {
  if (parked === 0n) return [];
  return [parked === 1n ? '1 event is parked.' : `${parked} events are parked.`];
}

function memberSentences({ members, memberCount }: Consumer): string[] {
  const left = Math.max(memberCount, members.length) - MAX_MEMBERS;
  const told = members.slice(0, MAX_MEMBERS).map(memberSentence);
  return left > 0 ? [...told, `There are ${left} members more.`] : told;
}

function memberSentence({ name, address, inFlight, maxInFlight, answeredAt }: ConsumerMember): string {
  const answers = answeredAt === undefined ? 'has not answered yet' : `last answered at ${timestampText(answeredAt)}`;
  const who = name === '' ? 'The member of calls without a name' : `Member ${name}`;
  // Calls of Fetch have no credit: each says how many it takes.
  const events = `${inFlight}${maxInFlight === 0 ? '' : ` of ${maxInFlight}`} events in flight`;
  return `${who} at ${address} has ${events}, and ${answers}.`;
}

function mendSentence({ activity, mendCommand }: Consumer): string[] {
  if (mendCommand === '') return [];
  const isElsewhere = activity === ConsumerActivity.CONSUMER_ACTIVITY_OWNED_ELSEWHERE;
  return [`${isElsewhere ? 'To ask who runs it' : 'To mend it'}: ${mendCommand}`];
}
