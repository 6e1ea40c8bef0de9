// A log with everything that may go with its entries, made of random choices; the rows of it; and what a naive model says that retention
// does to it.

import { randomBytes } from 'node:crypto';
import { FiringState } from '../../../src/domain/cawins/cawin.js';
import { DEFAULT_SETTINGS } from '../../../src/domain/consumers/consumer.js';
import { encodeRanges } from '../../../src/domain/consumers/position-ranges.js';
import { encodeShape, shapeOf } from '../../../src/domain/descriptions/shape.js';
import { ShapeMatcher } from '../../../src/domain/descriptions/shape-matcher.js';
import { EntryKind } from '../../../src/domain/events/event.js';
import { RetentionMode } from '../../../src/domain/retention/retention-policy.js';
import type { Database } from '../../../src/storage/mysql/sql/database.js';
import type { RetentionTopic } from '../../../src/storage/ports/retention-storage.js';
import type { RandomChoices } from '../random.js';

export const DAY = 86_400_000_000;
/** The present, as the database's clock shows it. */
export const NOW = 20_000 * DAY;
const TOPICS = ['orders', 'invoices', 'held', 'permanent'];
const TAGS = ['red', 'blue'];

export interface ModelEntry {
  readonly position: number;
  readonly topic: string;
  readonly stream: string | undefined;
  readonly tag: string;
  readonly at: number;
  readonly payload: string;
  readonly messageId: Buffer;
  /** Whether a client gave the message id. */
  readonly isGiven: boolean;
  /** An awaited event that it ended besides. */
  readonly endedId: number | undefined;
  /** Whether it withdraws an event that had occurred, and that is gone: it has no payload of its own. */
  readonly withdraws: boolean;
  /** Cawins on it: whether each has a callback to make. */
  readonly cawins: readonly boolean[];
}

export interface ModelConsumer {
  readonly id: number;
  readonly topics: readonly string[];
  readonly tags: readonly string[];
  readonly total: number | undefined;
  /** Whether it gets what withdraws events, too. */
  readonly getsWithdrawals: boolean;
  readonly offset: number;
  readonly acked: ReadonlySet<number>;
  readonly isEphemeral: boolean;
  /** Positions by when they were parked. */
  readonly parked: ReadonlyMap<number, number>;
}

export interface World {
  readonly entries: readonly ModelEntry[];
  readonly consumers: readonly ModelConsumer[];
  readonly topics: readonly RetentionTopic[];
  /** What is at or below is settled. */
  readonly settledTo: number;
}

/** A log of up to 200 days, of which the last part is of today. */
export function makeWorld(choices: RandomChoices, size = choices.between(0, 120)): World {
  const entries: ModelEntry[] = [];
  let at = NOW - choices.between(1, 200) * DAY;
  for (let position = 1; position <= size; position += 1) {
    at = Math.min(NOW, at + choices.between(1, Math.ceil((2 * (NOW - at)) / (size - position + 1))));
    if (choices.chance(0.05)) continue;
    entries.push({
      ...{ position, at, topic: choices.of(TOPICS) as string, tag: choices.of(TAGS) as string },
      stream: choices.chance(0.5) ? choices.of(['s1', 's2']) : undefined,
      payload: JSON.stringify({ total: choices.between(1, 3), pad: 'x'.repeat(choices.between(0, 50)) }),
      withdraws: choices.chance(0.15),
      messageId: randomBytes(16),
      isGiven: choices.chance(0.5),
      endedId: choices.chance(0.2) ? 10_000 + position : undefined,
      cawins: choices.chance(0.2) ? Array.from({ length: choices.between(1, 3) }, () => choices.chance(0.3)) : [],
    });
  }
  const policyOf = (ageMicros: number, mode: RetentionMode) => ({ ageMicros, mode, unreadWarning: 'none' });
  const topics = [
    { name: 'orders', policy: policyOf(choices.of([2 * DAY, 10 * DAY, DAY / 2]), RetentionMode.EXPIRE) },
    { name: 'invoices', policy: policyOf(choices.of([DAY / 24, 150 * DAY]), RetentionMode.EXPIRE) },
    { name: 'held', policy: policyOf(choices.of([DAY, 30 * DAY]), RetentionMode.HOLD) },
  ].map((topic) => ({ ...topic, topicId: TOPICS.indexOf(topic.name) + 1, context: 'default' }));
  const consumers = Array.from({ length: choices.between(0, 4) }, (_, n) => makeConsumer(choices, n + 1, entries));
  return { entries, consumers, topics, settledTo: choices.chance(0.2) ? choices.between(0, size) : size };
}

function makeConsumer(choices: RandomChoices, id: number, entries: readonly ModelEntry[]): ModelConsumer {
  const last = entries.at(-1)?.position ?? 0;
  const offset = choices.between(0, last);
  const above = entries.filter(({ position }) => position > offset);
  return {
    ...{ id, offset, isEphemeral: choices.chance(0.2) },
    topics: choices.chance(0.5) ? choices.some(TOPICS, 0.5) : [],
    tags: choices.chance(0.4) ? [choices.of(TAGS) as string] : [],
    total: choices.chance(0.3) ? choices.between(1, 3) : undefined,
    getsWithdrawals: choices.chance(0.5),
    acked: new Set(choices.some(above, 0.2).map(({ position }) => position)),
    parked: new Map(
      choices
        .some(
          entries.filter(({ position }) => position <= offset),
          0.1,
        )
        .map(({ position }) => [position, NOW - choices.between(1, 120) * DAY]),
    ),
  };
}

const SHAPE = shapeOf([['total']]);
const MATCHER = new ShapeMatcher([SHAPE]);
const hashOf = ({ payload }: ModelEntry) => MATCHER.match(Buffer.from(payload))[0]?.hash as Buffer;

/** Empties the tables and writes the world down. */
export async function storeWorld(database: Database, world: World): Promise<void> {
  const { entries, consumers, settledTo } = world;
  for (const table of TABLES) await database.query(`DELETE FROM ${table}`);
  const last = entries.at(-1)?.position ?? 0;
  await database.query('UPDATE log_head SET position = ?, ledgered_at = 0 WHERE id = 1', [last + 1]);
  await database.query('UPDATE count_cursor SET position = ? WHERE id = 1', [settledTo]);
  await database.query('UPDATE firing_cursor SET position = ? WHERE id = 1', [last + 1]);
  await database.query(
    "UPDATE retention_cursor SET owner = '', lease_until = 0, sampled_at = 0, stopped_at = NULL, waits_until = 0",
  );
  await database.query("INSERT INTO context (id, name) VALUES (1, 'default')");
  for (const [index, name] of TOPICS.entries()) {
    await database.query('INSERT INTO topic (id, context_id, name) VALUES (?, 1, ?)', [index + 1, Buffer.from(name)]);
  }
  for (const [index, name] of ['s1', 's2'].entries()) {
    await database.query(
      `INSERT INTO stream (id, context_id, name, owner, epoch, last_sequence, first_position, last_position, first_event_at,
         last_event_at) VALUES (?, 1, ?, 'shop', 1, 1, 1, 1, 1, 1)`,
      [index + 1, Buffer.from(name)],
    );
  }
  await insert(database, 'shape (id, topic_id, digest, paths, ready, watched_after, built_to, needed_at)', [
    [7, 1, SHAPE.digest, encodeShape(SHAPE), 1, 0, 0, 0],
  ]);
  await insert(
    database,
    `log (position, kind, event_id, context_id, topic_id, stream_id, message_id, digest, created_at, version, subject, issuer, tag,
      payload_bytes, payload, envelope)`,
    entries.map((entry) => [
      ...[entry.position, kindOf(entry), entry.position, 1, topicIdOf(entry)],
      entry.stream === undefined ? null : entry.stream === 's1' ? 1 : 2,
      ...[entry.messageId, entry.isGiven ? Buffer.alloc(32, 1) : null, entry.at, 1, 0, 'shop', Buffer.from(entry.tag)],
      ...(entry.withdraws ? [0, null, '{"occurredAt":1}'] : [entry.payload.length, Buffer.from(entry.payload), null]),
    ]),
  );
  const ofOrders = entries.filter(({ topic, withdraws }) => topic === 'orders' && !withdraws);
  const indexed = ofOrders.map((entry) => [7, hashOf(entry), entry.position]);
  await insert(database, 'shape_index (shape_id, value_hash, position)', indexed);
  await insert(
    database,
    'event_identity (topic_id, digest, event_id, position)',
    entries.map((entry) => [topicIdOf(entry), Buffer.alloc(34, entry.position), entry.position, entry.position]),
  );
  await insert(
    database,
    `wait (event_id, context_id, topic_id, version, shape_id, value_hash, state, created_at, expires_at, entry_event_id, position,
      issuer, message_id, description)`,
    entries.flatMap((entry) =>
      entry.endedId === undefined
        ? []
        : [
            [
              ...[entry.endedId, 1, topicIdOf(entry), 1, 7, hashOf(entry), EntryKind.OCCURRED, entry.at, entry.at],
              ...[entry.position, entry.position, 'shop', entry.messageId, '{}'],
            ],
          ],
    ),
  );
  const cawins = entries.flatMap((entry) => entry.cawins.map((isOpen) => ({ entry, isOpen })));
  await insert(
    database,
    'cawin (id, event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms, signed, created_at)',
    // Some are on what the event ended besides.
    cawins.map(({ entry }, n) => [n + 1, entry.endedId ?? entry.position, 1, 1, 1, 2, 1, 'http://x', '[]', 1, 0, 1]),
  );
  await insert(
    database,
    'firing (cawin_id, kind, position, endpoint_id, state, due_at, token, attempts, round_start, created_at)',
    cawins.map(({ entry, isOpen }, n) => {
      return [n + 1, 1, entry.position, 1, isOpen ? FiringState.PENDING : FiringState.DELIVERED, 1, 0, 1, 0, 1];
    }),
  );
  await insert(
    database,
    'attempt (cawin_id, kind, number, started_at, outcome, reason, status, status_code, latency_us, first_bytes, error)',
    cawins.map((_, n) => [n + 1, 1, 1, 1, 1, '', '', 200, 1, '', '']),
  );
  await insert(
    database,
    `consumer (id, context, name, settings, ephemeral, generation, generation_lease, next_lease, acked_to, acked_above, created_at,
      owner, owner_address, owner_epoch, lease_until)`,
    consumers.map((consumer) => [
      ...[
        consumer.id,
        'default',
        `c${consumer.id}`,
        settingsOf(consumer),
        consumer.isEphemeral ? 1 : 0,
        1,
        1,
        1,
        consumer.offset,
      ],
      Buffer.from(encodeRanges([...consumer.acked].sort((a, b) => a - b).map((position) => [position, position]))),
      ...[1, '', '', 0, '2020-01-01'],
    ]),
  );
  await insert(
    database,
    'consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state, parked_at)',
    consumers.flatMap(({ id, parked }) => [...parked].map(([position, at]) => [id, position, 1, 0, 0, '', 2, at])),
  );
}

const TABLES = [
  ...[
    'log',
    'context',
    'topic',
    'stream',
    'shape',
    'shape_index',
    'event_identity',
    'wait',
    'push_ledger',
    'cawin',
    'firing',
  ],
  ...[
    'attempt',
    'consumer',
    'consumer_trouble',
    'retention_topic',
    'retention_stream',
    'retention_kept',
    'leapt_span',
    'consumer_gap',
    'deleted_topic',
  ],
];

function settingsOf({ topics, tags, total, getsWithdrawals }: ModelConsumer): string {
  const description = total === undefined ? {} : { description: JSON.stringify({ total }) };
  const kinds = getsWithdrawals ? [EntryKind.OCCURRED, EntryKind.INVALIDATED] : [];
  return JSON.stringify({ ...DEFAULT_SETTINGS, filter: { topics, tags, kinds, ...description } });
}

function kindOf({ withdraws }: ModelEntry): EntryKind {
  return withdraws ? EntryKind.INVALIDATED : EntryKind.OCCURRED;
}

function topicIdOf({ topic }: ModelEntry): number {
  return TOPICS.indexOf(topic) + 1;
}

async function insert(
  database: Database,
  into: string,
  rows: readonly (readonly (string | number | Buffer | null)[])[],
) {
  const [first] = rows;
  if (first === undefined) return;
  const row = `(${first.map(() => '?').join()})`;
  await database.query(`INSERT INTO ${into} VALUES ${rows.map(() => row).join()}`, rows.flat());
}

/** What is left, and what is told, once everything is deleted that is due. */
export interface Expected {
  readonly stored: readonly number[];
  readonly kept: readonly number[];
  /** How many events each consumer had not passed, or had parked; without those that lost none. */
  readonly unread: readonly (readonly [consumer: number, events: number])[];
  /** Message ids in the ledger. */
  readonly ledger: readonly string[];
}

/** What retention does, said event by event. */
export function expectedOf({ entries, consumers, topics, settledTo }: World): Expected {
  const gone = new Set<ModelEntry>();
  const kept: number[] = [];
  const unread = new Map<number, number>();
  const unpassed = (entry: ModelEntry) => consumers.filter((consumer) => isUnpassed(consumer, entry));
  for (const { name, policy } of topics) {
    const age = policy.ageMicros as number;
    for (const entry of entries.filter(({ topic, position }) => topic === name && position <= settledTo)) {
      if (NOW - entry.at < age) break;
      const isOverdue = policy.mode === RetentionMode.EXPIRE || NOW - entry.at >= age + 30 * DAY;
      const by = unpassed(entry);
      if (!isOverdue && by.length > 0) break;
      const isParked = consumers.some(({ parked }) => (parked.get(entry.position) ?? 0) > NOW - 90 * DAY);
      if (isParked || entry.cawins.includes(true)) {
        kept.push(entry.position);
        continue;
      }
      gone.add(entry);
      const losers = consumers.filter(
        (one) => by.includes(one) || (!one.isEphemeral && one.parked.has(entry.position)),
      );
      for (const { id } of losers) unread.set(id, (unread.get(id) ?? 0) + 1);
    }
  }
  return {
    stored: entries.filter((entry) => !gone.has(entry)).map(({ position }) => position),
    kept: kept.sort((a, b) => a - b),
    unread: [...unread].sort(([a], [b]) => a - b),
    ledger: [...gone]
      .filter(({ at, isGiven, withdraws }) => isGiven && !withdraws && NOW - at < DAY)
      .map(({ messageId }) => messageId.toString('hex'))
      .sort(),
  };
}

export function isUnpassed(
  { topics, tags, total, getsWithdrawals, offset, acked, isEphemeral }: ModelConsumer,
  entry: ModelEntry,
): boolean {
  if (isEphemeral || entry.position <= offset || acked.has(entry.position)) return false;
  if (topics.length > 0 && !topics.includes(entry.topic)) return false;
  if (tags.length > 0 && !tags.includes(entry.tag)) return false;
  // Nothing tells whether what it withdraws had the total.
  if (entry.withdraws) return getsWithdrawals;
  return total === undefined || (JSON.parse(entry.payload) as { total: number }).total === total;
}
