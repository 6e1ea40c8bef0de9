// How many readers the tail wakes in one turn of the event loop: the others wait for the next, whoever else has work comes between.

import { pino } from 'pino';
import { expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { LogTail } from '../../../../src/engine/log/log-tail.js';
import { systemClock } from '../../../../src/lib/clock.js';
import type { EventLog } from '../../../../src/storage/ports/log-storage.js';
import { Metrics } from '../../../../src/telemetry.js';

const READERS = 2_000;
const AT_ONCE = 64;

function entryAt(position: number): LogEntry {
  const own = { position, eventId: position, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  return { ...BLANK_ENVELOPE, messageId: '', ...own };
}

it('wakes 64 in a turn, all of them in the end, and nobody who has gone', async () => {
  const tail = new LogTail({
    log: {} as unknown as EventLog,
    durableReads: { durable: (read) => read() },
    maxBytes: 1_000_000,
    pollMs: 50,
    isOwnToken: () => false,
    onDatabase: () => {},
    clock: systemClock,
    random: () => 0,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
  });
  let woken = 0;
  const ends = Array.from({ length: READERS }, () => tail.onBeyond(0, () => (woken += 1)));
  tail.publish([entryAt(1)]);
  expect(woken).toBe(AT_ONCE);
  ends.at(-1)?.();
  for (let before = woken; woken < READERS - 1; before = woken) {
    await new Promise((turn) => setImmediate(turn));
    expect(woken - before).toBeLessThanOrEqual(AT_ONCE);
  }
  await new Promise((turn) => setImmediate(turn));
  expect(woken).toBe(READERS - 1);
});
