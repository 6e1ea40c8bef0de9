// What becomes of attempts, on the real database: one report that it refuses does not keep the others from being stored.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FiringState } from '../../src/domain/cawins/cawin.js';
import type { AttemptRecord } from '../../src/domain/cawins/cawin-attempt.js';
import { CircuitState } from '../../src/domain/cawins/endpoint-circuit.js';
import { EntryKind } from '../../src/domain/events/event.js';
import { CallbackResults } from '../../src/engine/cawins/callback-results.js';
import { EndpointReports } from '../../src/engine/cawins/endpoint-reports.js';
import { systemClock } from '../../src/lib/clock.js';
import { MysqlCallbackStore } from '../../src/storage/mysql/cawins/callback-store.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import type { AttemptReport } from '../../src/storage/ports/cawin-storage.js';
import type { Logger } from '../../src/telemetry.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';

const COUNT = 64;
let test: TestDatabase;
let database: Database;
let logged: string[];
let results: CallbackResults;

beforeAll(async () => {
  test = await createTestDatabase();
  database = new Database({ url: test.url, poolSize: 4, random: Math.random });
  await migrate(database);
  await database.write("INSERT INTO context (id, name) VALUES (1, 'default')");
  await database.write(
    "INSERT INTO endpoint (id, origin, state, failures, ready_at, next_probe_at, changed_at) VALUES (1, 'http://a', ?, 0, 0, 0, 0)",
    [CircuitState.CLOSED],
  );
}, 60_000);
afterAll(async () => {
  await database.close();
  await test.drop();
});
beforeEach(async () => {
  await database.write('DELETE FROM firing');
  await database.write('DELETE FROM attempt');
  for (let id = 1; id <= COUNT; id += 1) {
    await database.write(
      `INSERT INTO firing (cawin_id, kind, position, endpoint_id, state, due_at, token, attempts, round_start, created_at)
       VALUES (?, ?, 1, 1, ?, 1, 7, 1, 0, 0)`,
      [id, EntryKind.OCCURRED, FiringState.PENDING],
    );
  }
  logged = [];
  const log = (_fields: object, message: string) => void logged.push(message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const store = new MysqlCallbackStore({ database });
  const pushes = { push: () => Promise.resolve([]) };
  const endpointReports = new EndpointReports({ pushes, logger });
  results = new CallbackResults({ store, endpointReports, clock: systemClock, random: Math.random, logger });
});

function report(cawinId: number, changes: Partial<AttemptReport> = {}): AttemptReport {
  const firing = {
    ...{ cawinId, kind: EntryKind.OCCURRED, position: 1, eventId: 1, endpointId: 1, hostId: undefined, token: 7 },
    ...{ attemptNumber: 1, roundAttempt: 1, createdAt: 0, isProbe: false, url: 'http://a/', timeoutMs: 1_000 },
    ...{ sealed: undefined, awaited: undefined },
  };
  const attempt: AttemptRecord = {
    ...{ kind: EntryKind.OCCURRED, number: 1, startedAt: 1, outcome: 'delivered' as const, reason: 'answered' },
    ...{ status: '200 OK', statusCode: 200, latencyMicros: 5, firstBytes: 'x', error: '' },
  };
  return { firing, attempt, verdict: { kind: 'delivered' }, health: 'answers', urlFailures: 0, ...changes };
}

async function stored(): Promise<Map<number, { state: number; error: string; due: number | null }>> {
  const rows = await database.query<{ id: number; state: number; error: Buffer; due_at: number | null }>(
    'SELECT f.cawin_id AS id, f.state, a.error, f.due_at FROM firing f JOIN attempt a ON a.cawin_id = f.cawin_id',
  );
  return new Map(rows.map(({ id, state, error, due_at: due }) => [id, { state, error: error.toString(), due }]));
}

/** Writes one report for each cawin, of which some are as told. */
async function write(odd: ReadonlyMap<number, AttemptReport>): Promise<void> {
  const ids = Array.from({ length: COUNT }, (_, index) => index + 1);
  await Promise.all(ids.map((id) => results.write(odd.get(id) ?? report(id))));
}

describe('the results of callbacks', () => {
  it.each([
    ['a status code that is no number', { statusCode: Number.NaN }],
    ['a status code beyond the column', { statusCode: 2 ** 40 }],
    ['a negative status code', { statusCode: -1 }],
    ['a reason beyond the column', { reason: 'x'.repeat(100) }],
    ['a latency that has no end', { latencyMicros: Number.POSITIVE_INFINITY }],
  ])('are stored for the others beside one with %s, and that one without what it was told', async (_, odd) => {
    const { attempt } = report(9);
    const startedMs = performance.now();
    await write(new Map([[9, report(9, { attempt: { ...attempt, ...odd } })]]));
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    const rows = await stored();
    expect(rows.size).toBe(COUNT);
    for (const [id, { state, error }] of rows) {
      expect(state).toBe(FiringState.DELIVERED);
      expect(error).toBe(id === 9 ? 'what became of the attempt could not be written down' : '');
    }
    expect(logged.filter((message) => message.includes('as it is'))).toHaveLength(1);
  });

  it('are stored beside several that are refused, and a delay that is none becomes one', async () => {
    const retry = { kind: 'retry', delayMs: Number.NaN, counted: true } as const;
    const odd = [3, 4, 33, 64].map((id) => [id, report(id, { verdict: retry, health: 'refuses' })] as const);
    await write(new Map(odd));
    const rows = await stored();
    expect(rows.size).toBe(COUNT);
    for (const [id] of odd) {
      expect(rows.get(id)).toMatchObject({ state: FiringState.PENDING });
      expect(rows.get(id)?.due).toBeGreaterThan(Date.now() * 1_000);
    }
    expect([...rows.values()].filter(({ state }) => state === FiringState.DELIVERED)).toHaveLength(COUNT - 4);
  });
});
