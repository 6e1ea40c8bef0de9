// `madeleine retention`: tells what would go, how far the deletion is, and lets it go on after a leap of the clock.

import type { Command } from 'commander';
import {
  type ArchiveHold,
  type GetRetentionStateResponse,
  PreviewRetentionResponse,
  ResumeRetentionResponse,
  RetentionMode,
  TopicRetention,
  type TopicSettings,
} from '../../../../generated/madeleine/v1/topic_service.js';
import { calls, commandGroup, listCommand, lists, shows } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined, uint64 } from '../../text/values.js';
import { retentionMode } from './setting-options.js';

interface PreviewFlags extends ClientOptions {
  readonly context?: string;
  readonly ttl?: string;
  readonly retentionMode?: RetentionMode;
  readonly maxEventsPerStream?: bigint;
  readonly maxBytesPerStream?: bigint;
}

interface StateFlags extends ClientOptions {
  readonly context?: string;
}

const PREVIEW_COLUMNS: readonly Column<PreviewRetentionResponse>[] = [
  { title: 'EVENTS', text: ({ events, atLeast }) => counted(events, atLeast), right: true },
  { title: 'BYTES', text: ({ bytes, atLeast }) => counted(bytes, atLeast), right: true },
  { title: 'OLDEST', text: ({ oldestAt }) => timestampText(oldestAt) },
  { title: 'NEWEST', text: ({ newestAt }) => timestampText(newestAt) },
  { title: 'HELD FROM', text: ({ heldFrom }) => (heldFrom === 0n ? '' : `position ${heldFrom}`) },
  { title: 'NOT PASSED BY', text: ({ notPassed }) => notPassed.map(holder).join(', ') },
  { title: 'HELD BY', text: ({ archiveHold }) => archiveHeld(archiveHold) },
];
const PREVIEW = messageView(PreviewRetentionResponse, PREVIEW_COLUMNS);

const STATE_COLUMNS: readonly Column<TopicRetention>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ name }) => name },
  { title: 'TTL', text: ({ ttl }) => ttl },
  { title: 'MODE', text: (one) => (one.retentionMode === RetentionMode.RETENTION_MODE_HOLD ? 'hold' : 'expire') },
  { title: 'PER STREAM', text: limitsText },
  { title: 'DELETED', text: ({ deletedEvents }) => String(deletedEvents), right: true },
  { title: 'BYTES', text: ({ deletedBytes }) => String(deletedBytes), right: true },
  { title: 'LAST', text: ({ deletedAt }) => timestampText(deletedAt) },
  { title: 'OLDEST', text: ({ oldestAt }) => timestampText(oldestAt) },
  { title: 'OVERDUE', text: ({ overdueSeconds }) => `${overdueSeconds}s`, right: true },
  { title: 'KEPT', text: ({ keptParked, keptCallbacks }) => String(keptParked + keptCallbacks), right: true },
  { title: 'ARCHIVE', text: ({ archive }) => (archive ? 'yes' : '') },
  {
    title: 'HELD BY',
    text: ({ heldBy, archiveHold }) =>
      [...heldBy.map(({ consumer }) => consumer), archiveHeld(archiveHold)].filter((text) => text !== '').join(', '),
  },
];
const STATE = messageView(TopicRetention, STATE_COLUMNS);

/** Why a topic is not deleted of, if its archive is why. */
function archiveHeld(hold: ArchiveHold | undefined): string {
  return hold === undefined
    ? ''
    : `the archive since ${timestampText(hold.since)}: ${hold.problem}, on ${hold.instance}`;
}

const HELP = `
Examples:
  $ madeleine retention state --context all
  $ madeleine retention preview logs --ttl 24days
  $ madeleine retention resume`;

export function retentionCommand(deps: CliDeps): Command {
  const parent = {
    name: 'retention',
    summary: 'how long events are kept: how far the deletion is, what would go, and going on after a leap of the clock',
    help: HELP,
  };
  return commandGroup(deps, parent, [state, preview, resume]);
}

function state(deps: CliDeps): Command {
  let said = false;
  return listCommand('state', 'list topics that do not keep everything, with what went and what is held').action(
    lists(deps, STATE, {
      request: ({ context }: StateFlags) => defined({ context }),
      call: async ({ topics }, request, options) => {
        const answer = await topics.getRetentionState(request, options);
        if (!said) for (const line of standing(answer)) deps.stderr.write(`madeleine: ${line}\n`);
        said = true;
        return answer;
      },
      items: ({ topics }) => topics,
    }),
  );
}

/** Why nothing is deleted, if nothing is. */
function standing({ stoppedAt, leaptSeconds, waitsUntil }: GetRetentionStateResponse): string[] {
  if (stoppedAt !== undefined) {
    const by = `${leaptSeconds < 0n ? 'back ' : ''}by ${leaptSeconds < 0n ? -leaptSeconds : leaptSeconds} s`;
    return [
      `nothing is deleted since ${timestampText(stoppedAt)}: the clock of the database leapt ${by}; once it is right: madeleine retention resume`,
    ];
  }
  if (waitsUntil === undefined) return [];
  return [`nothing is deleted until ${timestampText(waitsUntil)}, as no instance had run for more than a day`];
}

function preview(deps: CliDeps): Command {
  return clientCommand('preview', 'tell what would be deleted of a topic now, and delete nothing')
    .argument('<topic>', 'name of the topic')
    .option('--context <name>', 'context (default "default")')
    .option('--ttl <time>', 'by this ttl instead of the registered one')
    .option('--max-events-per-stream <n>', 'by this number of events in each stream', uint64)
    .option('--max-bytes-per-stream <bytes>', 'by this size of what is in each stream', uint64)
    .option('--retention-mode <mode>', 'by this mode: expire or hold', retentionMode)
    .action(
      shows(deps, PREVIEW, {
        request: (name: string, { context, ...flags }: PreviewFlags) => {
          const settings = settingsOf(flags);
          return { name, ...defined({ context }), ...(Object.keys(settings).length === 0 ? {} : { settings }) };
        },
        call: ({ topics }, request, options) => topics.previewRetention(request, options),
        item: (answer) => answer,
      }),
    );
}

function settingsOf(flags: PreviewFlags): Partial<TopicSettings> {
  const { ttl, retentionMode: mode, maxEventsPerStream, maxBytesPerStream } = flags;
  return defined({ ttl, retentionMode: mode, maxEventsPerStream, maxBytesPerStream });
}

/** What is kept in each stream; empty: anything. */
function limitsText({ maxEventsPerStream: events, maxBytesPerStream: bytes }: TopicRetention): string {
  return [events === 0n ? [] : `${events} events`, bytes === 0n ? [] : `${bytes} bytes`].flat().join(', ');
}

function resume(deps: CliDeps): Command {
  return clientCommand('resume', 'let deletion go on that a leap of the clock stopped')
    .addOption(byOption())
    .action(
      calls(
        deps,
        {
          request: ({ by }: ClientOptions & ByFlag) => defined({ by }),
          call: ({ topics }, request, options) => topics.resumeRetention(request, options),
        },
        async ({ output }, answer) => {
          if (output.json) await output.item(answer, RESUMED);
          else await output.line(answer.resumed ? 'deletion goes on' : 'nothing had stopped it');
        },
      ),
    );
}

const RESUMED = messageView(ResumeRetentionResponse, [{ title: 'RESUMED', text: ({ resumed }) => String(resumed) }]);

function counted(count: bigint, atLeast: boolean): string {
  return `${count}${atLeast ? '+' : ''}`;
}

function holder({ consumer, events, atLeast }: PreviewRetentionResponse['notPassed'][number]): string {
  return `${consumer} (${counted(events, atLeast)})`;
}
