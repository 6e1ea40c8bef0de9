// `madeleine explain`: why an awaited event is still awaited, as a table of the events that came close.

import type { Command } from 'commander';
import {
  type ExplainWaitResponse,
  LeafDifference,
  type NearMiss,
} from '../../../../generated/madeleine/v1/cawin_service.js';
import { type Event, EventStatus, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { answered, calls } from '../../connection/calls.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { eventJson, statusText } from '../../text/event-json.js';
import { type Column, cut, printable, tableLines } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { count, defined, uint64 } from '../../text/values.js';

const { EVENT_STATUS_AWAITED: AWAITED, EVENT_STATUS_OCCURRED: OCCURRED, EVENT_STATUS_EXPIRED: EXPIRED } = EventStatus;

interface ExplainFlags extends ClientOptions {
  readonly limit?: number;
}

const COLUMNS: readonly Column<NearMiss>[] = [
  { title: 'EVENT', text: ({ event }) => String(event?.id ?? ''), right: true },
  { title: 'POSITION', text: ({ event }) => String(event?.position ?? ''), right: true },
  { title: 'CREATED AT', text: ({ event }) => timestampText(event?.createdAt) },
  { title: 'MATCHES', text: ({ matchingLeaves, leaves }) => `${matchingLeaves} of ${leaves}`, right: true },
  { title: 'DIFFERS AT', text: ({ difference }) => difference?.path ?? '' },
  { title: 'AWAITED', text: ({ difference }) => cut(difference?.expected ?? '', 40) },
  { title: 'FOUND', text: ({ difference }) => cut(difference?.actual ?? '(nothing)', 40) },
];

const HELP = `
Looks at the newest 2,000 events of the topic, or 64 MiB of them, and shows those that have most of the description, each with the first path
at which it differs.

Examples:
  $ madeleine explain 17
  $ madeleine explain 17 --limit 20 --json`;

export function explainCommand(deps: CliDeps): Command {
  return clientCommand('explain', 'tell why an event is still awaited')
    .argument('<event>', 'id of the awaited event', uint64)
    .option('--limit <n>', 'events to show at most (default 5, at most 20)', count)
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        {
          request: (eventId: bigint, { limit }: ExplainFlags) => {
            return { eventId, payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES, ...defined({ limit }) };
          },
          call: ({ cawins }, request, options) => cawins.explainWait(request, options),
        },
        printExplanation,
      ),
    );
}

async function printExplanation({ output }: Session, response: ExplainWaitResponse): Promise<void> {
  const event = answered(response.event);
  if (output.json) return output.line(explanationJson(event, response));
  for (const line of headLines(event, response)) await output.line(printable(line));
  if (!isOpen(event) || response.nearMisses.length === 0) return;
  for (const line of tableLines(response.nearMisses, COLUMNS)) await output.line(line);
}

/** What is awaited or became of it, and how much was looked at. */
function headLines(event: Event, { nearMisses, lookedAt }: ExplainWaitResponse): string[] {
  const head = `event ${event.id} of topic ${event.topic} ${stateText(event)}: ${JSON.stringify(event.description)}`;
  if (!isOpen(event)) return [head];
  const looked = `looked at ${lookedAt} ${lookedAt === 1 ? 'event' : 'events'} of the topic`;
  const close = nearMisses.length === 0 ? 'none of them JSON that differs' : 'the closest:';
  return [head, `${looked}, ${close}`];
}

/** Whether the event did not happen, which is worth an explanation. */
function isOpen({ status }: Event): boolean {
  return status === AWAITED || status === EXPIRED;
}

function stateText({ id, status, expiresAt, endedById }: Event): string {
  if (status === AWAITED) return `is awaited until ${timestampText(expiresAt)}`;
  if (status === EXPIRED) return `expired at ${timestampText(expiresAt)}`;
  if (status !== OCCURRED) return `was ${statusText(status)}`;
  return endedById === undefined || endedById === id ? 'has occurred' : `has occurred as event ${endedById}`;
}

/** The answer as one object; payloads as they were pushed. */
function explanationJson(event: Event, { nearMisses, lookedAt }: ExplainWaitResponse): string {
  const misses = nearMisses.map((miss) => {
    const { matchingLeaves, leaves, difference } = miss;
    const rest = JSON.stringify({ matchingLeaves, leaves, difference: LeafDifference.toJSON(difference!) });
    return `{"event":${eventJson(miss.event!)},${rest.slice(1)}`;
  });
  return `{"event":${eventJson(event)},"lookedAt":${lookedAt},"nearMisses":[${misses.join(',')}]}`;
}
