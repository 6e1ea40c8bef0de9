// `madeleine streams`: lists streams, shows one, hands it to another owner, or truncates it.

import type { Command } from 'commander';
import { Stream, TruncateStreamResponse } from '../../../../generated/madeleine/v1/stream_service.js';
import { calls, commandGroup, listCommand, lists, shows } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageJson, messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined, positiveUint64 } from '../../text/values.js';

interface StreamFlags extends ClientOptions {
  readonly context?: string;
  readonly owner?: string;
  readonly prefix?: string;
}

interface TruncateFlags extends ClientOptions, ByFlag {
  readonly context?: string;
  readonly upTo: bigint;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

interface TransferFlags extends ClientOptions, ByFlag {
  readonly context?: string;
  readonly owner: string;
  readonly to: string;
  readonly reason?: string;
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
  { title: 'FORMER OWNER', text: ({ formerOwner }) => formerOwner },
  { title: 'TRANSFERRED AT POSITION', text: ({ transferPosition }) => positionText(transferPosition) },
  { title: 'TRUNCATED TO', text: ({ truncatedTo }) => positionText(truncatedTo) },
];

const STREAM = messageView(Stream, ALL_COLUMNS);

function positionText(position: bigint): string {
  return position === 0n ? '' : String(position);
}

const HELP = `
A stream is handed over by who names its present owner: from then on the new one alone may push to it. Its epoch is one more, and a
push with --epoch is refused in any other. Repeating the command changes nothing.

A stream is truncated up to a sequence: its events up to there are deleted for good, and those after it stay, with their sequences.
What durable consumers have not passed is deleted with --force only, and told to them as a gap; see first with --dry-run.

Examples:
  $ madeleine streams list --prefix order-
  $ madeleine streams get order-7
  $ madeleine streams transfer order-7 --owner shop --to web --by ann --reason 'the shop moves'
  $ madeleine streams truncate order-7 --up-to 120 --dry-run
  $ madeleine read --status transferred`;

export function streamsCommand(deps: CliDeps): Command {
  const parent = { name: 'streams', summary: 'list streams, show one, hand it over or truncate it', help: HELP };
  return commandGroup(deps, parent, [listStreams, getStream, transferStream, truncateStream]);
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
      shows(deps, STREAM, {
        request: (name: string, { context }: StreamFlags) => ({ name, ...defined({ context }) }),
        call: ({ streams }, request, options) => streams.getStream(request, options),
        item: ({ stream }) => stream,
      }),
    );
}

function transferStream(deps: CliDeps): Command {
  return clientCommand('transfer', 'hand a stream to another owner, and show it')
    .argument('<stream>', 'name of the stream')
    .requiredOption('--owner <name>', 'the issuer that owns it at present')
    .requiredOption('--to <name>', 'the issuer that is to own it')
    .addOption(byOption())
    .option('--reason <text>', 'why')
    .option('--context <name>', 'context (default "default")')
    .action(
      shows(deps, STREAM, {
        request: (stream: string, { owner, to: newOwner, ...more }: TransferFlags) => {
          const { context, by, reason } = more;
          return { stream, owner, newOwner, ...defined({ context, by, reason }) };
        },
        call: ({ streams }, request, options) => streams.transferStream(request, options),
        item: ({ stream }) => stream,
      }),
    );
}

function truncateStream(deps: CliDeps): Command {
  return clientCommand('truncate', 'delete the events of a stream up to a sequence')
    .argument('<stream>', 'name of the stream')
    .requiredOption('--up-to <sequence>', 'the last sequence that goes', positiveUint64)
    .option('--force', 'delete also what durable consumers have not passed')
    .option('--dry-run', 'say what would go, and change nothing')
    .addOption(byOption())
    .option('--reason <text>', 'why')
    .option('--context <name>', 'context (default "default")')
    .action(
      calls(
        deps,
        {
          request: (stream: string, flags: TruncateFlags) => {
            const { upTo: upToSequence, context, by, reason, force, dryRun } = flags;
            return { stream, upToSequence, ...defined({ context, by, reason, force, dryRun }) };
          },
          call: ({ streams }, request, options) => streams.truncateStream(request, options),
        },
        async ({ output }, answer, [, flags]) => {
          const text = truncationText(answer, flags);
          await output.line(output.json ? messageJson(TruncateStreamResponse, answer) : text);
        },
      ),
    );
}

/** What a truncation did or would do, in one sentence. */
function truncationText(answer: TruncateStreamResponse, { upTo, dryRun = false }: TruncateFlags): string {
  const { stream, events, unread, unreadIsPartial } = answer;
  const truncatedTo = stream?.truncatedTo ?? 0n;
  const what = `${events} ${events === 1n ? 'event' : 'events'} up to sequence ${upTo}`;
  const isBefore = dryRun ? upTo <= truncatedTo : upTo < truncatedTo;
  if (isBefore) return `truncated to sequence ${truncatedTo} before: nothing ${dryRun ? 'would be' : 'is'} deleted`;
  const consumers = unread.map(({ name, events: count, eventsIsMinimum }) => {
    return `${name} (${count}${eventsIsMinimum ? ' or more' : ''})`;
  });
  const by =
    consumers.length === 0 ? '' : `; not passed by ${consumers.join(', ')}${unreadIsPartial ? ' and others' : ''}`;
  return `${what} ${dryRun ? 'would be' : 'are'} deleted${by}`;
}
