// `madeleine ack`: acknowledges events of a consumer, by position, up to one, or by their ids.

import type { Command } from 'commander';
import type { Acknowledgement, AcknowledgeResponse } from '../../../../generated/madeleine/v1/consumer_service.js';
import { calls } from '../../connection/calls.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { collect, defined, positiveUint64s, uint64 } from '../../text/values.js';
import { addPosition, assertCounted, type IdResults, printIdResults, printResults, withLease } from './answers-text.js';

interface AckFlags extends ClientOptions {
  readonly context?: string;
  readonly id?: readonly bigint[];
  readonly messageId?: readonly string[];
  readonly lease?: bigint;
  readonly upTo?: bigint;
  readonly member?: string;
}

const HELP = `
A lease is printed by subscribe; without one, and by an id, whatever is current is acknowledged. Exit code 1 if one does not count.

Examples:
  $ madeleine ack mailer 17:3 18:4
  $ madeleine ack mailer 17 --lease 3
  $ madeleine ack mailer --id 17 --message-id 0193f0a4-5b5c-7d1e-8f3a-0123456789ab
  $ madeleine ack mailer --up-to 18`;

export function ackCommand(deps: CliDeps): Command {
  return clientCommand('ack', 'acknowledge events of a consumer')
    .argument('<consumer>', 'name of the consumer')
    .argument('[positions...]', 'POSITION or POSITION:LEASE', addPosition)
    .option('--context <name>', 'context of the consumer (default "default")')
    .option('--id <event>', 'the event of this id, or of a wait that it ended; repeatable', positiveUint64s)
    .option('--message-id <uuid>', 'the event that was pushed with this message id; repeatable', collect)
    .option('--lease <n>', 'lease of the one position', uint64)
    .option('--up-to <position>', 'everything in flight at or below this position', uint64)
    .option('--member <name>', 'with --up-to: only what this member holds')
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        {
          request: (consumer: string, positions: Acknowledgement[] | undefined, flags: AckFlags) => {
            const { context, member, upTo, lease, id = [], messageId = [] } = flags;
            const named = [...(positions ?? []), ...id, ...messageId];
            if (named.length === 0 && upTo === undefined)
              throw new UsageError('give positions, --id, --message-id or --up-to');
            const acknowledgements = withLease(positions ?? [], lease);
            const ids = { eventIds: [...id], messageIds: [...messageId] };
            return { consumer, acknowledgements, ...ids, ...defined({ context, member, upTo }) };
          },
          call: ({ consumers }, request, options) => consumers.acknowledge(request, options),
        },
        (session, answer, [, , flags]) => printAnswer(session, answer, flags),
      ),
    );
}

/** Prints the answer. Throws CommandFailed if some acknowledgements do not count. */
async function printAnswer(session: Session, response: AcknowledgeResponse, flags: AckFlags): Promise<void> {
  const { output } = session;
  const { upTo } = flags;
  assertKnowsIds(response, flags);
  await printResults(session, response.results);
  await printIdResults(session, response);
  if (!output.json) {
    if (upTo !== undefined) await output.line(`acknowledged up to ${upTo}: ${response.acknowledgedUpTo}`);
    await output.line(`offset ${response.offset}`);
  } else if (upTo !== undefined) {
    await output.line(JSON.stringify({ offset: String(response.offset), acknowledgedUpTo: response.acknowledgedUpTo }));
  }
  assertCounted([...response.results, ...response.eventResults, ...response.messageResults], 'acknowledgements');
}

function assertKnowsIds({ eventResults, messageResults }: IdResults, { id = [], messageId = [] }: AckFlags): void {
  if (eventResults.length === id.length && messageResults.length === messageId.length) return;
  throw new CommandFailed('the server is older and does not acknowledge by ids: give positions');
}
