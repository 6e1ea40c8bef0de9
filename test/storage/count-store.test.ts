// The counters on the real database: whoever counts, in whatever parts and however often he ends in the middle, they are what a naive
// count of the log says.

import { beforeAll, describe, expect, it } from 'vitest';
import { EntryKind } from '../../src/domain/events/event.js';
import { addUp } from '../../src/domain/statistics/event-counts.js';
import { dayOf, daysOfMonth, monthOf, readDay } from '../../src/domain/statistics/utc-days.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { MysqlCountStore } from '../../src/storage/mysql/statistics/count-store.js';
import { MysqlStatisticsStore } from '../../src/storage/mysql/statistics/statistics-store.js';
import type { CountHold } from '../../src/storage/ports/statistics-storage.js';
import { useSchema } from '../support/database/schema-suite.js';
import { RandomChoices } from '../support/random.js';

const CONTEXTS = ['default', 'site'];
const TOPICS = ['orders', 'invoices', 'madeleine.endpoint'];
const STREAMS = ['s1', 's2', 's3'];
const POSITIONS = 12_000;
const FIRST_DAY = readDay('2026-02-26') ?? 0;
const MICROS_A_DAY = 86_400_000_000;
const SEED = 20_261_127;

interface Row {
  readonly position: number;
  readonly kind: number;
  readonly context: string;
  readonly topic: string;
  readonly stream: string | undefined;
  readonly to: string | undefined;
  readonly at: number;
  readonly bytes: number;
  readonly sequence: number | undefined;
}

/** A log over a week with a change of the month in it; some positions are not stored any more. */
function makeLog(choices: RandomChoices): Row[] {
  const sequences = new Map<string, number>();
  const rows: Row[] = [];
  for (let position = 1; position <= POSITIONS; position += 1) {
    if (choices.chance(0.01)) continue;
    const context = choices.chance(0.8) ? 'default' : 'site';
    const kind = choices.chance(0.9) ? EntryKind.OCCURRED : EntryKind.INVALIDATED;
    const stream = choices.chance(0.5) ? choices.of(STREAMS) : undefined;
    const key = `${context} ${stream}`;
    const isNext = stream !== undefined && kind === EntryKind.OCCURRED;
    if (isNext) sequences.set(key, (sequences.get(key) ?? 0) + 1);
    rows.push({
      ...{ position, kind, context, stream, at: FIRST_DAY * MICROS_A_DAY + position * 50_000_000 },
      topic:
        stream === undefined && choices.chance(0.05)
          ? 'madeleine.endpoint'
          : choices.chance(0.7)
            ? 'orders'
            : 'invoices',
      to: context === 'site' && choices.chance(0.1) ? 'mailer' : undefined,
      ...{ bytes: choices.between(0, 500), sequence: isNext ? sequences.get(key) : undefined },
    });
  }
  return rows;
}

describe('counters', () => {
  const suite = useSchema({ poolSize: 4 });
  let rows: readonly Row[];
  let counting: MysqlCountStore;
  let statistics: MysqlStatisticsStore;

  const occurred = (matches: (row: Row) => boolean, upTo = POSITIONS) =>
    rows.filter((row) => row.kind === EntryKind.OCCURRED && row.position <= upTo && matches(row));
  const numberOf = (names: readonly string[], context: string, name: string) =>
    1 + CONTEXTS.indexOf(context) * names.length + names.indexOf(name);

  beforeAll(async () => {
    rows = makeLog(new RandomChoices(SEED));
    const { database } = suite;
    for (const [index, context] of CONTEXTS.entries()) {
      await database.query('INSERT INTO context (id, name) VALUES (?, ?)', [index + 1, Buffer.from(context)]);
      for (const topic of TOPICS) {
        const id = numberOf(TOPICS, context, topic);
        await database.query('INSERT INTO topic (id, context_id, name) VALUES (?, ?, ?)', [
          id,
          index + 1,
          Buffer.from(topic),
        ]);
      }
      for (const stream of STREAMS) {
        const id = numberOf(STREAMS, context, stream);
        await database.query(
          `INSERT INTO stream (id, context_id, name, owner, epoch, last_sequence, first_position, last_position, first_event_at,
             last_event_at) VALUES (?, ?, ?, 'shop', 1, 1, 1, 1, 1, 1)`,
          [id, index + 1, Buffer.from(stream)],
        );
      }
    }
    for (let from = 0; from < rows.length; from += 1_000) {
      const chunk = rows.slice(from, from + 1_000);
      await database.query(
        `INSERT INTO log (position, kind, event_id, context_id, topic_id, stream_id, sequence, created_at, version, subject, issuer,
           recipient, payload_bytes) VALUES ${chunk.map(() => "(?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 'shop', ?, ?)").join()}`,
        chunk.flatMap((row) => [
          ...[row.position, row.kind, row.position, CONTEXTS.indexOf(row.context) + 1],
          numberOf(TOPICS, row.context, row.topic),
          row.stream === undefined ? null : numberOf(STREAMS, row.context, row.stream),
          ...[row.sequence ?? null, row.at, row.to === undefined ? null : Buffer.from(row.to), row.bytes],
        ]),
      );
    }
    const names = new Names();
    counting = new MysqlCountStore({ database, names });
    statistics = new MysqlStatisticsStore({ database, names });
  }, 60_000);

  it('are counted by one at a time, and by nobody twice', async () => {
    const choices = new RandomChoices(SEED);
    const endLease = () => suite.database.write('UPDATE count_cursor SET lease_until = 1 WHERE id = 1');
    let position = 0;
    let hold: CountHold | undefined;
    let former: CountHold | undefined;
    const add = async (by: CountHold, after: number, to: number) => {
      const { tallies, at } = await counting.tally(after, to);
      return counting.add(by, after, { position: to, at }, addUp(tallies));
    };
    for (let run = 0; position < POSITIONS; run += 1) {
      if (hold === undefined || choices.chance(0.3)) {
        if (choices.chance(0.5)) await endLease();
        else if (hold !== undefined) expect((await counting.acquire(`other ${run}`)).hold).toBeUndefined();
        former = hold ?? former;
        await endLease();
        const acquired = await counting.acquire(`instance ${run}`);
        expect(acquired.position).toBe(position);
        hold = acquired.hold;
      }
      if (hold === undefined) throw new Error('nobody counts');
      const to = Math.min(POSITIONS, position + choices.between(1, 900));
      // Who was held up for long counts nothing, and neither does who was not told that it counted.
      if (former !== undefined) expect(await add(former, position, to)).toBe(false);
      if (former !== undefined) expect(await counting.renew(former)).toBe(false);
      expect(await add(hold, position, to)).toBe(true);
      expect(await add(hold, position, to)).toBe(false);
      position = to;
    }
    if (hold !== undefined) await counting.release(hold);
    expect((await counting.acquire('next')).hold).toBeDefined();
  });

  it.each([
    ['default', false],
    ['default', true],
    ['all', false],
    ['site', true],
    ['never used', false],
  ])('are the naive counts of the context %s, with the topics of the server: %s', async (context, reserved) => {
    const inContext = (row: Row) => context === 'all' || row.context === context;
    const isCounted = (row: Row) => inContext(row) && (reserved || !row.topic.startsWith('madeleine.'));
    const february = daysOfMonth(monthOf(FIRST_DAY));
    for (const period of [february, daysOfMonth(monthOf(FIRST_DAY) + 1), { first: FIRST_DAY, last: FIRST_DAY + 4 }]) {
      const { first, last } = period;
      const stats = await statistics.stats({ context, period, reserved, topics: 100, streams: 2 });
      expect(stats.asOf).toEqual({ position: POSITIONS, at: rows.at(-1)?.at });
      const inPeriod = occurred((row) => isCounted(row) && dayOf(row.at) >= first && dayOf(row.at) <= last);
      for (let day = first - 1; day <= last; day += 1) {
        const ofDay = occurred((row) => isCounted(row) && dayOf(row.at) === day);
        const bytes = ofDay.reduce((sum, row) => sum + row.bytes, 0);
        expect(stats.days.get(day)).toEqual(ofDay.length === 0 ? undefined : { events: ofDay.length, bytes });
      }
      expect(stats.topics).toEqual(naive(inPeriod, ({ topic }) => topic));
      expect(stats.streams).toEqual(naive(inPeriod, ({ stream }) => stream).slice(0, 2));
    }
  });

  /** The events of each name, most of them first. */
  function naive(events: readonly Row[], nameOf: (row: Row) => string | undefined) {
    const counts = new Map<string, { context: string; name: string; events: number; bytes: number }>();
    for (const row of events) {
      const name = nameOf(row);
      if (name === undefined) continue;
      const key = `${row.context} ${name}`;
      const before = counts.get(key) ?? { context: row.context, name, events: 0, bytes: 0 };
      counts.set(key, { ...before, events: before.events + 1, bytes: before.bytes + row.bytes });
    }
    return [...counts.values()].sort((a, b) => b.events - a.events);
  }

  it.each([
    ['every topic', 'default', [], []],
    ['every topic of every context', 'all', [], []],
    ['a topic', 'default', ['orders'], []],
    ['two topics', 'default', ['orders', 'invoices'], []],
    ['a topic of every context', 'all', ['invoices'], []],
    ['a topic of the server', 'default', ['madeleine.endpoint'], []],
    ['a stream', 'default', [], ['s1']],
    ['two streams of every context', 'all', [], ['s1', 's2']],
    ['a topic in a stream', 'default', ['orders'], ['s3']],
    ['a topic never used', 'default', ['never used'], []],
    ['a topic of a context never used', 'never used', ['orders'], []],
  ])(
    'tell how many events there are of %s',
    async (_, context, topics: readonly string[], streams: readonly string[]) => {
      const isIn = (row: Row) =>
        (context === 'all' || row.context === context) &&
        (topics.length === 0
          ? !row.topic.startsWith('madeleine.') || streams.length > 0
          : topics.includes(row.topic)) &&
        (streams.length === 0 || streams.includes(row.stream ?? ''));
      const scope = { context, topics, streams };
      const all = occurred(isIn);
      const addressed = all.filter(({ to }) => to !== undefined).length;
      expect(await statistics.total(scope)).toEqual({ asOf: POSITIONS, events: all.length, addressed });
      for (const position of [0, 1, 777, 5_500, 8_123, 11_999, POSITIONS]) {
        const expected = topics.length > 0 && streams.length > 0 ? undefined : occurred(isIn, position).length;
        expect(await statistics.occurredUpTo(scope, position)).toBe(expected);
      }
    },
  );

  it('have marks, so that a far place is not counted from the beginning', async () => {
    const marks = await suite.database.query<{ n: number }>('SELECT COUNT(*) AS n FROM count_mark');
    expect(marks[0]?.n).toBe(2);
  });
});
