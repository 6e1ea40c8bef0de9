// `madeleine awaited`: lists the events that are awaited now.

import type { Command } from 'commander';
import { type Event, EventStatus } from '../../../../generated/madeleine/v1/event.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
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
  return clientCommand('awaited', 'list the events that are awaited now, the oldest first')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--topic <name>', 'only this topic; repeatable', collect)
    .option('--issuer <name>', 'only those that were first awaited by this issuer')
    .option('--limit <n>', 'how many at most', count, 100)
    .addHelpText('after', HELP)
    .action(async (flags: AwaitedFlags) => {
      await runClient(deps, flags, async (session) => {
        const { output } = session;
        const events = await awaitedEvents(session, flags);
        await output.list(events.slice(0, flags.limit), COLUMNS, eventJson);
        if (events.length > flags.limit) output.notice(`there are more: --limit`);
      });
    });
}

/** One more than asked for, if there is one. */
async function awaitedEvents({ client }: Session, flags: AwaitedFlags): Promise<readonly Event[]> {
  const { context, topic = [], issuer, limit } = flags;
  const statuses = [EventStatus.EVENT_STATUS_AWAITED];
  const filter = { topics: [...topic], statuses, ...defined({ context, issuer }) };
  const found: Event[] = [];
  let pageToken = '';
  do {
    const pageSize = Math.min(1000, limit + 1 - found.length);
    const request = { filter, pageSize, pageToken };
    const page = await client.call((options) => client.events.listEvents(request, options));
    found.push(...page.events);
    pageToken = page.nextPageToken;
  } while (pageToken !== '' && found.length <= limit);
  return found;
}
