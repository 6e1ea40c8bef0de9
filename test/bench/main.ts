// `make bench`: each figure as a ratio to its limit, measured in the same run by the same client against its own processes.

import { readFile, writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { withPart } from '../docs/generated-parts.js';
import { History, type Settings } from './history.js';
import { type BenchOptions, HELP, readOptions, UsageError } from './options.js';
import { figureLine, publishedText, reportText } from './report.js';
import { type Figure, isReached, type Row } from './row.js';
import { ABUSE_ROWS } from './rows/abuse.js';
import { CALLBACK_ROWS } from './rows/callbacks.js';
import { CawinsRow } from './rows/cawins.js';
import { CONSUMER_ROWS } from './rows/consumers.js';
import { FAR_DATABASE_ROWS } from './rows/far-database.js';
import { GrowthRow } from './rows/growth.js';
import { IDLE_ROWS } from './rows/idle.js';
import { INSTANCE_ROWS } from './rows/instances.js';
import { LATENCY_ROWS } from './rows/latency.js';
import { MATCHING_ROWS } from './rows/matching.js';
import { PUSH_ROWS } from './rows/push.js';
import { RareRow } from './rows/rare.js';
import { RetentionRow } from './rows/retention.js';
import { SCHEMA_ROWS } from './rows/schemas.js';
import { STATISTICS_ROWS } from './rows/statistics.js';
import { WaitsRow } from './rows/waits.js';
import { machine, Stage } from './stage.js';

/** Where the published figures stand. */
const PAGE = 'docs/performance.md';
const HISTORY = '.bench';
/** Waits that are open in every run; more where asked for. */
const SOME_WAITS = 10_000;
/** As the embedded database: a quarter of the memory. */
const BUFFER_POOL_MIB = Math.floor(totalmem() / 2 ** 20 / 4);

function rowsOf({ only, abuse, growth, retention, rare, waits }: BenchOptions): readonly Row[] {
  const usual = [
    ...[...PUSH_ROWS, ...CONSUMER_ROWS, ...LATENCY_ROWS, ...IDLE_ROWS, ...FAR_DATABASE_ROWS, ...INSTANCE_ROWS],
    ...[...MATCHING_ROWS, ...SCHEMA_ROWS, new WaitsRow(SOME_WAITS), ...CALLBACK_ROWS, ...STATISTICS_ROWS],
    ...(waits === undefined ? [] : [new WaitsRow(waits), new CawinsRow(waits)]),
    ...(growth === undefined ? [] : [new GrowthRow(growth)]),
    ...(retention === undefined ? [] : [new RetentionRow(retention)]),
    ...(rare === undefined ? [] : [new RareRow(rare)]),
  ];
  const rows = abuse ? ABUSE_ROWS : usual;
  const wanted = only.toLowerCase();
  return rows.filter(({ figures }) => figures.some((figure) => figure.toLowerCase().includes(wanted)));
}

/** Measures row by row, on a stage that is gone afterwards. */
async function measure(options: BenchOptions): Promise<{ settings: Settings; figures: readonly Figure[] }> {
  const rows = rowsOf(options);
  if (rows.length === 0) throw new UsageError(`no figure has "${options.only}" in its name`);
  const stage = await Stage.open({ bufferPoolMiB: BUFFER_POOL_MIB });
  try {
    const rounds = `${options.rounds}, medians; client, server and database share the machine`;
    const settings = { ...(await stage.settings()), rounds };
    const figures: Figure[] = [];
    for (const row of rows) {
      for (const figure of await row.measure({ stage, rounds: options.rounds })) {
        figures.push(figure);
        process.stderr.write(`${figureLine(figure)}\n`);
      }
    }
    return { settings, figures };
  } finally {
    await stage.close();
  }
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === undefined) {
    process.stdout.write(HELP);
    return 0;
  }
  const at = new Date();
  const { settings, figures } = await measure(options);
  const history = new History(HISTORY);
  process.stdout.write(reportText(settings, figures, await history.newest(machine())));
  await history.add(settings, figures, at);
  if (options.publish) {
    const command = `make bench ARGS="${args.join(' ')}"`;
    const text = publishedText(settings, figures, { at, command });
    await writeFile(PAGE, withPart(await readFile(PAGE, 'utf8'), 'bench', text));
  }
  return options.strict && figures.some((figure) => isReached(figure) === false) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
