// `madeleine invalidate`: withdraws an event that is awaited or has occurred.

import type { Command } from 'commander';
import { type Event, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { answered, calls } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
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
    .action(
      calls(
        deps,
        {
          request: (id: bigint, { reason }: InvalidateFlags) => {
            return { id, reason, payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES };
          },
          call: ({ events }, request, options) => events.invalidateEvent(request, options),
        },
        async ({ output }, answer) => {
          const event = answered(answer.event);
          await output.line(output.json ? eventJson(event) : printable(invalidatedText(event)));
        },
      ),
    );
}

function invalidatedText({ id, topic, invalidationReason: reason }: Event): string {
  return `event ${id} of topic ${topic} is invalidated${reason === '' ? '' : `: ${reason}`}`;
}
