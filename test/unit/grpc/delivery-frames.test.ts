import { describe, expect, it } from 'vitest';
import { FetchResponse, SubscribeResponse } from '../../../generated/madeleine/v1/consumer_service.js';
import type { Delivery } from '../../../src/domain/consumers/delivery-types.js';
import { EMPTY_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import { DeliveryFrames } from '../../../src/grpc/consumers/delivery-frames.js';
import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';
import { SystemClock } from '../../../src/lib/clock.js';

/** The wall clock, an hour ahead of the one that the window goes by. */
class TestClock extends SystemClock {
  override monotonicMs(): number {
    return 1.5;
  }

  override nowMs(): number {
    return 3_600_001.5;
  }
}

const frames = new DeliveryFrames(new WireEventEncoder(), new TestClock());

function entry(position: number): LogEntry {
  return {
    ...{
      position,
      kind: EntryKind.OCCURRED,
      eventId: position + 1,
      sequence: 0,
      messageId: '',
      createdAt: 1_700_000_000_123_456,
    },
    ...EMPTY_ENVELOPE,
    ...{ context: 'default', topic: 'orders', issuer: 'shop' },
    payload: { contentType: '', bytes: Buffer.from(`{"n":${position}}`) },
  };
}

function delivery(position: number, changes: Partial<Delivery> = {}): Delivery {
  return {
    ...{
      kind: 'delivered',
      position,
      lease: 7,
      leaseCheck: 300,
      attempt: 1,
      member: 'm',
      deadlineMs: undefined,
      replay: false,
    },
    ...changes,
  };
}

describe('delivery frames', () => {
  it('decode with the generated code, member by member', () => {
    const deliveries = [
      delivery(1),
      delivery(2, { lease: 2 ** 49, leaseCheck: 16_383, attempt: 300, deadlineMs: 1_699_996_460_123, replay: true }),
    ];
    const bytes = frames.deliveries({ entries: [entry(1), entry(2)], deliveries }, 'json');
    const decoded = SubscribeResponse.decode(bytes);
    expect(decoded.frame).toBeUndefined();
    expect(decoded.deliveries.map(({ event: _, ...rest }) => rest)).toEqual([
      { lease: 7n * 16_384n + 300n, attempt: 1, deadline: undefined, replay: false },
      {
        lease: 2n ** 63n + 16_383n,
        attempt: 300,
        deadline: { seconds: 1_700_000_060n, nanos: 123_000_000 },
        replay: true,
      },
    ]);
    expect(decoded.deliveries.map(({ event }) => [event?.position, event?.payload?.body])).toEqual([
      [1n, { $case: 'json', value: { n: 1 } }],
      [2n, { $case: 'json', value: { n: 2 } }],
    ]);
    expect(Buffer.from(SubscribeResponse.encode(decoded).finish())).toEqual(Buffer.from(bytes));
  });

  it('of Fetch carry the offset and the head', () => {
    const batch = { entries: [entry(5)], deliveries: [delivery(5)] };
    const decoded = FetchResponse.decode(frames.fetched(batch, { offset: 4, head: 2 ** 40 }, 'bytes'));
    expect(decoded).toMatchObject({ offset: 4n, head: 2n ** 40n });
    expect(decoded.deliveries[0]?.event?.payload?.body).toEqual({ $case: 'data', value: Buffer.from('{"n":5}') });
    expect(
      FetchResponse.decode(frames.fetched({ entries: [], deliveries: [] }, { offset: 0, head: 0 }, 'json')),
    ).toEqual({
      deliveries: [],
      offset: 0n,
      head: 0n,
      filter: undefined,
      gaps: [],
    });
  });

  it('of Fetch carry what was deleted, in its order, and no count where there is none', () => {
    const gaps = [
      { first: 3, last: 2 ** 40, events: 0 },
      { first: 2 ** 41, last: 2 ** 41, events: 7 },
    ];
    const bytes = frames.fetched(
      { entries: [entry(5)], deliveries: [delivery(5)], gaps },
      { offset: 4, head: 9 },
      'json',
    );
    const decoded = FetchResponse.decode(bytes);
    expect(decoded.gaps).toEqual([
      { firstPosition: 3n, lastPosition: 2n ** 40n, events: undefined },
      { firstPosition: 2n ** 41n, lastPosition: 2n ** 41n, events: 7n },
    ]);
    expect(decoded.deliveries).toHaveLength(1);
  });

  it('tell a deadline again as they told it before, until the wall clock is set', () => {
    let [monotonicMs, setMs] = [1_000.25, 0];
    const clock = new SystemClock();
    clock.monotonicMs = () => monotonicMs;
    // As the system's: in whole milliseconds, whatever the other clock shows.
    clock.nowMs = () => Math.floor(monotonicMs + 1_700_000_000_000.2 + setMs);
    const toldAt = new DeliveryFrames(new WireEventEncoder(), clock);
    const deadline = () => {
      const bytes = toldAt.deliveries(
        { entries: [entry(1)], deliveries: [delivery(1, { deadlineMs: 61_000 })] },
        'json',
      );
      return SubscribeResponse.decode(bytes).deliveries[0]?.deadline;
    };
    const first = deadline();
    for (let step = 0; step < 1_000; step += 1) {
      monotonicMs += 0.7;
      expect(deadline()).toEqual(first);
    }
    setMs = 3_600_000;
    expect(deadline()?.seconds).toBe((first?.seconds ?? 0n) + 3_600n);
  });

  it('are as large as the events measure, but for some bytes a delivery', () => {
    const entries = Array.from({ length: 256 }, (_, index) => entry(index + 1));
    const measured = entries.reduce((sum, one) => sum + frames.measure(one, 'json'), 0);
    const deliveries = entries.map(({ position }) => delivery(position, { deadlineMs: 1_700_000_060_123 }));
    const { byteLength } = frames.deliveries({ entries, deliveries }, 'json');
    expect(byteLength).toBeGreaterThan(measured);
    expect(byteLength).toBeLessThan(measured + 256 * 48);
  });
});
