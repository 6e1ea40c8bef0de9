// `madeleine parked edit`: another event in the place of a parked one.

import type { Command } from 'commander';
import type { ReplayEditedEventResponse } from '../../../../generated/madeleine/v1/consumer_service.js';
import { NewEvent } from '../../../../generated/madeleine/v1/event.js';
import { Outcome, PushReceipt } from '../../../../generated/madeleine/v1/event_service.js';
import { isJsonContentType } from '../../../domain/events/event.js';
import { Uuid7Source } from '../../../lib/uuid7.js';
import { answered } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { readBytes, readTextFile } from '../../connection/files.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import { readStdin } from '../../connection/stdin-bytes.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { enumText } from '../../text/enum-text.js';
import { messageJson } from '../../text/event-json.js';
import { textProblem, withoutMark } from '../../text/input-text.js';
import { defined, positiveUint64 } from '../../text/values.js';

interface EditFlags extends ClientOptions, ByFlag {
  readonly context?: string;
  readonly issuer?: string;
  readonly file?: string;
  readonly contentType?: string;
  readonly messageId?: string;
}

const HELP = `
The event in its place goes to this consumer alone, in no stream, and names the parked one as its cause; what else it says (topic,
subject, tag, properties …) is as in the parked event. The payload is an argument, a file, or else what stdin gives. The message id makes
repeating the command safe; one is minted here, so that what was not answered is sent again safely after a lost connection.

Examples:
  $ madeleine parked edit mailer 17 --issuer anna '{"to": "anna@example.org"}'
  $ madeleine parked edit mailer 17 --issuer anna --file mended.json
  $ madeleine get --position 17 --json | jq .payload.json | madeleine parked edit mailer 17 --issuer anna`;

export function editParked(deps: CliDeps): Command {
  return clientCommand('edit', 'push an edited event in the place of a parked one')
    .argument('<consumer>', 'name of the consumer')
    .argument('<position>', 'position of the parked event', positiveUint64)
    .argument('[payload]', 'the edited payload')
    .option('--context <name>', 'context of the consumer (default "default")')
    .option('--issuer <name>', 'who edits it, required')
    .option('--file <path>', 'take the payload from a file')
    .option('--content-type <type>', 'media type of the payload (default JSON)')
    .option('--message-id <uuid>', 'id that makes repeating the command safe')
    .addOption(byOption())
    .addHelpText('after', HELP)
    .action(async (consumer: string, position: bigint, payload: string | undefined, flags: EditFlags) => {
      if (flags.issuer === undefined) throw new UsageError('--issuer is required');
      if (payload !== undefined && flags.file !== undefined) throw new UsageError('give a payload or --file, not both');
      await runClient(deps, flags, async (session) => {
        const data = await payloadOf(session, payload, flags);
        await edit(
          session,
          { consumer, position, ...defined({ context: flags.context, by: flags.by }) },
          eventOf(flags, data),
        );
      });
    });
}

async function payloadOf(session: Session, payload: string | undefined, flags: EditFlags): Promise<Buffer> {
  const isText = isJsonContentType(flags.contentType ?? '');
  if (flags.file !== undefined) return isText ? readTextFile(flags.file) : readBytes(flags.file);
  if (payload !== undefined) return isText ? withoutMark(Buffer.from(payload)) : Buffer.from(payload);
  const bytes = await readStdin(session, 'the payload is awaited on stdin');
  const problem = isText ? textProblem(bytes) : undefined;
  if (problem !== undefined) throw new UsageError(`stdin ${problem}`);
  return isText ? withoutMark(bytes) : bytes;
}

function eventOf({ issuer, contentType = '', messageId }: EditFlags, data: Buffer): NewEvent {
  return NewEvent.fromPartial({
    ...defined({ issuer }),
    messageId: messageId ?? new Uuid7Source(Date.now).next(),
    payload: { contentType, body: { $case: 'data', value: data } },
  });
}

async function edit(
  { client, output }: Session,
  parked: { readonly consumer: string; readonly position: bigint; readonly context?: string; readonly by?: string },
  event: NewEvent,
): Promise<void> {
  const answer = await client.call((options) => client.consumers.replayEditedEvent({ ...parked, event }, options));
  await output.line(output.json ? messageJson(PushReceipt, receiptOf(answer)) : editedText(answer));
}

function receiptOf({ event, outcome }: ReplayEditedEventResponse): PushReceipt {
  const { id, position, sequence, messageId, createdAt } = answered(event);
  return { id, position, sequence, outcome, createdAt, messageId };
}

function editedText({ event, outcome }: ReplayEditedEventResponse): string {
  const { id, position, messageId, causedBy } = answered(event);
  const cause = causedBy === '' ? '' : `  caused by ${causedBy}`;
  return `${enumText(Outcome, 'OUTCOME_', outcome)}  position ${position}  event ${id}  message ${messageId}${cause}`;
}
