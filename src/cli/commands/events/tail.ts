// `madeleine tail`: prints what occurs from now on, after the last few events if asked for.

import type { Command } from 'commander';
import { type Event, type EventFilter, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import { EventReader, printEvents } from '../../connection/event-reader.js';
import { UsageError } from '../../connection/failures.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { count, countOrZero, defined } from '../../text/values.js';
import { addFilterFlags, type FilterFlags, readRequest } from './event-options.js';

interface TailFlags extends ClientOptions, FilterFlags {
  readonly last: number;
  readonly limit?: number;
}

const HELP = `
A lost connection is made again, and nothing is missed: it goes on after the last position.

Examples:
  $ madeleine tail
  $ madeleine tail --topic orders -n 10
  $ madeleine tail --context all --json`;

export function tailCommand(deps: CliDeps): Command {
  return addFilterFlags(clientCommand('tail', 'print events as they occur; Ctrl-C ends it'))
    .option('-n, --last <n>', 'begin with the last n events, 1000 at most', countOrZero, 0)
    .option('--limit <n>', 'stop after so many new events', count)
    .addHelpText('after', HELP)
    .action(async (flags: TailFlags) => {
      checkFlags(flags);
      await runClient(
        deps,
        flags,
        async (session) => {
          // The head first: what comes while the last events are fetched is then printed by the reader.
          const head = await newestPosition(session);
          await printEvents(session, await lastEvents(session, flags, head));
          const request = { ...readRequest(flags), afterPosition: head, follow: true };
          const { limit } = flags;
          await new EventReader({ session, request, ...defined({ limit }) }).run();
        },
        { endless: flags.limit === undefined, unread: 'end at once' },
      );
    });
}

function checkFlags({ last, subject, tag, entityType }: TailFlags): void {
  if (last > 1000) throw new UsageError('--last is 1000 at most');
  const several = [subject, tag, entityType].some((values) => (values?.length ?? 0) > 1);
  if (last > 0 && several) throw new UsageError('--last goes with one --subject, --tag and --entity-type at most');
}

async function newestPosition({ client }: Session): Promise<bigint> {
  const request = { filter: { context: ALL_CONTEXTS }, newestFirst: true, pageSize: 1 };
  const { events } = await client.call((options) => client.events.listEvents(request, options));
  return events[0]?.position ?? 0n;
}

/** The newest `last` matching events at or below the head, oldest first. */
async function lastEvents({ client }: Session, flags: TailFlags, head: bigint): Promise<readonly Event[]> {
  const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
  const selection = { filter: listFilter(flags, head), newestFirst: true, payloadEncoding };
  const newest = await allPages(async (page) => {
    const request = { ...selection, ...page };
    const { events: items, nextPageToken } = await client.call((options) => client.events.listEvents(request, options));
    return { items, nextPageToken };
  }, flags.last);
  return newest.toReversed();
}

function listFilter(flags: TailFlags, head: bigint): Partial<EventFilter> {
  const { context, stream, issuer, topic = [], status = [] } = flags;
  const [subject] = flags.subject ?? [];
  const [tag] = flags.tag ?? [];
  const [entityType] = flags.entityType ?? [];
  return {
    ...defined({ context, stream, issuer, subject, tag, entityType }),
    topics: [...topic],
    statuses: [...status],
    beforePosition: head + 1n,
  };
}
