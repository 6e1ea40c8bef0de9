// How far a consumer reads ahead: never without bound, never twice, and nothing of before when it goes elsewhere.

import { describe, expect, it } from 'vitest';
import { HeldPages, MAX_HELD_BYTES, ReadAhead } from '../../../../src/engine/consumers/consumer-read-ahead.js';
import type { ReadBatch } from '../../../../src/engine/log/log-source.js';

interface Read {
  readonly after: number;
  readonly limit: number;
  readonly answer: (scannedTo: number) => Promise<void>;
  readonly fail: () => Promise<void>;
}

/** A log whose reads are answered when the test says so. */
class SlowLog {
  readonly reads: Read[] = [];
  visible = 1_000_000;
  credit = 4_096;
  /** Positions from here on are in memory. */
  memoryFrom = Number.POSITIVE_INFINITY;

  readonly held = new HeldPages();
  readonly ahead = new ReadAhead({
    read: ({ after, limit }) => {
      if (after >= this.memoryFrom) return { entries: [], scannedTo: this.visible };
      return new Promise<ReadBatch>((resolve, reject) => {
        const settled = () => new Promise<void>((done) => setImmediate(done));
        const answer = (scannedTo: number) => {
          resolve({ entries: [], scannedTo });
          return settled();
        };
        const fail = () => {
          reject(new Error('away'));
          return settled();
        };
        this.reads.push({ after, limit, answer, fail });
      });
    },
    visible: () => this.visible,
    credit: () => ({ maxInFlight: this.credit, maxInFlightBytes: 64 * 1024 * 1024 }),
    held: this.held,
  });

  get afters(): number[] {
    return this.reads.map(({ after }) => after);
  }
}

describe('reading ahead', () => {
  it('keeps two pages coming for a large credit, each once', async () => {
    const log = new SlowLog();
    const first = log.ahead.take(0) as Promise<ReadBatch>;
    expect(log.afters).toEqual([0]);
    await log.reads[0]?.answer(1_000);
    expect((await first).scannedTo).toBe(1_000);
    await log.reads[1]?.answer(2_000);
    await log.reads[2]?.answer(3_000);
    expect(log.afters).toEqual([0, 1_000, 2_000]);
    expect((await log.ahead.take(1_000)).scannedTo).toBe(2_000);
    await new Promise((done) => setImmediate(done));
    expect(log.afters).toEqual([0, 1_000, 2_000, 3_000]);
  });

  it('reads what a small credit can take, one page ahead', async () => {
    const log = new SlowLog();
    log.credit = 10;
    void log.ahead.take(0);
    await log.reads[0]?.answer(500);
    await log.reads[1]?.answer(900);
    expect(log.reads.map(({ after, limit }) => [after, limit])).toEqual([
      [0, 128],
      [500, 128],
    ]);
    log.credit = 1_000_000;
    log.ahead.clear();
    void log.ahead.take(900);
    expect(log.reads.at(-1)?.limit).toBe(1_024);
  });

  it('begins anew elsewhere, and drops what was under way', async () => {
    const log = new SlowLog();
    void log.ahead.take(0);
    await log.reads[0]?.answer(1_000);
    log.ahead.clear();
    await log.reads[1]?.answer(2_000);
    expect(log.afters).toEqual([0, 1_000]);
    void log.ahead.take(50);
    void log.ahead.take(70);
    await log.reads[2]?.answer(1_050);
    await log.reads[3]?.answer(1_070);
    expect(log.afters).toEqual([0, 1_000, 50, 70, 1_070]);
  });

  it('ends at what is visible, and where memory begins', async () => {
    const log = new SlowLog();
    void log.ahead.take(0);
    log.visible = 1_000;
    await log.reads[0]?.answer(1_000);
    expect(log.afters).toEqual([0]);
    log.visible = 5_000;
    log.memoryFrom = 2_000;
    void log.ahead.take(1_000);
    await log.reads[1]?.answer(2_000);
    expect(log.afters).toEqual([0, 1_000]);
    expect(log.ahead.take(2_000)).toEqual({ entries: [], scannedTo: 5_000 });
  });

  it('tells of a failed read who takes it, and reads it again for the next', async () => {
    const log = new SlowLog();
    void log.ahead.take(0);
    await log.reads[0]?.answer(1_000);
    const taken = log.ahead.take(1_000);
    await Promise.all([expect(taken).rejects.toThrow('away'), log.reads[1]?.fail()]);
    void log.ahead.take(1_000);
    await log.reads[2]?.answer(2_000);
    expect(log.afters).toEqual([0, 1_000, 1_000, 2_000]);
  });

  it('stops, and reads little, where all consumers together hold too much', async () => {
    const log = new SlowLog();
    void log.ahead.take(0);
    log.held.count(MAX_HELD_BYTES + 1);
    await log.reads[0]?.answer(1_000);
    expect(log.afters).toEqual([0]);
    void log.ahead.take(1_000);
    expect(log.reads[1]?.limit).toBe(128);
    log.held.count(-MAX_HELD_BYTES - 1);
    await log.reads[1]?.answer(1_128);
    expect(log.afters).toEqual([0, 1_000, 1_128]);
    log.ahead.clear();
    expect(log.held.bytes).toBe(0);
  });
});
