// `madeleine reject`: says of events that a consumer cannot take them.

import { type Command, Option } from 'commander';
import {
  type Acknowledgement,
  type RejectResponse,
  Verdict,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { calls } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import type { Seconds } from '../../text/time-text.js';
import { defined, duration, uint64 } from '../../text/values.js';
import { addPosition, assertCounted, printResults, withLease } from './answers-text.js';

interface RejectFlags extends ClientOptions {
  readonly context?: string;
  readonly lease?: bigint;
  readonly retry?: true;
  readonly park?: true;
  readonly skip?: true;
  readonly delay?: Seconds;
  readonly reason?: string;
  readonly code?: string;
}

const HELP = `
A lease is printed by subscribe; without one whatever is current is rejected. Exit code 1 if one does not count.

Examples:
  $ madeleine reject mailer 17:3 18:4 --retry --delay 30s --reason "no connection to the relay"
  $ madeleine reject mailer 17 --park --code BAD_ADDRESS --reason "no such address"
  $ madeleine reject mailer 17 --skip`;

export function rejectCommand(deps: CliDeps): Command {
  return clientCommand('reject', 'say of events that a consumer cannot take them')
    .argument('<consumer>', 'name of the consumer')
    .argument('<positions...>', 'POSITION or POSITION:LEASE', addPosition)
    .option('--context <name>', 'context of the consumer (default "default")')
    .option('--lease <n>', 'lease of the one position', uint64)
    .addOption(new Option('--retry', 'deliver them again, with a raised attempt').conflicts(['park', 'skip']))
    .addOption(new Option('--park', 'set them aside').conflicts(['retry', 'skip']))
    .addOption(new Option('--skip', 'pass over them').conflicts(['retry', 'park']))
    .option(
      '--delay <duration>',
      'with --retry: how long to wait, up to 24h; else the back-off of the consumer',
      duration,
    )
    .option('--reason <text>', 'why, for people')
    .option('--code <text>', 'why, for programs: a short code')
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        {
          request: (consumer: string, positions: Acknowledgement[], flags: RejectFlags) => {
            const { context, reason, code } = flags;
            const rejections = withLease(positions, flags.lease);
            return { consumer, rejections, ...verdictOf(flags), ...defined({ context, reason, code }) };
          },
          call: ({ consumers }, request, options) => consumers.reject(request, options),
        },
        printAnswer,
      ),
    );
}

function verdictOf({ retry, park, skip, delay }: RejectFlags) {
  if (delay !== undefined && retry !== true) throw new UsageError('--delay goes with --retry');
  if (retry === true) return { verdict: Verdict.VERDICT_RETRY, ...defined({ delay }) };
  if (park === true) return { verdict: Verdict.VERDICT_PARK };
  if (skip === true) return { verdict: Verdict.VERDICT_SKIP };
  throw new UsageError('give one of --retry, --park and --skip');
}

async function printAnswer(session: Session, { results, offset }: RejectResponse): Promise<void> {
  await printResults(session, results);
  if (!session.output.json) await session.output.line(`offset ${offset}`);
  assertCounted(results, 'rejections');
}
