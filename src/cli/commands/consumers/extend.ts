// `madeleine extend`: gives events that a consumer works on more time.

import type { Command } from 'commander';
import type {
  Acknowledgement,
  ExtendAckDeadlineResponse,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { calls } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import type { Seconds } from '../../text/time-text.js';
import { defined, duration, uint64 } from '../../text/values.js';
import { addPosition, assertCounted, printResults, withLease } from './answers-text.js';

interface ExtendFlags extends ClientOptions {
  readonly context?: string;
  readonly lease?: bigint;
  readonly all?: true;
  readonly member?: string;
  readonly by: Seconds;
}

const HELP = `
A lease is printed by subscribe; without one whatever is current is extended. Exit code 1 if one does not count.

Examples:
  $ madeleine extend mailer 17:3 --by 10m
  $ madeleine extend mailer --all --member mailer-2 --by 10m`;

export function extendCommand(deps: CliDeps): Command {
  return clientCommand('extend', 'give events that a consumer works on more time')
    .argument('<consumer>', 'name of the consumer')
    .argument('[positions...]', 'POSITION or POSITION:LEASE', addPosition)
    .requiredOption('--by <duration>', 'how long from now, up to 12h', duration)
    .option('--context <name>', 'context of the consumer (default "default")')
    .option('--lease <n>', 'lease of the one position', uint64)
    .option('--all', 'all that is in flight')
    .option('--member <name>', 'with --all: only what this member holds')
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        {
          request: (consumer: string, given: Acknowledgement[] | undefined, flags: ExtendFlags) => {
            const { context, all, member, by: extension } = flags;
            const positions = withLease(given ?? [], flags.lease);
            if (positions.length > 0 === (all === true)) throw new UsageError('give positions or --all');
            return { consumer, positions, extension, ...defined({ context, all, member }) };
          },
          call: ({ consumers }, request, options) => consumers.extendAckDeadline(request, options),
        },
        (session, answer, [, , flags]) => printAnswer(session, answer, flags),
      ),
    );
}

async function printAnswer(
  session: Session,
  { results, extended }: ExtendAckDeadlineResponse,
  { all }: ExtendFlags,
): Promise<void> {
  const { output } = session;
  await printResults(session, results);
  if (all === true) await output.line(output.json ? JSON.stringify({ extended }) : `extended ${extended}`);
  assertCounted(results, 'extensions');
}
