// `madeleine events list`: stored events page by page, and with them the consumers that have passed each.

import type { Command } from 'commander';
import { PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { commandGroup, listCommand } from '../../connection/calls.js';
import { assertInForce } from '../../connection/filter-echo.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, runClient } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type PassedEvent, passedEventJson } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { type Seconds, timestampText } from '../../text/time-text.js';
import { count, defined, time } from '../../text/values.js';
import { addFilterFlags, type FilterFlags, filterOf } from '../filters/filter-options.js';

interface ListFlags extends ClientOptions, FilterFlags {
  readonly context?: string;
  readonly since?: Seconds;
  readonly until?: Seconds;
  readonly newestFirst?: true;
  readonly withConsumers?: true;
  readonly limit: number;
}

const COLUMNS: readonly Column<PassedEvent>[] = [
  { title: 'POSITION', text: ({ event }) => String(event.position), right: true },
  { title: 'EVENT', text: ({ event }) => String(event.id), right: true },
  { title: 'CREATED AT', text: ({ event }) => timestampText(event.createdAt) },
  { title: 'TOPIC', text: ({ event }) => event.topic },
  { title: 'STREAM', text: ({ event: { stream, sequence } }) => (stream === '' ? '-' : `${stream}#${sequence}`) },
  { title: 'ISSUER', text: ({ event }) => event.issuer },
];
const WITH_CONSUMERS: readonly Column<PassedEvent>[] = [...COLUMNS, { title: 'PASSED BY', text: passedText }];

const HELP = `
Examples:
  $ madeleine events list --topic orders --since 15m
  $ madeleine events list --issuer shop --issuer web --tag urgent --newest-first --limit 20
  $ madeleine events list --stream order-7 --since 2026-11-20 --until 2026-11-21 --with-consumers`;

export function eventsCommand(deps: CliDeps): Command {
  return commandGroup(deps, { name: 'events', summary: 'list stored events', help: HELP }, [listEvents]);
}

function listEvents(deps: CliDeps): Command {
  return addFilterFlags(listCommand('list', 'list stored events, and who has passed them'))
    .option('--since <time>', 'only what was created later: a time, a day, or 15m for 15 minutes ago', time)
    .option('--until <time>', 'only what was created before this', time)
    .option('--newest-first', 'the newest first')
    .option('--with-consumers', 'tell of each event which consumers have passed it')
    .option('--limit <n>', 'how many at most', count, 100)
    .action(async (flags: ListFlags) => {
      await runClient(deps, flags, async ({ client, output }) => {
        const request = requestOf(flags);
        const fetchPage = async (page: object) => {
          const answer = await client.call((options) => client.events.listEvents({ ...request, ...page }, options));
          assertInForce(filterOf(flags), answer.filter);
          const items = answer.events.map((event, index) => ({ event, passedBy: answer.consumers[index] }));
          return { items, nextPageToken: answer.nextPageToken };
        };
        // One more, so that it can be said that there are more.
        const found = await allPages(fetchPage, flags.limit + 1);
        const columns = flags.withConsumers === true ? WITH_CONSUMERS : COLUMNS;
        await output.list(found.slice(0, flags.limit), { columns, json: passedEventJson });
        if (found.length > flags.limit) output.notice('there are more: --limit');
      });
    });
}

function requestOf({ context, since, until, newestFirst, withConsumers, ...flags }: ListFlags) {
  const filter = { ...filterOf(flags), ...defined({ context, startTime: since, endTime: until }) };
  const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
  return { filter, payloadEncoding, ...defined({ newestFirst, withConsumers }) };
}

/** The consumers that have passed an event; those of every context with that. */
function passedText({ passedBy }: PassedEvent): string {
  const names = passedBy?.consumers.map(({ context, name }) => (context === 'all' ? `all/${name}` : name)) ?? [];
  return [...names, ...(passedBy?.more ? ['…'] : [])].join(', ') || '-';
}
