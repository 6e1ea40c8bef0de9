// What is looked at while nothing is under way: of the instance that runs all the time, and of the database.

import type { BenchProcess } from '../bench/processes.js';
import { settledMemory } from '../bench/processes.js';
import type { Stage } from '../bench/stage.js';
import { metric } from '../support/server/metrics.js';

const MIB = 2 ** 20;
/** What comes and goes leaves no row here. */
const SIDE_TABLES = [
  'consumer',
  'consumer_trouble',
  'cawin',
  'firing',
  'attempt',
  'instance',
  'endpoint',
  'shape',
] as const;
const OPEN_WAITS = 'open waits';

/** How much of a gauge's first values may have been added at the end and still count as flat. */
interface Slack {
  readonly share: number;
  readonly more: number;
}

const MEMORY: Slack = { share: 0.1, more: 4 };
const COUNTED: Slack = { share: 0, more: 4 };

/** The gauges by name, in the order in which they are shown. */
export const GAUGES: { readonly [name: string]: Slack } = {
  'heap MiB': MEMORY,
  'external MiB': MEMORY,
  // Pages that a collection has emptied are given back late.
  'resident MiB': { share: 0.25, more: 32 },
  sockets: COUNTED,
  timers: { share: 0.1, more: 8 },
  files: COUNTED,
  [OPEN_WAITS]: COUNTED,
  ...Object.fromEntries(SIDE_TABLES.map((table) => [`rows of ${table}`, COUNTED])),
};

export type Look = { readonly [gauge: string]: number };

export async function look(server: BenchProcess, stage: Stage, database: string): Promise<Look> {
  const memory = await settledMemory(server);
  const resources = (type: string) =>
    metric(server.httpAddress, new RegExp(`^nodejs_active_resources\\{type="${type}"\\} (\\S+)$`));
  return {
    'heap MiB': rounded(memory.heapUsed / MIB),
    'external MiB': rounded(memory.external / MIB),
    'resident MiB': rounded(memory.rss / MIB),
    sockets: await resources('TCPSocketWrap'),
    timers: await resources('Timeout'),
    files: await server.metric('process_open_fds'),
    ...(await rows(stage, database)),
  };
}

async function rows(stage: Stage, database: string): Promise<Look> {
  const counts = [
    `(SELECT COUNT(*) FROM ${database}.wait WHERE state = 0) AS \`${OPEN_WAITS}\``,
    ...SIDE_TABLES.map((table) => `(SELECT COUNT(*) FROM ${database}.${table}) AS \`rows of ${table}\``),
  ];
  const [row = {}] = await stage.query(`SELECT ${counts.join(', ')}`);
  return Object.fromEntries(Object.entries(row).map(([name, count]) => [name, Number(count)]));
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
