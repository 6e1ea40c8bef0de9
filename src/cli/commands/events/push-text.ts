// How the results of pushes read.

import { type EventError, Outcome, type PushReceipt } from '../../../../generated/madeleine/v1/event_service.js';
import { refusalSentence } from '../../connection/failures.js';

/** An outcome for people: `occurred`, `duplicate` and so on. */
export function outcomeText(outcome: Outcome): string {
  return (Outcome[outcome] ?? String(outcome)).replace(/^OUTCOME_/, '').toLowerCase();
}

/** One line for people: what the push did, and where the event stands. */
export function receiptLine(outcome: string, receipt: PushReceipt, stream: string): string {
  const { position, sequence } = receipt;
  if (receipt.outcome === Outcome.OUTCOME_DISCARDED)
    return `${outcome}: nobody registered the topic, nothing is stored`;
  // What is awaited has no position yet.
  const where = position === 0n ? '' : `  position ${position}`;
  const still = position === 0n && outcome === 'found' ? ', still awaited' : '';
  const place = `${still}${where}${stream === '' ? '' : `  ${stream}#${sequence}`}`;
  return `${outcome}${place}  event ${receipt.id}  message ${receipt.messageId}`;
}

/** One sentence for people about a refused event of a batch. */
export function eventErrorText(error: EventError): string {
  return refusalSentence(error);
}
