// `madeleine streams`: lists streams, or shows one.

import type { Command } from 'commander';
import { Stream } from '../../../../generated/madeleine/v1/stream_service.js';
import { commandGroup, listCommand, lists, shows } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined } from '../../text/values.js';

interface StreamFlags extends ClientOptions {
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
  const parent = { name: 'streams', summary: 'list streams, or show one', help: HELP };
  return commandGroup(deps, parent, [listStreams, getStream]);
}

function listStreams(deps: CliDeps): Command {
  return listCommand('list', 'list streams by name')
    .option('--owner <name>', 'only streams of this issuer')
    .option('--prefix <text>', 'only names that begin with this')
    .action(
      lists(deps, messageView(Stream, COLUMNS), {
        request: ({ context, owner, prefix }: StreamFlags) => defined({ context, owner, namePrefix: prefix }),
        call: ({ streams }, request, options) => streams.listStreams(request, options),
        items: ({ streams }) => streams,
      }),
    );
}

function getStream(deps: CliDeps): Command {
  return clientCommand('get', 'show one stream')
    .argument('<stream>', 'name of the stream')
    .option('--context <name>', 'context (default "default")')
    .action(
      shows(deps, messageView(Stream, ALL_COLUMNS), {
        request: (name: string, { context }: StreamFlags) => ({ name, ...defined({ context }) }),
        call: ({ streams }, request, options) => streams.getStream(request, options),
        item: ({ stream }) => stream,
      }),
    );
}
