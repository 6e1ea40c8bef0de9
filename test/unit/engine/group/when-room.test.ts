// Callers that wait for room in the queue of pushes.

import { pino } from 'pino';
import { expect, it } from 'vitest';
import { ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { GroupCommit } from '../../../../src/engine/group/group-commit.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';
import type { LogTail } from '../../../../src/engine/log/log-tail.js';
import { Callers } from '../../../../src/lib/callers.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { Metrics } from '../../../../src/telemetry.js';

/** A queue that nobody takes from, with room for two events. */
function fullQueue(): GroupCommit {
  const groupCommit = new GroupCommit({
    committers: [],
    // Nothing is committed, so nothing is published.
    tail: {} as LogTail,
    catalog: new ShapeCatalogCache({
      store: { load: async () => ShapeCatalog.of(0, []) },
      durableReads: { durable: (read) => read() },
    }),
    callers: new Callers(systemClock),
    clock: systemClock,
    random: Math.random,
    maxGroupBytes: 1_000,
    maxQueuedEvents: 2,
    maxQueuedBytes: 100_000,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
  });
  for (let n = 0; n < 2; n += 1) groupCommit.submit({ kind: 'invalidate', eventId: n, reason: '' }).catch(() => {});
  return groupCommit;
}

it('ends the wait of whoever goes away, and keeps nothing of it', async () => {
  const groupCommit = fullQueue();
  const leaving = new AbortController();
  const waits = Array.from({ length: 3 }, () => groupCommit.whenRoom(leaving.signal));
  const staying = new AbortController();
  const patient = groupCommit.whenRoom(staying.signal);
  expect(groupCommit.roomWaiters).toBe(4);
  leaving.abort();
  await Promise.all(waits);
  expect(groupCommit.roomWaiters).toBe(1);
  staying.abort();
  await patient;
  expect(groupCommit.roomWaiters).toBe(0);
  await groupCommit.whenRoom(leaving.signal);
  await groupCommit.close();
});
