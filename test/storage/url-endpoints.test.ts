// Who is claimed where some URLs of a host fail: a URL that is held waits by itself, and probes of a host take turns among its URLs.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FiringState } from '../../src/domain/cawins/cawin.js';
import type { AttemptRecord } from '../../src/domain/cawins/cawin-attempt.js';
import { CircuitState, FAILURES_TO_OPEN } from '../../src/domain/cawins/endpoint-circuit.js';
import { EntryKind } from '../../src/domain/events/event.js';
import { MysqlCallbackStore } from '../../src/storage/mysql/cawins/callback-store.js';
import { MysqlCawinStore } from '../../src/storage/mysql/cawins/cawin-store.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import type { AttemptReport, ClaimedFiring } from '../../src/storage/ports/cawin-storage.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { numbers } from '../support/database/numbers.js';

const HOST = 1;
const NOW = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
const half = () => 0.5;
let test: TestDatabase;
let database: Database;
let store: MysqlCallbackStore;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 4, random: half });
  await migrate(database);
  store = new MysqlCallbackStore({ database, random: half });
  await database.write("INSERT INTO context (id, name) VALUES (1, 'default')");
}, 60_000);
afterAll(async () => {
  await database.close();
  await test.drop();
});
beforeEach(async () => {
  for (const table of ['endpoint', 'cawin', 'firing', 'attempt']) await database.write(`DELETE FROM ${table}`);
  await database.write(
    `INSERT INTO endpoint (id, origin, state, failures, ready_at, next_probe_at, changed_at)
     VALUES (${HOST}, 'http://a', ${CircuitState.CLOSED}, 0, 1, 0, 0)`,
  );
});

/** Cawins from one id to another that call one URL of the host, each with a firing that was due long ago, the lower the longer. */
async function due(from: number, to: number, url: string): Promise<void> {
  await database.query(
    `INSERT INTO cawin (id, event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms, signed,
       created_at) SELECT seq, 1, 1, 1, 0, 14, ${HOST}, ?, '[]', 1000, 0, 0 FROM ${numbers(from, to)}`,
    [Buffer.from(url)],
  );
  await database.query(
    `INSERT INTO firing (cawin_id, kind, position, endpoint_id, state, due_at, token, attempts, round_start, created_at)
     SELECT seq, ${EntryKind.OCCURRED}, 1, ${HOST}, ${FiringState.PENDING}, seq, 0, 0, 0, 0 FROM ${numbers(from, to)}`,
  );
}

function report(firing: ClaimedFiring, changes: Partial<AttemptReport>): AttemptReport {
  const attempt: AttemptRecord = {
    ...{
      kind: firing.kind,
      number: firing.attemptNumber,
      startedAt: 1,
      outcome: 'failed' as const,
      reason: 'answered',
    },
    ...{ status: '500', statusCode: 500, latencyMicros: 5, firstBytes: '', error: '' },
  };
  const verdict = { kind: 'retry', delayMs: 0, counted: true } as const;
  return { firing, attempt, verdict, health: 'refuses', urlFailures: 0, ...changes };
}

async function claim(endpoint = HOST, limit = 32): Promise<readonly ClaimedFiring[]> {
  return store.claim(endpoint, { limit, token: 1 });
}

/** As time would: whatever was put off is due. */
async function later(): Promise<void> {
  await database.write('UPDATE endpoint SET ready_at = 1, next_probe_at = 1');
}

async function endpoints(): Promise<{ id: number; state: number; failures: number; host_id: number | null }[]> {
  return database.query('SELECT id, state, failures, host_id FROM endpoint ORDER BY id');
}

async function openBad(): Promise<number> {
  const [firing] = await claim(HOST, 1);
  const changes = await store.finish([report(firing!, { urlFailures: FAILURES_TO_OPEN - 1 })], half);
  expect(changes).toMatchObject([{ origin: 'http://a', cawinId: 1, turn: 'open', failures: FAILURES_TO_OPEN }]);
  const [, ofUrl] = await endpoints();
  return ofUrl!.id;
}

describe('a URL whose answers fail', () => {
  it('is held by itself after ten failures in a row, and its neighbours are claimed', async () => {
    await due(1, 500, 'http://a/bad');
    await due(501, 520, 'http://a/good');
    const bad = await openBad();
    expect(await endpoints()).toMatchObject([
      { id: HOST, state: CircuitState.CLOSED, failures: 0 },
      { id: bad, state: CircuitState.OPEN, host_id: HOST },
    ]);
    await later();
    await database.write(`UPDATE endpoint SET next_probe_at = ${NOW} + 60000000 WHERE id = ?`, [bad]);
    const claimed = await claim();
    expect(claimed.map(({ cawinId }) => cawinId)).toEqual(Array.from({ length: 20 }, (_, n) => 501 + n));
    const [{ count }] = (await database.query<{ count: number }>(
      'SELECT COUNT(*) AS count FROM firing WHERE endpoint_id = ?',
      [bad],
    )) as [{ count: number }];
    expect(count).toBe(500);
  });

  it('is probed by itself, and goes out again once it answers', async () => {
    await due(1, 40, 'http://a/bad');
    const bad = await openBad();
    await later();
    expect(await claim()).toEqual([]);
    await later();
    const probe = await claim(bad);
    expect(probe).toMatchObject([{ isProbe: true, hostId: HOST, endpointId: bad }]);
    const failed = await store.finish([report(probe[0]!, {})], half);
    expect(failed).toEqual([]);
    expect((await endpoints())[1]).toMatchObject({ state: CircuitState.OPEN, failures: FAILURES_TO_OPEN + 1 });
    await later();
    const [second] = await claim(bad);
    const closed = await store.finish([report(second!, { verdict: { kind: 'delivered' }, health: 'answers' })], half);
    expect(closed).toMatchObject([{ origin: 'http://a', cawinId: expect.any(Number), turn: 'closed' }]);
    await later();
    expect(await claim(bad)).toHaveLength(32);
  });

  it('is claimed at once when a person asks for a retry', async () => {
    await due(1, 40, 'http://a/bad');
    const bad = await openBad();
    await later();
    await claim();
    await database.write(`UPDATE endpoint SET ready_at = ${NOW} + 60000000, next_probe_at = ${NOW} + 60000000`);
    expect(await new MysqlCawinStore({ database }).retry(17)).toBe(1);
    expect(await claim()).toEqual([]);
    expect(await claim(bad)).toMatchObject([{ isProbe: true }]);
  });

  it('says that its host is well', async () => {
    await due(1, 40, 'http://a/bad');
    const bad = await openBad();
    await database.write(`UPDATE endpoint SET state = ${CircuitState.OPEN}, failures = 12 WHERE id = ${HOST}`);
    await database.write('UPDATE firing SET endpoint_id = ?', [bad]);
    await later();
    const [probe] = await claim(bad);
    await store.finish([report(probe!, {})], half);
    expect((await endpoints())[0]).toMatchObject({ state: CircuitState.CLOSED, failures: 0 });
  });

  it('shares its host with few others that are held, and idle ones are given on', async () => {
    await due(1, 70, 'http://a/x');
    await database.query("UPDATE cawin SET url = CONCAT('http://a/', id)");
    const firings = await claim(HOST, 70);
    const open = (some: readonly ClaimedFiring[]) =>
      store.finish(
        some.map((firing) => report(firing, { urlFailures: FAILURES_TO_OPEN - 1 })),
        half,
      );
    expect(await open(firings.slice(0, 66))).toHaveLength(64);
    expect(await endpoints()).toHaveLength(65);
    await database.write(
      `UPDATE endpoint SET state = ${CircuitState.CLOSED}, ready_at = ${Number.MAX_SAFE_INTEGER} WHERE host_id = 1 LIMIT 2`,
    );
    expect(await open(firings.slice(66))).toHaveLength(2);
    expect(await endpoints()).toHaveLength(65);
  });
});

describe('a host whose circuit is open', () => {
  it.each([
    ['is probed at each of its URLs in turn', 40],
    ['is probed at each of its URLs in turn, however many are due of one', 5_000],
  ])('%s', async (_, count) => {
    await due(1, count, 'http://a/slow');
    await due(count + 1, count + 40, 'http://a/hanging');
    await due(count + 41, count + 90, 'http://a/good');
    // All of them at about the same rate.
    await database.write('UPDATE firing SET due_at = (cawin_id * 7919) MOD 100003');
    await database.write(`UPDATE endpoint SET state = ${CircuitState.OPEN}, failures = 10`);
    const probed: string[] = [];
    for (let turn = 0; turn < 12; turn += 1) {
      await later();
      const claimed = await claim();
      expect(claimed).toHaveLength(1);
      probed.push(claimed[0]!.url);
      await store.finish([report(claimed[0]!, { health: 'fails' })], half);
    }
    expect(new Set(probed).size).toBeGreaterThan(1);
    if (count === 40) expect(new Set(probed.slice(0, 3)).size).toBe(3);
  });
});
