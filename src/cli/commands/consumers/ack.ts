// `madeleine ack`: acknowledges events of a consumer, by position or up to one.

import type { Command } from 'commander';
import type { Acknowledgement, AcknowledgeResponse } from '../../../../generated/madeleine/v1/consumer_service.js';
import { calls } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { defined, uint64 } from '../../text/values.js';
import { addPosition, assertCounted, printResults, withLease } from './answers-text.js';

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

export function ackCommand(deps: CliDeps): Command {
  return clientCommand('ack', 'acknowledge events of a consumer')
    .argument('<consumer>', 'name of the consumer')
    .argument('[positions...]', 'POSITION or POSITION:LEASE', addPosition)
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
            const { context, member, upTo, lease } = flags;
            if ((positions ?? []).length === 0 && upTo === undefined) throw new UsageError('give positions or --up-to');
            const acknowledgements = withLease(positions ?? [], lease);
            return { consumer, acknowledgements, ...defined({ context, member, upTo }) };
          },
          call: ({ consumers }, request, options) => consumers.acknowledge(request, options),
        },
        (session, answer, [, , flags]) => printAnswer(session, answer, flags),
      ),
    );
}

/** Prints the answer. Throws CommandFailed if some acknowledgements do not count. */
async function printAnswer(session: Session, response: AcknowledgeResponse, { upTo }: AckFlags): Promise<void> {
  const { output } = session;
  await printResults(session, response.results);
  if (!output.json) {
    if (upTo !== undefined) await output.line(`acknowledged up to ${upTo}: ${response.acknowledgedUpTo}`);
    await output.line(`offset ${response.offset}`);
  } else if (upTo !== undefined) {
    await output.line(JSON.stringify({ offset: String(response.offset), acknowledgedUpTo: response.acknowledgedUpTo }));
  }
  assertCounted(response.results, 'acknowledgements');
}
