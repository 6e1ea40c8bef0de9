// `madeleine consumers`: lists, shows, creates, changes, moves and deletes consumers.

import type { Command } from 'commander';
import {
  Consumer,
  SeekConsumerResponse,
  type StartPosition,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { calls, commandGroup, deletes, listCommand, lists, shows } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { assertInForce } from '../../connection/filter-echo.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageJson, messageView } from '../../text/event-json.js';
import { count, defined, positiveUint64, startPosition } from '../../text/values.js';
import { CONSUMER, consumerCommand } from './consumer-command.js';
import { LIST_COLUMNS, seekText } from './consumer-text.js';
import { printExplanation } from './explain-consumer.js';
import { listMoves } from './moves.js';
import { pauseConsumer, resumeConsumer } from './pause.js';
import { addSettingsFlags, changedSettings, type SettingsFlags, settingsMask, settingsOf } from './settings-options.js';
import { snapshotsCommand } from './snapshots.js';

interface ListFlags extends ClientOptions {
  readonly context?: string;
  readonly prefix?: string;
  readonly stream?: string;
  readonly passed?: bigint;
}

interface ConsumerFlags extends ClientOptions, SettingsFlags, ByFlag {
  readonly context?: string;
  readonly start?: StartPosition;
  readonly anyEvent?: true;
  readonly dryRun?: true;
  readonly back?: number;
  readonly forward?: number;
  readonly reason?: string;
}

const HELP = `
Examples:
  $ madeleine consumers list
  $ madeleine consumers list --stream order-7 --passed 17
  $ madeleine consumers explain mailer
  $ madeleine consumers create mailer --topic orders --ack-timeout 30s
  $ madeleine consumers update mailer --topic orders --topic invoices
  $ madeleine consumers pause mailer --reason "the relay moves" --by anna
  $ madeleine consumers resume mailer
  $ madeleine consumers seek mailer time:2026-11-21 --dry-run
  $ madeleine consumers seek mailer --back 1
  $ madeleine consumers moves mailer
  $ madeleine consumers snapshots save mailer before-1.2
  $ madeleine consumers delete mailer`;

export function consumersCommand(deps: CliDeps): Command {
  const parent = { name: 'consumers', summary: 'list and manage consumers', help: HELP };
  const lookers = [listConsumers, getConsumer, explainConsumer, listMoves];
  const changers = [createConsumer, updateConsumer, deleteConsumer, pauseConsumer, resumeConsumer, seekConsumer];
  return commandGroup(deps, parent, [...lookers, ...changers, snapshotsCommand]);
}

function listConsumers(deps: CliDeps): Command {
  return listCommand('list', 'list consumers by name')
    .option('--prefix <text>', 'only names that begin with this')
    .option('--stream <name>', 'only those that get events of this stream, those of every context too')
    .option('--passed <event>', 'only those that have passed this event, by its id', positiveUint64)
    .action(
      lists(deps, messageView(Consumer, LIST_COLUMNS), {
        request: ({ context, prefix, stream, passed }: ListFlags) =>
          defined({ context, namePrefix: prefix, stream, passedEventId: passed }),
        call: ({ consumers }, request, options) => consumers.listConsumers(request, options),
        items: ({ consumers }) => consumers,
      }),
    );
}

function getConsumer(deps: CliDeps): Command {
  return consumerCommand('get', 'show settings and state of a consumer').action(
    shows(deps, CONSUMER, {
      request: keyOf,
      call: ({ consumers }, request, options) => consumers.getConsumer(request, options),
      item: ({ consumer }) => consumer,
    }),
  );
}

function explainConsumer(deps: CliDeps): Command {
  return consumerCommand('explain', 'tell in sentences why a consumer does or does not deliver').action(
    calls(
      deps,
      { request: keyOf, call: ({ consumers }, request, options) => consumers.getConsumer(request, options) },
      printExplanation,
    ),
  );
}

function createConsumer(deps: CliDeps): Command {
  return addSettingsFlags(consumerCommand('create', 'create a consumer; one with the same settings is left as it is'))
    .option('--start <where>', 'where it begins: earliest (default), latest, position:N or time:T', startPosition)
    .addOption(byOption())
    .action(
      shows(deps, CONSUMER, {
        request: (name: string, flags: ConsumerFlags) => ({
          ...changeOf(name, flags),
          ...defined({ settings: settingsOf(flags), start: flags.start }),
        }),
        call: async ({ consumers }, request, options) => {
          const answer = await consumers.createConsumer(request, options);
          assertInForce(request.settings?.where, answer.consumer?.settings?.where);
          return answer;
        },
        item: ({ consumer }) => consumer,
      }),
    );
}

function updateConsumer(deps: CliDeps): Command {
  return addSettingsFlags(
    consumerCommand('update', 'change settings; flags that select events replace the whole filter'),
  )
    .option('--any-event', 'remove the filter: every event of the context')
    .addOption(byOption())
    .action(
      shows(deps, CONSUMER, {
        request: (name: string, flags: ConsumerFlags) => ({ ...changeOf(name, flags), ...changes(flags) }),
        call: ({ consumers }, request, options) => consumers.updateConsumer(request, options),
        item: ({ consumer }) => consumer,
      }),
    );
}

/** The settings that change, and the mask that names them. */
function changes(flags: ConsumerFlags) {
  const settings = changedSettings(flags);
  const updateMask = settingsMask(settings);
  if (flags.anyEvent === true) {
    if (settings.where !== undefined) throw new UsageError('--any-event goes with no other selection of events');
    updateMask.push('where');
  }
  if (updateMask.length === 0) throw new UsageError('give at least one setting to change');
  return { settings, updateMask };
}

function deleteConsumer(deps: CliDeps): Command {
  return consumerCommand('delete', 'delete a consumer with its offset')
    .addOption(byOption())
    .action(
      deletes(deps, {
        request: changeOf,
        call: ({ consumers }, request, options) => consumers.deleteConsumer(request, options),
      }),
    );
}

function seekConsumer(deps: CliDeps): Command {
  return consumerCommand('seek', 'move the offset of a consumer; its live members go on from there')
    .argument('[where]', 'earliest, latest, position:N or time:T', startPosition)
    .option('--back <n>', 'go back by so many of its events, or to the first', count)
    .option('--forward <n>', 'go forward by so many of its events, or to the last', count)
    .option('--dry-run', 'only tell what it would do')
    .option('--reason <text>', 'why, for people')
    .addOption(byOption())
    .action(
      calls(
        deps,
        {
          request: (name: string, to: StartPosition | undefined, flags: ConsumerFlags) => ({
            ...changeOf(name, flags),
            ...seekTarget(to, flags),
            dryRun: flags.dryRun === true,
            ...defined({ reason: flags.reason }),
          }),
          call: ({ consumers }, request, options) => consumers.seekConsumer(request, options),
          // It would go twice.
          isOnce: ({ byEvents }) => byEvents !== undefined,
        },
        async ({ output }, answer, [, , flags]) => {
          const text = `${seekText(answer, flags.dryRun === true)}${shortText(answer, flags)}`;
          await output.line(output.json ? messageJson(SeekConsumerResponse, answer) : text);
        },
      ),
    );
}

/** Where to: as the request has it. */
function seekTarget(to: StartPosition | undefined, { back, forward }: ConsumerFlags) {
  const given = [to, back, forward].filter((one) => one !== undefined);
  if (given.length !== 1)
    throw new UsageError('say in one way where to go: earliest, latest, position:N, time:T, --back or --forward');
  const byEvents = back === undefined ? forward : -back;
  return defined({ to, byEvents: byEvents === undefined ? undefined : BigInt(byEvents) });
}

/** How far a seek by events went, where there were fewer of them. */
function shortText({ movedEvents }: SeekConsumerResponse, { back, forward }: ConsumerFlags): string {
  const asked = back ?? forward;
  if (asked === undefined || movedEvents >= BigInt(asked)) return '';
  return `; by ${movedEvents} of ${asked} ${asked === 1 ? 'event' : 'events'}, as there are no more`;
}

function changeOf(name: string, flags: ConsumerFlags) {
  return { ...keyOf(name, flags), ...defined({ by: flags.by }) };
}

function keyOf(name: string, { context }: ConsumerFlags) {
  return { name, ...defined({ context }) };
}
