// `madeleine stats`: the events of a period by day, with bars, by topic and by stream.

import type { Command } from 'commander';
import {
  type DayStats,
  type EventStats,
  type GetStatsRequest,
  GetStatsResponse,
} from '../../../../generated/madeleine/v1/admin_service.js';
import { calls } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageJson } from '../../text/event-json.js';
import { type Column, type Output, printable, tableLines } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { countOrZero, defined } from '../../text/values.js';

interface StatsFlags extends ClientOptions {
  readonly context?: string;
  readonly month?: string;
  readonly days?: string;
  readonly streams?: number;
  readonly topics?: number;
  readonly reserved?: true;
}

const HELP = `
Days are those by UTC. Events are counted a second or so after they occurred.

Examples:
  $ madeleine stats
  $ madeleine stats --context all --month 2026-10
  $ madeleine stats --days 2026-11-01..2026-11-07 --streams 100 --json`;

/** Characters of the longest bar. */
const BAR = 30;

export function statsCommand(deps: CliDeps): Command {
  return clientCommand('stats', 'show how many events occurred: by day, by topic, and the streams with the most')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--month <YYYY-MM>', 'the month (default: the present one)')
    .option('--days <first..last>', 'instead of a month: days, such as 2026-11-01..2026-11-07')
    .option('--streams <count>', 'streams to show, up to 100 (default 10)', countOrZero)
    .option('--topics <count>', 'topics to show, up to 1,000 (default 100)', countOrZero)
    .option('--reserved', "count the server's own topics, madeleine.*, too")
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        { request: requestOf, call: ({ admin }, request, options) => admin.getStats(request, options) },
        ({ output }, stats, [{ context }]) => printStats(output, stats, context),
      ),
    );
}

function requestOf({ context, month, days, streams, topics, reserved }: StatsFlags): Partial<GetStatsRequest> {
  const rest = defined({ context, month, topStreams: streams, topTopics: topics, reservedTopics: reserved });
  return { ...rest, ...(days === undefined ? {} : daysOf(days)) };
}

function daysOf(text: string): Pick<GetStatsRequest, 'firstDay' | 'lastDay'> {
  const [, firstDay, lastDay] = /^([^.]+)\.\.([^.]+)$/.exec(text) ?? [];
  if (firstDay === undefined || lastDay === undefined) {
    throw new UsageError('--days takes two days, such as 2026-11-01..2026-11-07');
  }
  return { firstDay, lastDay };
}

async function printStats(output: Output, stats: GetStatsResponse, context = 'default'): Promise<void> {
  if (output.json) return output.line(messageJson(GetStatsResponse, stats));
  for (const line of statsLines(stats, context)) await output.line(line);
}

/** The answer as text for people. */
export function statsLines(stats: GetStatsResponse, context: string): string[] {
  const { days, topics, streams } = stats;
  return [
    printable(headline(stats, context)),
    ...['', ...tableLines(days, dayColumns(days))],
    ...(topics.length === 0 ? [] : ['', ...tableLines(topics, eventColumns('TOPIC', context))]),
    ...(streams.length === 0 ? [] : ['', ...tableLines(streams, eventColumns('STREAM', context))]),
  ];
}

function headline({ firstDay, lastDay, events, bytes, asOfPosition, asOf }: GetStatsResponse, context: string): string {
  const counted =
    asOf === undefined ? 'nothing is counted yet' : `counted up to position ${asOfPosition} of ${timestampText(asOf)}`;
  return `${context} from ${firstDay} to ${lastDay}: ${events} events, ${bytes} bytes; ${counted}`;
}

function dayColumns(days: readonly DayStats[]): readonly Column<DayStats>[] {
  const most = Math.max(1, ...days.map(({ events }) => Number(events)));
  return [
    { title: 'DAY', text: ({ day }) => day },
    { title: 'EVENTS', text: ({ events }) => String(events), right: true },
    { title: 'CHANGE', text: changeText, right: true },
    { title: '', text: ({ events }) => '█'.repeat(Math.ceil((BAR * Number(events)) / most)) },
  ];
}

/** The change against the day before, in percent as well where that says something. */
function changeText({ change, changePercent }: DayStats): string {
  const sign = change > 0n ? '+' : '';
  return `${sign}${change}${changePercent === undefined ? '' : ` (${sign}${changePercent.toFixed(1)}%)`}`;
}

function eventColumns(title: string, context: string): readonly Column<EventStats>[] {
  return [
    ...(context === 'all' ? [{ title: 'CONTEXT', text: (row: EventStats) => row.context }] : []),
    { title, text: ({ name }) => name },
    { title: 'EVENTS', text: ({ events }) => String(events), right: true },
    { title: 'BYTES', text: ({ bytes }) => String(bytes), right: true },
  ];
}
