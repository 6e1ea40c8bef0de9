// `madeleine awaited`: lists the events that are awaited now.

import type { Command } from 'commander';
import { type Event, EventStatus } from '../../../../generated/madeleine/v1/event.js';
import { listCommand, lists } from '../../connection/calls.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { eventJson } from '../../text/event-json.js';
import { type Column, cut } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { collect, count, defined } from '../../text/values.js';

interface AwaitedFlags extends ClientOptions {
  readonly context?: string;
  readonly topic?: readonly string[];
  readonly issuer?: string;
  readonly limit: number;
}

const COLUMNS: readonly Column<Event>[] = [
  { title: 'EVENT', text: ({ id }) => String(id), right: true },
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ topic }) => topic },
  { title: 'AWAITED BY', text: ({ issuer }) => issuer },
  { title: 'UNTIL', text: ({ expiresAt }) => timestampText(expiresAt) },
  { title: 'DESCRIPTION', text: ({ description }) => cut(JSON.stringify(description) ?? '', 80) },
];

const HELP = `
Examples:
  $ madeleine awaited
  $ madeleine awaited --topic payments --limit 1000 --json`;

export function awaitedCommand(deps: CliDeps): Command {
  return listCommand('awaited', 'list the events that are awaited now, the oldest first')
    .option('--topic <name>', 'only this topic; repeatable', collect)
    .option('--issuer <name>', 'only those that were first awaited by this issuer')
    .option('--limit <n>', 'how many at most', count, 100)
    .addHelpText('after', HELP)
    .action(
      lists(
        deps,
        { columns: COLUMNS, json: eventJson },
        {
          request: ({ context, topic = [], issuer }: AwaitedFlags) => {
            const statuses = [EventStatus.EVENT_STATUS_AWAITED];
            return { filter: { topics: [...topic], statuses, ...defined({ context, issuer }) } };
          },
          call: ({ events }, request, options) => events.listEvents(request, options),
          items: ({ events }) => events,
        },
      ),
    );
}
