// An instance tells the others that it lives, also one that commits groups all the time and so needs no other commits to learn
// whether the database stores.

import { expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { newTail } from '../../../support/events/log-tail.js';
import { ManualClock } from '../../../support/manual-clock.js';

function entryAt(position: number): LogEntry {
  const own = { position, eventId: position, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  return { ...BLANK_ENVELOPE, messageId: '', ...own };
}

it('makes a barrier each minute, however busy it is', async () => {
  const clock = new ManualClock();
  const head = { position: 0, createdAt: 0, epoch: 1, token: 0, deletedTo: 0, newestErasure: 0 };
  const barriers: number[] = [];
  const durable = async <T>(read: () => Promise<T>, needsBarrier: (result: T) => boolean) => {
    const result = await read();
    if (needsBarrier(result)) barriers.push(clock.monotonicMs());
    return result;
  };
  const tail = newTail({ readHead: async () => head }, { clock, durableReads: { durable }, pollMs: 1_000 });
  await tail.start();
  for (let second = 1; second <= 180; second += 1) {
    tail.publish([entryAt(second)]);
    await clock.advance(1_000);
  }
  await tail.stop();
  const between = barriers.slice(1).map((at, n) => at - (barriers[n] ?? 0));
  expect(between).toEqual([60_000, 60_000, 60_000]);
});
