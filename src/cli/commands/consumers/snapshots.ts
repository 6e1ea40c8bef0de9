// `madeleine consumers snapshots`: keeps a consumer's place under a name, goes back to it, lists and deletes such places.

import type { Command } from 'commander';
import {
  RestoreSnapshotResponse,
  SaveSnapshotResponse,
  Snapshot,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { answered, calls, commandGroup, deletes, lists } from '../../connection/calls.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageJson, messageView } from '../../text/event-json.js';
import { timestampText } from '../../text/time-text.js';
import { count, defined } from '../../text/values.js';
import { consumerCommand } from './consumer-command.js';
import { seekText } from './consumer-text.js';

interface SnapshotFlags extends ClientOptions, ByFlag {
  readonly context?: string;
}

interface RestoreFlags extends SnapshotFlags {
  readonly dryRun?: true;
  readonly reason?: string;
}

const SNAPSHOTS = messageView<Snapshot>(Snapshot, [
  { title: 'SNAPSHOT', text: ({ name }) => name },
  { title: 'OFFSET', text: ({ offset }) => String(offset), right: true },
  { title: 'DONE TO', text: ({ doneTo }) => String(doneTo || '-'), right: true },
  { title: 'GENERATION', text: ({ generation }) => String(generation), right: true },
  { title: 'SAVED AT', text: ({ savedAt }) => timestampText(savedAt) },
  { title: 'BY', text: ({ by }) => by || '-' },
]);

const HELP = `
A snapshot is a consumer's place under a name: its offset, and what is done above it. Going back to one delivers again what was open
then, and what came after it.

Examples:
  $ madeleine consumers snapshots save mailer before-1.2 --by anna
  $ madeleine consumers snapshots list mailer
  $ madeleine consumers snapshots restore mailer before-1.2 --dry-run
  $ madeleine consumers snapshots restore mailer before-1.2 --reason "1.2 lost mails" --by anna
  $ madeleine consumers snapshots delete mailer before-1.2`;

export function snapshotsCommand(deps: CliDeps): Command {
  const parent = { name: 'snapshots', summary: 'keep places of a consumer, and go back to them', help: HELP };
  return commandGroup(deps, parent, [listSnapshots, saveSnapshot, restoreSnapshot, deleteSnapshot]);
}

function listSnapshots(deps: CliDeps): Command {
  return consumerCommand('list', 'list the snapshots of a consumer by name')
    .option('--limit <n>', 'the first ones only', count)
    .action(
      lists(deps, SNAPSHOTS, {
        request: (consumer: string, { context }: SnapshotFlags) => ({ consumer, ...defined({ context }) }),
        call: ({ consumers }, request, options) => consumers.listSnapshots(request, options),
        items: ({ snapshots }) => snapshots,
      }),
    );
}

function saveSnapshot(deps: CliDeps): Command {
  return snapshotCommand('save', 'keep the place of now under a name, instead of one that has it')
    .addOption(byOption())
    .action(
      calls(
        deps,
        {
          request: requestOf,
          call: ({ consumers }, request, options) => consumers.saveSnapshot(request, options),
        },
        async ({ output }, answer) =>
          output.line(output.json ? messageJson(SaveSnapshotResponse, answer) : savedText(answer)),
      ),
    );
}

function restoreSnapshot(deps: CliDeps): Command {
  return snapshotCommand('restore', 'go to a place that was kept; live members go on from there')
    .option('--dry-run', 'only tell what it would do')
    .option('--reason <text>', 'why, for people')
    .addOption(byOption())
    .action(
      calls(
        deps,
        {
          request: (consumer: string, name: string, flags: RestoreFlags) => ({
            ...requestOf(consumer, name, flags),
            dryRun: flags.dryRun === true,
            ...defined({ reason: flags.reason }),
          }),
          call: ({ consumers }, request, options) => consumers.restoreSnapshot(request, options),
        },
        async ({ output }, answer, [, , { dryRun }]) =>
          output.line(
            output.json ? messageJson(RestoreSnapshotResponse, answer) : restoredText(answer, dryRun === true),
          ),
      ),
    );
}

function deleteSnapshot(deps: CliDeps): Command {
  return snapshotCommand('delete', 'delete a snapshot')
    .addOption(byOption())
    .action(
      deletes(deps, {
        request: requestOf,
        call: ({ consumers }, request, options) => consumers.deleteSnapshot(request, options),
        named: (_, name) => `snapshot ${name}`,
      }),
    );
}

function snapshotCommand(name: string, summary: string): Command {
  return consumerCommand(name, summary).argument('<snapshot>', 'name of the snapshot');
}

function requestOf(consumer: string, name: string, { context, by }: SnapshotFlags) {
  return { consumer, name, ...defined({ context, by }) };
}

function savedText({ snapshot, replaced }: SaveSnapshotResponse): string {
  const { name, offset, doneTo } = answered(snapshot);
  const above = doneTo === 0n ? '' : `, with what is done above it up to ${doneTo}`;
  const former =
    replaced === undefined ? '' : `; it was at ${replaced.offset}, saved ${timestampText(replaced.savedAt)}`;
  return `snapshot ${name}: offset ${offset}${above}${former}`;
}

function restoredText(answer: RestoreSnapshotResponse, dryRun: boolean): string {
  const only = '; the consumer selects otherwise since then, so that what was done above the offset counts for nothing';
  return `${seekText(answer, dryRun)}${answer.offsetOnly ? only : ''}`;
}
