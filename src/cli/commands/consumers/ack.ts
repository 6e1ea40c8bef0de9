// `madeleine ack`: acknowledges events of a consumer, by position or up to one.

import type { Command } from 'commander';
import {
  type Acknowledgement,
  type AcknowledgeResponse,
  type AckResult,
  AckResult as AckResultMessage,
  AckStatus,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { calls } from '../../connection/calls.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { enumText } from '../../text/enum-text.js';
import { messageView } from '../../text/event-json.js';
import { acknowledgement, defined, uint64 } from '../../text/values.js';

interface AckFlags extends ClientOptions {
  readonly context?: string;
  readonly lease?: bigint;
  readonly upTo?: bigint;
  readonly member?: string;
}

const HELP = `
A lease is printed by subscribe; without one whatever is current is acknowledged. Exit code 1 if one does not count.

Examples:
  $ madeleine ack mailer 17:3 18:4
  $ madeleine ack mailer 17 --lease 3
  $ madeleine ack mailer --up-to 18`;

const RESULTS = messageView<AckResult>(AckResultMessage, [
  { title: 'POSITION', text: ({ position }) => String(position), right: true },
  { title: 'ANSWER', text: ({ status }) => statusText(status) },
]);

export function ackCommand(deps: CliDeps): Command {
  return clientCommand('ack', 'acknowledge events of a consumer')
    .argument('<consumer>', 'name of the consumer')
    .argument('[positions...]', 'POSITION or POSITION:LEASE', (text, former: Acknowledgement[] | undefined) => [
      ...(former ?? []),
      acknowledgement(text),
    ])
    .option('--context <name>', 'context of the consumer (default "default")')
    .option('--lease <n>', 'lease of the one position', uint64)
    .option('--up-to <position>', 'everything in flight at or below this position', uint64)
    .option('--member <name>', 'with --up-to: only what this member holds')
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        {
          request: (consumer: string, positions: Acknowledgement[] | undefined, flags: AckFlags) => {
            const { context, member, upTo } = flags;
            const acknowledgements = withLease(positions ?? [], flags);
            return { consumer, acknowledgements, ...defined({ context, member, upTo }) };
          },
          call: ({ consumers }, request, options) => consumers.acknowledge(request, options),
        },
        (session, answer, [, , flags]) => printAnswer(session, answer, flags),
      ),
    );
}

function withLease(positions: readonly Acknowledgement[], { lease, upTo }: AckFlags): Acknowledgement[] {
  if (positions.length === 0 && upTo === undefined) throw new UsageError('give positions or --up-to');
  if (lease === undefined) return [...positions];
  if (positions.length !== 1) throw new UsageError('--lease goes with one position; with more write POSITION:LEASE');
  return positions.map(({ position }) => ({ position, lease }));
}

/** Prints the answer. Throws CommandFailed if some acknowledgements do not count. */
async function printAnswer({ output }: Session, response: AcknowledgeResponse, { upTo }: AckFlags): Promise<void> {
  if (response.results.length > 0) await output.list(response.results, RESULTS);
  if (!output.json) {
    if (upTo !== undefined) await output.line(`acknowledged up to ${upTo}: ${response.acknowledgedUpTo}`);
    await output.line(`offset ${response.offset}`);
  } else if (upTo !== undefined) {
    await output.line(JSON.stringify({ offset: String(response.offset), acknowledgedUpTo: response.acknowledgedUpTo }));
  }
  const refused = response.results.filter(({ status }) => !['accepted', 'already'].includes(statusText(status))).length;
  if (refused > 0) throw new CommandFailed(`${refused} of ${response.results.length} acknowledgements do not count`);
}

function statusText(status: AckStatus): string {
  return enumText(AckStatus, 'ACK_STATUS_', status);
}
