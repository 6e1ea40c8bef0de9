// `madeleine invalidate`: withdraws an event that is awaited or has occurred.

import type { Command } from 'commander';
import { PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { CommandFailed } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { eventJson } from '../../text/event-json.js';
import { printable } from '../../text/output.js';
import { uint64 } from '../../text/values.js';

interface InvalidateFlags extends ClientOptions {
  readonly reason: string;
}

const HELP = `
The entry that says that the event occurred stays in the log; another one says that it was invalidated. Whoever expects the
event is told. One that is invalidated already stays as it is.

Examples:
  $ madeleine invalidate 17 --reason 'paid twice'
  $ madeleine read --status invalidated`;

export function invalidateCommand(deps: CliDeps): Command {
  return clientCommand('invalidate', 'withdraw an event that is awaited or has occurred')
    .argument('<event>', 'id of the event', uint64)
    .option('--reason <text>', 'why, for those who read it', '')
    .addHelpText('after', HELP)
    .action(async (id: bigint, flags: InvalidateFlags) => {
      const { reason } = flags;
      const request = { id, reason, payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES };
      await runClient(deps, flags, async ({ client, output }) => {
        const { event } = await client.call((options) => client.events.invalidateEvent(request, options));
        if (event === undefined) throw new CommandFailed(`the server answers without event ${id}`);
        const why = event.invalidationReason === '' ? '' : `: ${event.invalidationReason}`;
        const text = `event ${event.id} of topic ${event.topic} is invalidated${why}`;
        await output.line(output.json ? eventJson(event) : printable(text));
      });
    });
}
