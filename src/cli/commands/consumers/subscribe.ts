// `madeleine subscribe`: one member of a consumer; prints what is delivered, and with --ack acknowledges it.

import type { Command } from 'commander';
import type { StartPosition, SubscribeRequest } from '../../../../generated/madeleine/v1/consumer_service.js';
import { PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { type ClientOptions, clientCommand, runClient } from '../../connection/run.js';
import { Subscriber } from '../../connection/subscriber.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { count, defined, startPosition, uint64 } from '../../text/values.js';
import { addSettingsFlags, type SettingsFlags, settingsOf } from './settings-options.js';

interface SubscribeFlags extends ClientOptions, SettingsFlags, ByFlag {
  readonly context?: string;
  readonly member?: string;
  readonly start?: StartPosition;
  readonly mustExist?: true;
  readonly ack?: true;
  readonly count?: number;
  readonly maxInFlight?: number;
  readonly maxInFlightBytes?: bigint;
}

const HELP = `
The consumer is created at first use, unless --must-exist is given. Its settings are durable: leave the flags out to take them as stored.
Without --ack each line shows the lease to acknowledge it with: madeleine ack CONSUMER POSITION:LEASE.

Examples:
  $ madeleine subscribe mailer --topic orders --ack
  $ madeleine subscribe mailer --count 1
  $ madeleine subscribe audit --context all --start time:2026-11-21 --ack --json`;

export function subscribeCommand(deps: CliDeps): Command {
  return addSettingsFlags(clientCommand('subscribe', 'print what is delivered to a consumer'))
    .argument('<consumer>', 'name of the consumer')
    .option('--context <name>', 'context of the consumer; "all": events of every context (default "default")')
    .option('--member <name>', 'name of this member; another member of that name is replaced')
    .option(
      '--start <where>',
      'where a new consumer begins: earliest (default), latest, position:N or time:T',
      startPosition,
    )
    .option('--must-exist', 'create nothing; refuse a consumer, or a stream of --stream, that there is not')
    .addOption(byOption())
    .option('--ack', 'acknowledge each event after printing it')
    .option('--count <n>', 'stop after so many deliveries', count)
    .option('--max-in-flight <n>', 'credit in events (default 100)', count)
    .option('--max-in-flight-bytes <n>', 'credit in bytes (default 1 MiB)', uint64)
    .addHelpText('after', HELP)
    .action(async (consumer: string, flags: SubscribeFlags) => {
      const { ack, count: limit } = flags;
      await runClient(
        deps,
        flags,
        async (session) => {
          await new Subscriber({
            session,
            request: subscribeRequest(consumer, flags),
            ack: ack === true,
            ...defined({ limit }),
          }).run();
        },
        { endless: limit === undefined, unread: 'end at once' },
      );
    });
}

function subscribeRequest(consumer: string, flags: SubscribeFlags): Partial<SubscribeRequest> & { consumer: string } {
  const { context, member, start, mustExist, by, maxInFlight, maxInFlightBytes } = flags;
  const settings = settingsOf(flags) as SubscribeRequest['settings'];
  return {
    consumer,
    ...defined({ context, member, start, settings, mustExist, by, maxInFlight, maxInFlightBytes }),
    payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
  };
}
