// `madeleine consumers`: lists, shows, creates, changes, moves and deletes consumers.

import { Command } from 'commander';
import {
  Consumer,
  SeekConsumerResponse,
  type StartPosition,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { UsageError } from '../../connection/failures.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageJson } from '../../text/event-json.js';
import { defined, startPosition } from '../../text/values.js';
import { CONSUMER_COLUMNS, LIST_COLUMNS, seekText } from './consumer-text.js';
import { addSettingsFlags, type SettingsFlags, settingsMask, settingsOf } from './settings-options.js';

interface ConsumerFlags extends ClientOptions, SettingsFlags {
  readonly context?: string;
  readonly prefix?: string;
  readonly start?: StartPosition;
  readonly anyEvent?: true;
  readonly dryRun?: true;
}

const HELP = `
Examples:
  $ madeleine consumers list
  $ madeleine consumers create mailer --topic orders --ack-timeout 30s
  $ madeleine consumers update mailer --topic orders --topic invoices
  $ madeleine consumers seek mailer time:2026-11-21 --dry-run
  $ madeleine consumers delete mailer`;

export function consumersCommand(deps: CliDeps): Command {
  const parent = new Command('consumers').description('list and manage consumers').addHelpText('after', HELP);
  parent.addCommand(listCommand(deps), { isDefault: true });
  for (const make of [getCommand, createCommand, updateCommand, deleteCommand, seekCommand])
    parent.addCommand(make(deps));
  return parent;
}

function consumerCommand(name: string, summary: string): Command {
  return clientCommand(name, summary)
    .argument('<consumer>', 'name of the consumer')
    .option('--context <name>', 'context of the consumer (default "default")');
}

function listCommand(deps: CliDeps): Command {
  return clientCommand('list', 'list consumers by name')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--prefix <text>', 'only names that begin with this')
    .action(async (flags: ConsumerFlags) => {
      const filter = defined({ context: flags.context, namePrefix: flags.prefix });
      await runClient(deps, flags, async ({ client, output }) => {
        const consumers = await allPages(async (pageToken) => {
          const page = await client.call((options) =>
            client.consumers.listConsumers({ ...filter, pageSize: 1000, pageToken }, options),
          );
          return { items: page.consumers, nextPageToken: page.nextPageToken };
        });
        await output.list(consumers, LIST_COLUMNS, (consumer) => messageJson(Consumer, consumer));
      });
    });
}

function getCommand(deps: CliDeps): Command {
  return consumerCommand('get', 'show settings and state of a consumer').action(
    async (name: string, flags: ConsumerFlags) => {
      await runClient(deps, flags, async (session) => {
        const { client } = session;
        const { consumer } = await client.call((options) => client.consumers.getConsumer(keyOf(name, flags), options));
        await printConsumer(session, consumer);
      });
    },
  );
}

function createCommand(deps: CliDeps): Command {
  return addSettingsFlags(consumerCommand('create', 'create a consumer; one with the same settings is left as it is'))
    .option('--start <where>', 'where it begins: earliest (default), latest, position:N or time:T', startPosition)
    .action(async (name: string, flags: ConsumerFlags) => {
      const request = { ...keyOf(name, flags), ...defined({ settings: settingsOf(flags), start: flags.start }) };
      await runClient(deps, flags, async (session) => {
        const { client } = session;
        const { consumer } = await client.call((options) => client.consumers.createConsumer(request, options));
        await printConsumer(session, consumer);
      });
    });
}

function updateCommand(deps: CliDeps): Command {
  return addSettingsFlags(
    consumerCommand('update', 'change settings; flags that select events replace the whole filter'),
  )
    .option('--any-event', 'remove the filter: every event of the context')
    .action(async (name: string, flags: ConsumerFlags) => {
      const settings = settingsOf(flags) ?? {};
      const updateMask = settingsMask(settings);
      if (flags.anyEvent === true) {
        if (settings.filter !== undefined) throw new UsageError('--any-event goes with no other selection of events');
        updateMask.push('filter');
      }
      if (updateMask.length === 0) throw new UsageError('give at least one setting to change');
      await runClient(deps, flags, async (session) => {
        const { client } = session;
        const request = { ...keyOf(name, flags), settings, updateMask };
        const { consumer } = await client.call((options) => client.consumers.updateConsumer(request, options));
        await printConsumer(session, consumer);
      });
    });
}

function deleteCommand(deps: CliDeps): Command {
  return consumerCommand('delete', 'delete a consumer with its offset').action(
    async (name: string, flags: ConsumerFlags) => {
      await runClient(deps, flags, async ({ client, output }) => {
        // Once: a repeated call would find that its consumer is gone, and call that an error.
        await client.callOnce((options) => client.consumers.deleteConsumer(keyOf(name, flags), options));
        if (!output.json) await output.line(`deleted ${name}`);
      });
    },
  );
}

function seekCommand(deps: CliDeps): Command {
  return consumerCommand('seek', 'move the offset of a consumer; its live members go on from there')
    .argument('<where>', 'earliest, latest, position:N or time:T', startPosition)
    .option('--dry-run', 'only tell what it would do')
    .action(async (name: string, to: StartPosition, flags: ConsumerFlags) => {
      await runClient(deps, flags, async ({ client, output }) => {
        const dryRun = flags.dryRun === true;
        const request = { ...keyOf(name, flags), to, dryRun };
        const response = await client.call((options) => client.consumers.seekConsumer(request, options));
        await output.line(output.json ? messageJson(SeekConsumerResponse, response) : seekText(response, dryRun));
      });
    });
}

function keyOf(name: string, { context }: ConsumerFlags) {
  return { name, ...defined({ context }) };
}

function printConsumer({ output }: Session, consumer: Consumer | undefined): Promise<void> {
  return output.item(Consumer.fromPartial(consumer ?? {}), CONSUMER_COLUMNS, (item) => messageJson(Consumer, item));
}
