// How cawins and their attempts read.

import {
  Attempt,
  AttemptOutcome,
  Cawin,
  CawinState,
  type Firing,
} from '../../../../generated/madeleine/v1/cawin_service.js';
import { enumText } from '../../text/enum-text.js';
import { messageView, statusText } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { durationText, timestampText } from '../../text/time-text.js';

const LIST_COLUMNS: readonly Column<Cawin>[] = [
  { title: 'CAWIN', text: ({ id }) => String(id), right: true },
  { title: 'EVENT', text: ({ eventId }) => String(eventId), right: true },
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'STATE', text: ({ state }) => enumText(CawinState, 'CAWIN_STATE_', state) },
  { title: 'ATTEMPTS', text: ({ firings }) => String(firings.reduce((sum, f) => sum + f.attempts, 0)), right: true },
  { title: 'URL', text: ({ callback }) => callback?.url ?? '' },
];

/** A cawin in a list. */
export const LISTED = messageView(Cawin, LIST_COLUMNS);

/** A cawin alone. */
export const CAWIN = messageView(Cawin, [
  ...LIST_COLUMNS,
  { title: 'NOTIFY ON', text: ({ notifyOn }) => notifyOn.map(statusText).join(', ') },
  { title: 'SIGNED', text: ({ callback }) => (callback?.signed === true ? 'yes' : 'no') },
  { title: 'HEADERS', text: ({ callback }) => callback?.headerNames.join(', ') ?? '' },
  { title: 'TIMEOUT', text: ({ callback }) => (callback?.timeout === undefined ? '' : durationText(callback.timeout)) },
  { title: 'EXPIRES AT', text: ({ expiresAt }) => timestampText(expiresAt) },
  { title: 'REQUEST ID', text: ({ requestId }) => requestId },
  { title: 'CREATED AT', text: ({ createdAt }) => timestampText(createdAt) },
  { title: 'FIRINGS', text: ({ firings }) => firings.map(firingText).join('; ') || 'none' },
]);

export const ATTEMPT = messageView(Attempt, [
  { title: 'KIND', text: ({ kind }) => statusText(kind) },
  { title: 'ATTEMPT', text: ({ number }) => String(number), right: true },
  { title: 'STARTED AT', text: ({ startedAt }) => timestampText(startedAt) },
  { title: 'OUTCOME', text: ({ outcome }) => enumText(AttemptOutcome, 'ATTEMPT_OUTCOME_', outcome) },
  { title: 'STATUS', text: ({ status, reason }) => status || reason },
  { title: 'LATENCY', text: ({ latency }) => (latency === undefined ? '' : durationText(latency)), right: true },
  { title: 'ANSWER', text: ({ error, firstBytes }) => error || firstBytes },
]);

function firingText({ kind, state, attempts, held, lastError }: Firing): string {
  const told = `${statusText(kind)} ${enumText(CawinState, 'CAWIN_STATE_', state)} after ${attempts} attempts`;
  const error = lastError === '' ? '' : `, the last one: ${lastError}`;
  return held ? `${told}${error}, held while its endpoint fails` : told + error;
}
