import { describe, expect, it } from 'vitest';
import type { Delivery } from '../../../../src/domain/consumers/delivery-types.js';
import type { LogEntry } from '../../../../src/domain/events/event.js';
import { Outbox } from '../../../../src/engine/consumers/consumer-outbox.js';

const fill = (count: number) => {
  const outbox = new Outbox();
  for (let position = 1; position <= count; position += 1) {
    outbox.push({ position } as LogEntry, { position, lease: position } as Delivery);
  }
  return outbox;
};
const positions = (handout: { entries: readonly LogEntry[] }) => handout.entries.map(({ position }) => position);

describe('outbox', () => {
  it('hands out in order, at most as many as asked for', () => {
    const outbox = fill(5);
    expect(positions(outbox.take(2, 1_000, () => 1))).toEqual([1, 2]);
    expect(outbox.size).toBe(3);
    outbox.push({ position: 6 } as LogEntry, { position: 6 } as Delivery);
    expect(positions(outbox.take(10, 1_000, () => 1))).toEqual([3, 4, 5, 6]);
    expect(outbox.size).toBe(0);
    expect(positions(outbox.take(10, 1_000, () => 1))).toEqual([]);
  });

  it('keeps to the bytes, but always hands out one', () => {
    const outbox = fill(4);
    expect(positions(outbox.take(10, 25, () => 10))).toEqual([1, 2]);
    expect(positions(outbox.take(10, 5, () => 10))).toEqual([3]);
  });

  it('drops what is no longer leased, once it was marked stale', () => {
    const outbox = fill(4);
    outbox.take(1, 100, () => 1);
    const current = (delivery: Delivery) => delivery.position !== 3;
    outbox.prune(current);
    expect(outbox.size).toBe(3);
    outbox.markStale();
    outbox.prune(current);
    expect(positions(outbox.take(10, 100, () => 1))).toEqual([2, 4]);
  });
});
