// `madeleine parked`: lists, replays, discards and edits the parked events of a consumer.

import type { Command } from 'commander';
import {
  type DiscardParkedEventsResponse,
  type ParkedEvent,
  type ParkedResult,
  ParkedResult as ParkedResultMessage,
  ParkedStatus,
  type ReplayParkedEventsResponse,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { calls, commandGroup, lists } from '../../connection/calls.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { enumText } from '../../text/enum-text.js';
import { messageView, parkedJson } from '../../text/event-json.js';
import { type Column, cut } from '../../text/output.js';
import { type Seconds, timestampText } from '../../text/time-text.js';
import { count, defined, positiveUint64, time } from '../../text/values.js';
import { editParked } from './parked-edit.js';

interface ParkedFlags extends ClientOptions, ByFlag {
  readonly context?: string;
  readonly all?: true;
  readonly code?: string;
  readonly stream?: string;
  readonly since?: Seconds;
  readonly until?: Seconds;
}

/** Characters of a reason in a table; --json has all of them. */
const SHOWN = 80;

const COLUMNS: readonly Column<ParkedEvent>[] = [
  { title: 'POSITION', text: ({ event }) => String(event?.position ?? ''), right: true },
  { title: 'PARKED AT', text: ({ parkedAt }) => (parkedAt === undefined ? '-' : timestampText(parkedAt)) },
  { title: 'STATE', text: ({ replaying }) => (replaying ? 'replaying' : 'parked') },
  { title: 'ATTEMPTS', text: ({ attempts }) => String(attempts), right: true },
  { title: 'LOSSES', text: ({ losses }) => String(losses), right: true },
  { title: 'TOPIC', text: ({ event }) => event?.topic || '-' },
  { title: 'STREAM', text: ({ event }) => event?.stream || '-' },
  { title: 'CODE', text: ({ code }) => code || '-' },
  { title: 'REASON', text: ({ reason }) => cut(reason, SHOWN) },
];

const RESULTS = messageView<ParkedResult>(ParkedResultMessage, [
  { title: 'POSITION', text: ({ position }) => String(position), right: true },
  { title: 'RESULT', text: ({ status }) => enumText(ParkedStatus, 'PARKED_STATUS_', status) },
]);

const HELP = `
A parked event was set aside: rejected with --park, or max-attempts used up. It holds up nothing. Replayed, it is delivered once more,
marked as a replay; edited, another event takes its place. What is named and not parked: exit code 1.

Examples:
  $ madeleine parked list mailer --code BAD_ADDRESS --since 2h
  $ madeleine parked replay mailer 17 18
  $ madeleine parked replay mailer --all --code NO_RELAY
  $ madeleine parked discard mailer --all --until 2026-11-21
  $ madeleine parked edit mailer 17 --issuer anna '{"to": "anna@example.org"}'`;

export function parkedCommand(deps: CliDeps): Command {
  const parent = { name: 'parked', summary: 'list and manage the parked events of a consumer', help: HELP };
  return commandGroup(deps, parent, [listParked, replayParked, discardParked, editParked]);
}

function parkedCall(name: string, summary: string): Command {
  return clientCommand(name, summary)
    .argument('<consumer>', 'name of the consumer')
    .option('--context <name>', 'context of the consumer (default "default")');
}

function addSelection(command: Command): Command {
  return command
    .option('--code <text>', 'only what was parked with this code')
    .option('--stream <name>', 'only events of this stream')
    .option('--since <time>', 'only what was parked later than this', time)
    .option('--until <time>', 'only what was parked earlier than this', time);
}

function listParked(deps: CliDeps): Command {
  return addSelection(parkedCall('list', 'list parked events by position'))
    .option('--limit <n>', 'how many at most', count, 100)
    .action(
      lists(
        deps,
        { columns: COLUMNS, json: parkedJson },
        {
          request: (consumer: string, flags: ParkedFlags) => {
            const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
            return { consumer, payloadEncoding, ...selectionOf(flags) };
          },
          call: ({ consumers }, request, options) => consumers.listParkedEvents(request, options),
          items: ({ events }) => events,
        },
      ),
    );
}

function replayParked(deps: CliDeps): Command {
  return changeCommand('replay', 'deliver parked events once more').action(
    calls(
      deps,
      {
        request: changeOf,
        call: ({ consumers }, request, options) => consumers.replayParkedEvents(request, options),
      },
      (session, answer: ReplayParkedEventsResponse) =>
        printChange(session, answer.results, { replayed: String(answer.replayed) }),
    ),
  );
}

function discardParked(deps: CliDeps): Command {
  return changeCommand('discard', 'take events from the parked ones for good').action(
    calls(
      deps,
      {
        request: changeOf,
        call: ({ consumers }, request, options) => consumers.discardParkedEvents(request, options),
      },
      (session, answer: DiscardParkedEventsResponse) =>
        printChange(session, answer.results, { discarded: String(answer.discarded) }),
    ),
  );
}

function changeCommand(name: string, summary: string): Command {
  const command = parkedCall(name, summary)
    .argument('[positions...]', 'positions of parked events, at most 1,000', addPosition)
    .option('--all', 'all of them, or all that the other flags select')
    .addOption(byOption());
  return addSelection(command);
}

function addPosition(text: string, former: readonly bigint[] | undefined): readonly bigint[] {
  return [...(former ?? []), positiveUint64(text)];
}

function changeOf(consumer: string, positions: readonly bigint[] | undefined, flags: ParkedFlags) {
  const named = positions ?? [];
  const { context, ...selection } = selectionOf(flags);
  if (flags.all === true && named.length > 0) throw new UsageError('give positions or --all, not both');
  if (flags.all !== true && named.length === 0) throw new UsageError('give positions, or --all');
  if (flags.all !== true && Object.keys(selection).length > 0) {
    throw new UsageError('--code, --stream, --since and --until go with --all');
  }
  return {
    consumer,
    positions: [...named],
    all: flags.all === true,
    ...selection,
    ...defined({ context, by: flags.by }),
  };
}

function selectionOf({ context, code, stream, since: parkedAfter, until: parkedBefore }: ParkedFlags) {
  return defined({ context, code, stream, parkedAfter, parkedBefore });
}

/** Prints what became of each position, or how many events it was; throws CommandFailed if some were not parked. */
async function printChange(
  { output }: Session,
  results: readonly ParkedResult[],
  total: Readonly<Record<string, string>>,
): Promise<void> {
  if (results.length > 0) await output.list(results, RESULTS);
  const [[done, number] = ['', '']] = Object.entries(total);
  if (!output.json) await output.line(`${done} ${number}`);
  else if (results.length === 0) await output.line(JSON.stringify(total));
  const missed = results.filter(({ status }) => status !== ParkedStatus.PARKED_STATUS_DONE).length;
  if (missed > 0) throw new CommandFailed(`${missed} of ${results.length} positions are not parked`);
}
