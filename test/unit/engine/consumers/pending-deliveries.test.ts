import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../../../src/domain/consumers/delivery-types.js';
import type { LogEntry } from '../../../../src/domain/events/event.js';
import { PendingDeliveries } from '../../../../src/engine/consumers/pending-deliveries.js';

const fill = (count: number) => {
  const pending = new PendingDeliveries();
  for (let position = 1; position <= count; position += 1) {
    pending.push({ position } as LogEntry, { position, lease: position } as Delivery);
  }
  return pending;
};
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const positions = (batch: { entries: readonly LogEntry[] }) => batch.entries.map(({ position }) => position);

describe('pending deliveries', () => {
  it('hands out in order, at most as many as asked for', () => {
    const pending = fill(5);
    expect(positions(pending.take(2, 1_000, () => 1))).toEqual([1, 2]);
    expect(pending.size).toBe(3);
    expect(pending.deliveries.map(({ position }) => position)).toEqual([3, 4, 5]);
    pending.push({ position: 6 } as LogEntry, { position: 6 } as Delivery);
    expect(positions(pending.take(10, 1_000, () => 1))).toEqual([3, 4, 5, 6]);
    expect(pending.size).toBe(0);
    expect(positions(pending.take(10, 1_000, () => 1))).toEqual([]);
  });

  it('keeps to the bytes, but always hands out one', () => {
    const pending = fill(4);
    expect(positions(pending.take(10, 25, () => 10))).toEqual([1, 2]);
    expect(positions(pending.take(10, 5, () => 10))).toEqual([3]);
  });

  it('drops what is no longer leased, once it was marked stale', () => {
    const pending = fill(4);
    pending.take(1, 100, () => 1);
    const current = (delivery: Delivery) => delivery.position !== 3;
    pending.prune(current);
    expect(pending.size).toBe(3);
    pending.markStale();
    pending.prune(current);
    expect(positions(pending.take(10, 100, () => 1))).toEqual([2, 4]);
  });

  it('keep nothing of what was taken, even where they are never done', async () => {
    const pending = fill(3);
    const given: WeakRef<LogEntry>[] = [];
    for (let position = 4; position <= 1_000; position += 1) {
      pending.push({ position } as LogEntry, { position } as Delivery);
      given.push(new WeakRef(pending.take(1, 1_000, () => 1).entries[0] as LogEntry));
    }
    await new Promise((turn) => setImmediate(turn));
    collectGarbage();
    expect(given.filter((entry) => entry.deref() !== undefined).length).toBeLessThan(100);
    expect(pending.size).toBe(3);
  });
});
