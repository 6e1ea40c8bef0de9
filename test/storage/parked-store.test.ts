// The parked events of a consumer as they are listed from the real database.

import { beforeAll, describe, expect, it } from 'vitest';
import { MysqlParkedStore } from '../../src/storage/mysql/consumers/parked-store.js';
import { EVERY_PARKED, type ListParkedOptions, MAX_PARKED_LOOKED_AT } from '../../src/storage/ports/parked-storage.js';
import { useSchema } from '../support/database/schema-suite.js';

/** Stored states of failures. */
const [RETRY, PARKED, REPLAY] = [1, 2, 3];

const suite = useSchema({ poolSize: 2 });
let store: MysqlParkedStore;

beforeAll(() => {
  store = new MysqlParkedStore(suite);
});

interface Row {
  readonly position: number;
  readonly state?: number | undefined;
  readonly code?: string;
  readonly parkedAt?: number;
}

let consumers = 0;

async function consumerWith(rows: readonly Row[]): Promise<number> {
  consumers += 1;
  for (let from = 0; from < rows.length; from += 1_000) {
    const some = rows.slice(from, from + 1_000);
    await suite.database.query(
      `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, code, parked_at, state)
       VALUES ${some.map(() => '(?, ?, 3, 1, 0, ?, ?, ?, ?)').join()}`,
      some.flatMap(({ position, state = PARKED as number, code = '', parkedAt = 0 }) => [
        ...[consumers, position, `reason of ${position}`, code, parkedAt, state],
      ]),
    );
  }
  return consumers;
}

const list = (consumerId: number, options: Partial<ListParkedOptions> = {}) =>
  store.list({ ...EVERY_PARKED, consumerId, withReplaying: true, after: 0, limit: 100, ...options });

async function positions(consumerId: number, options: Partial<ListParkedOptions> = {}): Promise<number[]> {
  return (await list(consumerId, options)).records.map(({ position }) => position);
}

describe('the parked events of a consumer', () => {
  it('are listed by position with what is stored of them, and nobody else’s', async () => {
    await consumerWith([{ position: 1 }]);
    const id = await consumerWith([
      { position: 9, code: 'BAD', parkedAt: 1_000 },
      { position: 4, state: REPLAY },
      { position: 7, state: RETRY },
    ]);
    const numbers = { attempts: 3, losses: 1 };
    expect(await list(id)).toEqual({
      records: [
        { position: 4, ...numbers, code: '', reason: 'reason of 4', parkedAt: undefined, replaying: true },
        { position: 9, ...numbers, code: 'BAD', reason: 'reason of 9', parkedAt: 1_000, replaying: false },
      ],
      next: undefined,
    });
    expect(await positions(id, { withReplaying: false })).toEqual([9]);
    expect([...(await store.stillParked(id, [4, 7, 8, 9]))].sort()).toEqual([4, 9]);
  });

  it('are selected by code and by when they were parked, strictly', async () => {
    const id = await consumerWith([
      { position: 1, code: 'BAD', parkedAt: 10 },
      { position: 2, code: 'BAD ', parkedAt: 20 },
      { position: 3, code: 'bad', parkedAt: 30 },
      { position: 4, code: 'BAD' },
    ]);
    expect(await positions(id, { code: 'BAD' })).toEqual([1, 4]);
    expect(await positions(id, { parkedAfter: 10 })).toEqual([2, 3]);
    expect(await positions(id, { parkedBefore: 30 })).toEqual([1, 2]);
    expect(await positions(id, { parkedAfter: 10, parkedBefore: 30 })).toEqual([2]);
    expect(await positions(id, { code: 'BAD', parkedAfter: 10 })).toEqual([]);
  });

  it('are selected by stream, of those whose event is stored', async () => {
    await suite.database.query(
      `INSERT INTO stream (id, context_id, name, owner, epoch, last_sequence, first_position, last_position,
         first_event_at, last_event_at) VALUES (1, 1, 'a', 'x', 1, 1, 1, 1, 1, 1), (2, 2, 'a', 'x', 1, 1, 1, 1, 1, 1),
         (3, 1, 'a ', 'x', 1, 1, 1, 1, 1, 1)`,
    );
    await suite.database.query(
      `INSERT INTO log (position, kind, event_id, context_id, topic_id, stream_id, created_at, version, subject, issuer,
         payload_bytes) VALUES (1, 1, 1, 1, 1, 1, 1, 0, 0, 'x', 0), (2, 1, 2, 2, 2, 2, 1, 0, 0, 'x', 0),
         (3, 1, 3, 1, 1, 3, 1, 0, 0, 'x', 0), (4, 1, 4, 1, 1, NULL, 1, 0, 0, 'x', 0)`,
    );
    const id = await consumerWith([1, 2, 3, 4, 5].map((position) => ({ position })));
    expect(await positions(id, { stream: 'a' })).toEqual([1, 2]);
    expect(await positions(id, { stream: 'a ' })).toEqual([3]);
    expect(await positions(id, { stream: 'b' })).toEqual([]);
  });

  it('come in pages, and are looked at in bounded steps', async () => {
    const total = MAX_PARKED_LOOKED_AT + 2_000;
    const rows = Array.from({ length: total }, (_, n) => ({
      position: n + 1,
      code: n + 1 === total ? 'LAST' : n % 7_000 === 0 ? 'SOME' : '',
      ...(n < 1_000 ? { state: RETRY as number } : {}),
    }));
    const id = await consumerWith(rows);
    expect(await list(id, { limit: 2 })).toMatchObject({
      records: [{ position: 1_001 }, { position: 1_002 }],
      next: 1_002,
    });
    expect(await positions(id, { after: 1_002, limit: 2 })).toEqual([1_003, 1_004]);
    expect(await list(id, { code: 'SOME' })).toMatchObject({
      records: [{ position: 7_001 }, { position: 14_001 }],
      next: MAX_PARKED_LOOKED_AT,
    });
    expect(await list(id, { code: 'LAST' })).toEqual({ records: [], next: MAX_PARKED_LOOKED_AT });
    const last = await list(id, { code: 'LAST', after: MAX_PARKED_LOOKED_AT });
    expect(last).toMatchObject({ records: [{ position: total }], next: undefined });
    expect(await list(id, { after: total })).toEqual({ records: [], next: undefined });
  });
});
