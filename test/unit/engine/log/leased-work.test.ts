// Work that one instance does at a time: what is logged of it while it fails, and when it works again.

import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { LeasedWork } from '../../../../src/engine/log/leased-work.js';
import { ManualClock } from '../../../support/manual-clock.js';

const LEASE_PERIOD_MS = 5_000;
const RETRY_MS = 1_000;

const clock = new ManualClock();
let running: LeasedWork | undefined;
afterEach(() => running?.stop());

/** What the work finds. */
class Database {
  state: 'there' | 'away' | 'refuses the work' = 'there';
  readonly counts = { acquired: 0, worked: 0 };
  /** Ends the work that goes on. */
  end: (error: Error) => void = () => {};

  async acquire(): Promise<void> {
    if (this.state === 'away') throw new Error('away');
    this.counts.acquired += 1;
  }

  work(signal: AbortSignal): Promise<void> {
    this.counts.worked += 1;
    if (this.state !== 'there') return Promise.reject(new Error('no such column'));
    return new Promise((resolve, reject) => {
      this.end = reject;
      signal.addEventListener('abort', () => resolve());
    });
  }
}

/** Starts work on the database; what is logged of it comes into the list. */
function start(database: Database): unknown[] {
  const logged: unknown[] = [];
  const write = (line: string) => {
    const { level, msg, failures } = JSON.parse(line);
    logged.push({ level, msg, failures });
  };
  running = new LeasedWork({
    acquire: () => database.acquire(),
    work: (signal) => database.work(signal),
    leasePeriodMs: LEASE_PERIOD_MS,
    retryMs: RETRY_MS,
    failing: 'it fails',
    working: 'it works again',
    clock,
    logger: pino({ level: 'debug' }, { write }),
  });
  running.start();
  return logged;
}

const FAILING = { level: 40, msg: 'it fails', failures: undefined };
const workingAfter = (failures: number) => ({ level: 30, msg: 'it works again', failures });

describe('work that fails', () => {
  it('though its lease is had is logged once, and once more when it works, with how often it failed', async () => {
    const database = new Database();
    database.state = 'refuses the work';
    const logged = start(database);
    await clock.advance(60_000);
    expect(database.counts).toEqual({ acquired: 61, worked: 61 });
    expect(logged).toEqual([FAILING]);
    database.state = 'there';
    await clock.advance(RETRY_MS + LEASE_PERIOD_MS);
    expect(logged).toEqual([FAILING, workingAfter(61)]);
    await clock.advance(60_000);
    expect(logged).toHaveLength(2);
  });

  it('in turns with its lease is logged once', async () => {
    const database = new Database();
    database.state = 'away';
    const logged = start(database);
    for (let turn = 0; turn < 20; turn += 1) {
      database.state = turn % 2 === 0 ? 'refuses the work' : 'away';
      await clock.advance(RETRY_MS);
    }
    expect(database.counts.worked).toBe(10);
    expect(logged).toEqual([FAILING]);
  });

  it('is logged anew once it has worked', async () => {
    const database = new Database();
    const logged = start(database);
    await clock.advance(60_000);
    database.end(new Error('gone away'));
    await clock.advance(RETRY_MS + LEASE_PERIOD_MS);
    database.end(new Error('gone away again'));
    await clock.advance(0);
    expect(logged).toEqual([FAILING, workingAfter(1), FAILING]);
  });

  it('after less time than a lease is asked for again has not worked', async () => {
    const database = new Database();
    const logged = start(database);
    for (let turn = 0; turn < 10; turn += 1) {
      await clock.advance(LEASE_PERIOD_MS - 1);
      database.end(new Error('gone away'));
      await clock.advance(RETRY_MS);
    }
    expect(logged).toEqual([FAILING]);
  });
});
