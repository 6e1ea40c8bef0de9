// The demo: replays every example webhook of GitHub while consumers read and acknowledge them, then compares what was
// pushed, consumed and stored, by topic. Run it with `make demo`; it may be run again: the same events are duplicates then,
// and the consumers read all of them once more.

import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type NewEvent, PayloadEncoding } from '../generated/madeleine/v1/event.js';
import { Outcome } from '../generated/madeleine/v1/event_service.js';
import { type Batch, BatchPusher } from '../src/cli/connection/batch-pusher.js';
import { MadeleineClient } from '../src/cli/connection/client.js';
import { describeFailure } from '../src/cli/connection/failures.js';
import { tableLines } from '../src/cli/text/output.js';
import { DemoConsumer } from './demo-consumer.js';
import { findOrStartServer } from './demo-server.js';
import { countSql, runCountSql } from './demo-sql.js';
import { loadWebhooks, webhookEvents } from './webhook-events.js';

const BATCH = 20;
const CONSUME_MS = 60_000;
/** Topics of the second consumer: what a build server would listen to. */
const CI_TOPICS = ['check_run', 'check_suite', 'status', 'workflow_dispatch', 'workflow_job', 'workflow_run'];

interface TopicRow {
  readonly topic: string;
  readonly pushed: number;
  readonly consumed: number;
  readonly stored: number;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(context: string): Promise<boolean> {
  const server = await findOrStartServer();
  const stopped = new AbortController();
  const client = new MadeleineClient({ address: server.address, signal: stopped.signal });
  try {
    await client.connect();
    say(`server at ${server.address}${server.dataDir === undefined ? '' : ', started for this demo'}`);
    const rows = await replay(client, context);
    const equal = printTable(rows) && (await compareSql(context, server.dataDir, rows));
    say(equal ? 'pushed = consumed = stored for every topic' : 'the counts DIFFER');
    return equal;
  } finally {
    stopped.abort();
    client.close();
    await server.stop();
  }
}

/** Pushes everything while two consumers read it; returns the counts by topic. */
async function replay(client: MadeleineClient, context: string): Promise<readonly TopicRow[]> {
  const events = webhookEvents(loadWebhooks(), context);
  const archive = new DemoConsumer({ client, context, consumer: 'archive', topics: [], members: 3 });
  const ci = new DemoConsumer({ client, context, consumer: 'ci', topics: CI_TOPICS, members: 1 });
  await Promise.all([archive.start(), ci.start()]);
  try {
    const pushed = await pushAll(client, events);
    const forCi = events.filter(({ topic = '' }) => CI_TOPICS.includes(topic)).length;
    await untilConsumed(archive, events.length);
    await untilConsumed(ci, forCi);
    const members = [...archive.byMember()].map(([member, n]) => `${member} ${n}`).sort();
    say(`consumer archive acknowledged ${archive.acknowledged} events (${members.join(', ')})`);
    say(`consumer ci acknowledged ${ci.acknowledged} of the ${forCi} events of its ${CI_TOPICS.length} topics`);
    return topicRows(pushed, archive.byTopic(), await storedByTopic(client, context));
  } finally {
    await Promise.all([archive.stop(), ci.stop()]);
  }
}

async function pushAll(
  client: MadeleineClient,
  events: readonly Partial<NewEvent>[],
): Promise<ReadonlyMap<string, number>> {
  const pushed = new Map<string, number>();
  let duplicates = 0;
  let answered = 0;
  const pusher = new BatchPusher({
    client,
    signal: new AbortController().signal,
    onRetry: (why) => say(`${why}; sending again`),
    onResults: async (batch, results) => {
      for (const [index, { event, line }] of batch.events.entries()) {
        const { result } = results[index] ?? {};
        if (result?.$case !== 'receipt') throw new Error(`event ${line} was refused: ${result?.value.message}`);
        const { topic = '' } = event;
        pushed.set(topic, (pushed.get(topic) ?? 0) + 1);
        if (result.value.outcome === Outcome.OUTCOME_DUPLICATE) duplicates += 1;
      }
      answered += batch.events.length;
      if (answered % 100 < BATCH || answered === events.length) say(`pushed ${answered} of ${events.length}`);
    },
  });
  await pusher.run(batches(events));
  if (duplicates > 0) say(`${duplicates} of them were stored before, and were answered as duplicates`);
  return pushed;
}

async function* batches(events: readonly Partial<NewEvent>[]): AsyncGenerator<Batch> {
  for (let start = 0; start < events.length; start += BATCH) {
    const part = events.slice(start, start + BATCH);
    yield { events: part.map((event, index) => ({ line: start + index + 1, event })), bytes: 0 };
  }
}

/** Waits until the consumer acknowledged so many events; gives up after a minute, and then the table shows what is missing. */
async function untilConsumed(consumer: DemoConsumer, wanted: number): Promise<void> {
  const giveUpAt = Date.now() + CONSUME_MS;
  while (consumer.acknowledged < wanted && Date.now() < giveUpAt) {
    await Promise.race([delay(20), consumer.failed()]);
  }
}

async function storedByTopic(client: MadeleineClient, context: string): Promise<ReadonlyMap<string, number>> {
  const stored = new Map<string, number>();
  const request = { context, payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES };
  for await (const { events } of client.events.readEvents(request)) {
    for (const { topic } of events) stored.set(topic, (stored.get(topic) ?? 0) + 1);
  }
  return stored;
}

type Counts = ReadonlyMap<string, number>;

function topicRows(pushed: Counts, consumed: Counts, stored: Counts): readonly TopicRow[] {
  const topics = [...new Set([...pushed.keys(), ...consumed.keys(), ...stored.keys()])].sort();
  const of = (counts: Counts, topic: string) => counts.get(topic) ?? 0;
  return topics.map((topic) => ({
    topic,
    pushed: of(pushed, topic),
    consumed: of(consumed, topic),
    stored: of(stored, topic),
  }));
}

/** Prints the table with its totals; returns whether the three counts are equal in every row. */
function printTable(rows: readonly TopicRow[]): boolean {
  const sum = (of: (row: TopicRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const total = {
    topic: 'total',
    pushed: sum((r) => r.pushed),
    consumed: sum((r) => r.consumed),
    stored: sum((r) => r.stored),
  };
  const lines = tableLines(
    [...rows, total],
    [
      { title: 'TOPIC', text: (row) => row.topic },
      { title: 'PUSHED', text: (row) => String(row.pushed), right: true },
      { title: 'CONSUMED', text: (row) => String(row.consumed), right: true },
      { title: 'STORED', text: (row) => String(row.stored), right: true },
    ],
  );
  say(`\n${lines.join('\n')}\n`);
  return rows.every(({ pushed, consumed, stored }) => pushed === consumed && consumed === stored);
}

/**
 * Prints the SQL that counts the same, and runs it where the database is the demo's own; returns whether its counts are
 * those that the server gave.
 */
async function compareSql(context: string, dataDir: string | undefined, rows: readonly TopicRow[]): Promise<boolean> {
  say(`The same count in SQL:\n\n  ${countSql(context)};\n`);
  const counted = dataDir === undefined ? undefined : await runCountSql(context, dataDir);
  if (counted === undefined) return true;
  const events = [...counted.values()].reduce((sum, n) => sum + n, 0);
  say(`SQL counts ${events} events in ${counted.size} topics`);
  return rows.every(({ topic, stored }) => (counted.get(topic) ?? 0) === stored);
}

const { values } = parseArgs({ options: { context: { type: 'string', default: 'github' } } });
try {
  process.exitCode = (await main(values.context)) ? 0 : 1;
} catch (error) {
  process.stderr.write(`demo: ${describeFailure(error)}\n`);
  process.exitCode = 1;
}
