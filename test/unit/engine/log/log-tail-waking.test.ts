// Whom the tail wakes, and when they go on: 64 in a turn of the event loop, so that whoever else has work comes between. All are told
// at once that something came, so that nobody passes it before his turn.

import { expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import type { EventLog } from '../../../../src/storage/ports/log-storage.js';
import { newTail } from '../../../support/events/log-tail.js';

const READERS = 2_000;
const AT_ONCE = 64;

function entryAt(position: number): LogEntry {
  const own = { position, eventId: position, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  return { ...BLANK_ENVELOPE, messageId: '', ...own };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

it('lets 64 go on in a turn, and all of them in the end', async () => {
  const tail = newTail();
  let told = 0;
  let went = 0;
  for (let n = 0; n < READERS; n += 1) {
    tail.onBeyond(0, (passed) => {
      told += passed === 0 ? 1 : 0;
      return () => {
        went += 1;
      };
    });
  }
  tail.publish([entryAt(1)]);
  expect([told, went]).toEqual([READERS, AT_ONCE]);
  for (let before = went; went < READERS; before = went) {
    await turn();
    expect(went - before).toBeGreaterThan(0);
    expect(went - before).toBeLessThanOrEqual(AT_ONCE);
  }
});

it('tells those who give up before their turn that something came', async () => {
  const tail = newTail();
  const leaving = new AbortController();
  const waits = Array.from({ length: READERS }, () => tail.waitBeyond(0, leaving.signal));
  tail.publish([entryAt(1)]);
  leaving.abort();
  expect(new Set(await Promise.all(waits))).toEqual(new Set([0]));
});

it('tells those who gave up before how far nothing came', async () => {
  const tail = newTail();
  const leaving = new AbortController();
  const others = { criteria: { context: 'default', topics: ['others'] }, matches: () => false };
  const waits = Array.from({ length: READERS }, () => tail.waitBeyond(0, leaving.signal, others));
  tail.publish([entryAt(1)]);
  leaving.abort();
  expect(new Set(await Promise.all(waits))).toEqual(new Set([1]));
});

it('passes nobody over what it skipped, when an own event lies ahead of it', async () => {
  const head = { position: 0, epoch: 1, token: 1, createdAt: 1, newestErasure: 0 };
  const tail = newTail({ readHead: async () => head as unknown as Awaited<ReturnType<EventLog['readHead']>> });
  await tail.start();
  await tail.stop();
  const told: number[] = [];
  tail.onBeyond(0, (passed) => {
    told.push(passed);
    return () => {};
  });
  tail.publish([entryAt(30_001)]);
  await tail.reach(30_000);
  expect(told).toEqual([0]);
  expect(tail.visible).toBe(30_001);
});
