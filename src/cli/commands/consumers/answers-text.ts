// How the answers to single deliveries read, of `ack`, `reject` and `extend`: a line each, and exit code 1 if some do not count.

import {
  type Acknowledgement,
  type AckResult,
  AckResult as AckResultMessage,
  AckStatus,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import type { Session } from '../../connection/run.js';
import { enumText } from '../../text/enum-text.js';
import { messageView } from '../../text/event-json.js';
import { acknowledgement } from '../../text/values.js';

const RESULTS = messageView<AckResult>(AckResultMessage, [
  { title: 'POSITION', text: ({ position }) => String(position), right: true },
  { title: 'ANSWER', text: ({ status }) => statusText(status) },
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

/** Throws CommandFailed if some of them do not count; `what` they are, in the plural. */
export function assertCounted(results: readonly AckResult[], what: string): void {
  const refused = results.filter(({ status }) => !['accepted', 'already'].includes(statusText(status))).length;
  if (refused > 0) throw new CommandFailed(`${refused} of ${results.length} ${what} do not count`);
}

function statusText(status: AckStatus): string {
  return enumText(AckStatus, 'ACK_STATUS_', status);
}
