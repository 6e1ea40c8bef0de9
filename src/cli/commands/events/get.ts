// `madeleine get`: shows one event, by its id, its position or its message id.

import type { Command } from 'commander';
import { type Event, EventStatus, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import type { GetEventRequest } from '../../../../generated/madeleine/v1/event_service.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import { answered } from '../../connection/calls.js';
import type { MadeleineClient } from '../../connection/client.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { eventJson } from '../../text/event-json.js';
import { defined, positiveUint64, uint64 } from '../../text/values.js';
import { eventColumns } from './event-columns.js';

interface GetFlags extends ClientOptions {
  readonly position?: bigint;
  readonly messageId?: string;
  readonly context?: string;
}

const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
const { EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED, EVENT_STATUS_EXPIRED } = EventStatus;

const HELP = `
The id of an event is what push, read and tail print after "event": invalidate, explain and cawins take it. Its position is its
place in the log: ack and seek take that, and ack either. The two are the same number only as long as nothing was awaited.

Examples:
  $ madeleine get 17
  $ madeleine get --position 12 --json
  $ madeleine get --message-id 0193f0a4-5b5c-7d1e-8f3a-0123456789ab`;

export function getCommand(deps: CliDeps): Command {
  return clientCommand('get', 'show an event')
    .argument('[event]', 'id of the event, or of a wait that it ended', uint64)
    .option('--position <n>', 'the entry at this position instead', positiveUint64)
    .option('--message-id <uuid>', 'the event that was pushed with this message id instead')
    .option('--context <name>', 'context of the message id (default "default")')
    .addHelpText('after', HELP)
    .action(async (id: bigint | undefined, flags: GetFlags) => {
      checkFlags(id, flags);
      await runClient(deps, flags, async ({ client, output }) => {
        const { position } = flags;
        const event = position === undefined ? await eventBy(client, id, flags) : await entryAt(client, position);
        await output.item(event, { columns: eventColumns(event), json: eventJson });
      });
    });
}

function checkFlags(id: bigint | undefined, { position, messageId, context }: GetFlags): void {
  if ([id, position, messageId].filter((key) => key !== undefined).length !== 1) {
    throw new UsageError('give the id of an event, --position or --message-id');
  }
  if (context !== undefined && messageId === undefined) throw new UsageError('--context goes with --message-id');
}

async function eventBy(client: MadeleineClient, id: bigint | undefined, flags: GetFlags): Promise<Event> {
  const { messageId = '', context } = flags;
  const key: GetEventRequest['key'] =
    id === undefined ? { $case: 'messageId', value: messageId } : { $case: 'id', value: id };
  const request = { key, payloadEncoding, ...defined({ context }) };
  const { event } = await client.call((options) => client.events.getEvent(request, options));
  return answered(event);
}

async function entryAt(client: MadeleineClient, position: bigint): Promise<Event> {
  const filter = {
    context: ALL_CONTEXTS,
    statuses: [EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED, EVENT_STATUS_EXPIRED],
    afterPosition: position - 1n,
    beforePosition: position + 1n,
  };
  const request = { filter, payloadEncoding, pageSize: 1 };
  const { events } = await client.call((options) => client.events.listEvents(request, options));
  if (events[0] === undefined) throw new CommandFailed(`there is no entry at position ${position}`);
  return events[0];
}
