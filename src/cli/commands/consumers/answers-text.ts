// How the answers to single deliveries, and to events by their ids, read, of `ack`, `reject` and `extend`: a line each, and exit code 1
// if some do not count.

import {
  type Acknowledgement,
  type AckResult,
  AckResult as AckResultMessage,
  AckStatus,
  type EventAckResult,
  EventAckResult as EventAckResultMessage,
  type MessageAckResult,
  MessageAckResult as MessageAckResultMessage,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import type { Session } from '../../connection/run.js';
import { enumText } from '../../text/enum-text.js';
import { messageView } from '../../text/event-json.js';
import { acknowledgement } from '../../text/values.js';

type Result = Pick<AckResult, 'position' | 'status'>;

const ANSWER = [
  { title: 'POSITION', text: ({ position }: Result) => (position === 0n ? '-' : String(position)), right: true },
  { title: 'ANSWER', text: ({ status }: Result) => statusText(status) },
];
const RESULTS = messageView<AckResult>(AckResultMessage, ANSWER);
const EVENT_RESULTS = messageView<EventAckResult>(EventAckResultMessage, [
  { title: 'EVENT', text: ({ eventId }) => String(eventId), right: true },
  ...ANSWER,
]);
const MESSAGE_RESULTS = messageView<MessageAckResult>(MessageAckResultMessage, [
  { title: 'MESSAGE', text: ({ messageId }) => messageId },
  ...ANSWER,
]);

/** Reads `POSITION` or `POSITION:LEASE`, added to those of before. */
export function addPosition(text: string, former: readonly Acknowledgement[] | undefined): Acknowledgement[] {
  return [...(former ?? []), acknowledgement(text)];
}

/** The positions with the lease that was given for the one of them. */
export function withLease(positions: readonly Acknowledgement[], lease: bigint | undefined): Acknowledgement[] {
  if (lease === undefined) return [...positions];
  if (positions.length !== 1) throw new UsageError('--lease goes with one position; with more write POSITION:LEASE');
  return positions.map(({ position }) => ({ position, lease }));
}

export async function printResults({ output }: Session, results: readonly AckResult[]): Promise<void> {
  if (results.length > 0) await output.list(results, RESULTS);
}

/** The results of events that were named by ids. */
export interface IdResults {
  readonly eventResults: readonly EventAckResult[];
  readonly messageResults: readonly MessageAckResult[];
}

export async function printIdResults({ output }: Session, { eventResults, messageResults }: IdResults): Promise<void> {
  if (eventResults.length > 0) await output.list(eventResults, EVENT_RESULTS);
  if (messageResults.length > 0) await output.list(messageResults, MESSAGE_RESULTS);
}

/** Throws CommandFailed if some of them do not count; `what` they are, in the plural. */
export function assertCounted(results: readonly Result[], what: string): void {
  const refused = results.filter(({ status }) => !['accepted', 'already'].includes(statusText(status))).length;
  if (refused > 0) throw new CommandFailed(`${refused} of ${results.length} ${what} do not count`);
}

function statusText(status: AckStatus): string {
  return enumText(AckStatus, 'ACK_STATUS_', status);
}
