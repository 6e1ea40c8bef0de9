// `madeleine tail`: prints what occurs from now on, after the last few events if asked for.

import type { Command } from 'commander';
import { type Event, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import { EventReader, printEvents } from '../../connection/event-reader.js';
import { UsageError } from '../../connection/failures.js';
import { assertInForce } from '../../connection/filter-echo.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { count, countOrZero, defined } from '../../text/values.js';
import { addReadFlags, type ReadFilterFlags, readFilter, readRequest } from './read-options.js';

interface TailFlags extends ClientOptions, ReadFilterFlags {
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
  return addReadFlags(clientCommand('tail', 'print events as they occur; Ctrl-C ends it'))
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

function checkFlags({ last }: TailFlags): void {
  if (last > 1000) throw new UsageError('--last is 1000 at most');
}

async function newestPosition({ client }: Session): Promise<bigint> {
  const request = { filter: { context: ALL_CONTEXTS }, newestFirst: true, pageSize: 1 };
  const { events } = await client.call((options) => client.events.listEvents(request, options));
  return events[0]?.position ?? 0n;
}

/** The newest `last` matching events at or below the head, oldest first. */
async function lastEvents({ client }: Session, flags: TailFlags, head: bigint): Promise<readonly Event[]> {
  const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
  const filter = { ...readFilter(flags), beforePosition: head + 1n };
  const selection = { filter, newestFirst: true, payloadEncoding };
  const newest = await allPages(async (page) => {
    const request = { ...selection, ...page };
    const answer = await client.call((options) => client.events.listEvents(request, options));
    assertInForce(filter, answer.filter);
    return { items: answer.events, nextPageToken: answer.nextPageToken };
  }, flags.last);
  return newest.toReversed();
}
