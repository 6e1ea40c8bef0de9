// How long a unit is tried: its patience ends also where every group with it takes long and fails.

import { pino } from 'pino';
import { expect, it } from 'vitest';
import { GroupCommit } from '../../../../src/engine/group/group-commit.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';
import type { LogTail } from '../../../../src/engine/log/log-tail.js';
import { Callers } from '../../../../src/lib/callers.js';
import { type GroupCommitter, GroupFailure } from '../../../../src/storage/ports/log-storage.js';
import { Metrics } from '../../../../src/telemetry.js';
import { ManualClock } from '../../../support/manual-clock.js';

/** Of one wait for a lock, as databases are asked to give up. */
const LOCK_MS = 3_000;

/** A database where somebody else holds the head row, whenever it is asked. */
class BlockedCommitter implements GroupCommitter {
  readonly #clock: ManualClock;
  runs = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async run(): Promise<never> {
    this.runs += 1;
    await new Promise<void>((resolve) => this.#clock.after(LOCK_MS, resolve));
    throw new GroupFailure('retry', new Error('lock wait'));
  }

  async close(): Promise<void> {}
}

it('gives a unit up with the group in which its patience ended', async () => {
  const clock = new ManualClock();
  const committer = new BlockedCommitter(clock);
  const commit = new GroupCommit({
    committers: [committer],
    tail: { publish: () => {}, visible: 0 } as unknown as LogTail,
    catalog: new ShapeCatalogCache({
      store: { load: () => Promise.reject() },
      durableReads: { durable: (read) => read() },
    }),
    callers: new Callers(clock),
    clock,
    // The shortest pauses between groups.
    random: () => 0,
    maxGroupBytes: 6 * 1024 * 1024,
    maxQueuedEvents: 100,
    maxQueuedBytes: 1024 * 1024,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
  });
  let reason: unknown;
  void commit.submit({ kind: 'invalidate', eventId: 1, reason: '' }).catch((error: { reason?: unknown }) => {
    reason = error.reason;
  });
  await clock.advance(60_000);
  expect(reason).toBe('STORAGE_UNAVAILABLE');
  expect(committer.runs).toBe(4);
});
