// What is remembered of calls of Fetch: by number and by bytes, the newest.

import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../../../src/domain/consumers/delivery-types.js';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { MAX_REMEMBERED_BYTES, RememberedCalls } from '../../../../src/engine/consumers/remembered-calls.js';
import { systemClock } from '../../../../src/lib/clock.js';

function batchOf(bytes: number) {
  const payload = { contentType: 'text/plain', bytes: new Uint8Array(bytes) };
  const own = { position: 1, eventId: 1, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload };
  const entries: LogEntry[] = [{ ...BLANK_ENVELOPE, messageId: '', ...own }];
  return { entries, deliveries: [{ position: 1, lease: 1 } as Delivery] };
}

describe('calls of Fetch', () => {
  it('are forgotten, the oldest first, where their events are too many bytes', async () => {
    const calls = new RememberedCalls(systemClock, 60_000);
    for (let n = 0; n < 20; n += 1) calls.add(`call ${n}`, Promise.resolve(batchOf(1024 * 1024)));
    await new Promise((turn) => setImmediate(turn));
    const kept = Array.from({ length: 20 }, (_, n) => n).filter((n) => calls.get(`call ${n}`) !== undefined);
    expect(kept.at(-1)).toBe(19);
    expect(kept.length * 1024 * 1024).toBeLessThanOrEqual(MAX_REMEMBERED_BYTES);
    expect(kept.length).toBeGreaterThan(5);
  });

  it('are remembered one at least, and while they wait', async () => {
    const calls = new RememberedCalls(systemClock, 60_000);
    calls.add('waits', new Promise(() => {}));
    expect(calls.get('waits')).toBeDefined();
    calls.add('large', Promise.resolve(batchOf(2 * MAX_REMEMBERED_BYTES)));
    await new Promise((turn) => setImmediate(turn));
    expect(calls.get('large')).toBeDefined();
  });

  it('that were given nothing, or failed, or are of long ago, are made anew', async () => {
    const calls = new RememberedCalls(systemClock, 60_000);
    calls.add('nothing', Promise.resolve({ entries: [], deliveries: [] }));
    calls.add('failed', Promise.reject(new Error('away')));
    await new Promise((turn) => setImmediate(turn));
    expect([calls.get('nothing'), calls.get('failed')]).toEqual([undefined, undefined]);
    const old = new RememberedCalls(systemClock, -1);
    old.add('old', Promise.resolve(batchOf(1)));
    expect(old.get('old')).toBeUndefined();
  });
});
