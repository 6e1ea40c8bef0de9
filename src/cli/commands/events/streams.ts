// `madeleine streams`: lists streams, or shows one.

import { Command } from 'commander';
import { Stream } from '../../../../generated/madeleine/v1/stream_service.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, clientCommand, runClient } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageJson } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined } from '../../text/values.js';

interface ListFlags extends ClientOptions {
  readonly context?: string;
  readonly owner?: string;
  readonly prefix?: string;
}

const COLUMNS: readonly Column<Stream>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'STREAM', text: ({ name }) => name },
  { title: 'OWNER', text: ({ owner }) => owner },
  { title: 'EVENTS', text: ({ eventCount }) => String(eventCount), right: true },
  { title: 'LAST SEQUENCE', text: ({ lastSequence }) => String(lastSequence), right: true },
  { title: 'LAST POSITION', text: ({ lastPosition }) => String(lastPosition), right: true },
  { title: 'LAST EVENT AT', text: ({ lastEventAt }) => timestampText(lastEventAt) },
];

const ALL_COLUMNS: readonly Column<Stream>[] = [
  ...COLUMNS,
  { title: 'FIRST POSITION', text: ({ firstPosition }) => String(firstPosition) },
  { title: 'FIRST EVENT AT', text: ({ firstEventAt }) => timestampText(firstEventAt) },
  { title: 'EPOCH', text: ({ epoch }) => String(epoch) },
];

const HELP = `
Examples:
  $ madeleine streams list --prefix order-
  $ madeleine streams get order-7`;

export function streamsCommand(deps: CliDeps): Command {
  return new Command('streams')
    .description('list streams, or show one')
    .addHelpText('after', HELP)
    .addCommand(listCommand(deps), { isDefault: true })
    .addCommand(getCommand(deps));
}

function listCommand(deps: CliDeps): Command {
  return clientCommand('list', 'list streams by name')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--owner <name>', 'only streams of this issuer')
    .option('--prefix <text>', 'only names that begin with this')
    .action(async (flags: ListFlags) => {
      const filter = defined({ context: flags.context, owner: flags.owner, namePrefix: flags.prefix });
      await runClient(deps, flags, async ({ client, output }) => {
        const streams = await allPages(async (pageToken) => {
          const page = await client.call((options) =>
            client.streams.listStreams({ ...filter, pageSize: 1000, pageToken }, options),
          );
          return { items: page.streams, nextPageToken: page.nextPageToken };
        });
        await output.list(streams, COLUMNS, (stream) => messageJson(Stream, stream));
      });
    });
}

function getCommand(deps: CliDeps): Command {
  return clientCommand('get', 'show one stream')
    .argument('<stream>', 'name of the stream')
    .option('--context <name>', 'context (default "default")')
    .action(async (name: string, flags: ListFlags) => {
      const key = { name, ...defined({ context: flags.context }) };
      await runClient(deps, flags, async ({ client, output }) => {
        const { stream } = await client.call((options) => client.streams.getStream(key, options));
        await output.item(Stream.fromPartial(stream ?? {}), ALL_COLUMNS, (item) => messageJson(Stream, item));
      });
    });
}
