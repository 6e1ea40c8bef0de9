// Failure records, parking and replay, and what a window stores and takes up again.

import { describe, expect, it } from 'vitest';
import { Ordering } from '../../../../src/domain/consumers/consumer.js';
import { decodeRanges } from '../../../../src/domain/consumers/position-ranges.js';
import { answerOf, BY_STREAM, DeliveryDriver, of } from '../../../support/consumers/delivery.js';

function parkedFirst(log: readonly (string | null)[] = ['a', 'a']): DeliveryDriver {
  const driver = new DeliveryDriver({ log });
  driver.join('ada');
  driver.park(of(driver.deliver(), 1), 'bad data');
  return driver;
}

describe('delivery parking', () => {
  it('parks an event that used up its attempts, with the reason, and frees its stream', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    driver.join('ada');
    for (const attempt of [1, 2, 3]) {
      expect(driver.deliver()[0]).toMatchObject({ position: 1, attempt });
      driver.now += BY_STREAM.ackTimeoutMs;
    }
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([
      { position: 1, member: 'ada', attempt: 3, parked: true },
    ]);
    expect(driver.window.unsaved.take().failures).toEqual([
      { position: 1, attempts: 3, losses: 0, notBeforeMs: 0, reason: 'ACK_TIMEOUT', state: 'PARKED' },
    ]);
    expect(driver.window.offset).toBe(1);
    expect(driver.positions()).toEqual([2]);
  });

  it('goes on delivering it while parking is off', () => {
    const driver = new DeliveryDriver({ log: ['a'], settings: { ...BY_STREAM, parking: false } });
    driver.join('ada');
    for (let attempt = 1; attempt <= 9; attempt++) {
      expect(driver.deliver()).toMatchObject([{ position: 1, attempt }]);
      driver.now += BY_STREAM.ackTimeoutMs;
    }
  });

  it('parks what a member asks to park, with parking off too', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'], settings: { ...BY_STREAM, parking: false } });
    driver.join('ada');
    driver.park(of(driver.deliver(), 1), 'bad data');
    expect(driver.window.unsaved.take().failures).toMatchObject([{ position: 1, reason: 'bad data', state: 'PARKED' }]);
    expect(driver.window.report.stats()).toMatchObject({ parked: 1, inFlight: 1 });
  });

  it('counts a late acknowledgement of a parked event', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    const [first] = driver.deliver();
    if (first === undefined) throw new Error('nothing was delivered');
    driver.park(first);
    expect(driver.window.answers.ack([answerOf(1, 0)], driver.now)).toEqual(['ALREADY']);
    expect(driver.ack(first)).toEqual(['ACCEPTED']);
    expect(driver.window.report.stats().parked).toBe(0);
    expect(driver.ack(first)).toEqual(['ALREADY']);
  });

  it('discards a parked event once', () => {
    const driver = parkedFirst();
    expect(driver.window.parked.discard(2)).toBe(false);
    expect(driver.window.parked.discard(1)).toBe(true);
    expect(driver.window.parked.discard(1)).toBe(false);
    expect(driver.window.unsaved.take()).toMatchObject({ failures: [], failuresOver: [1] });
  });

  it('forgets a parked event that is no longer stored', () => {
    const driver = parkedFirst();
    driver.window.redeliveries.gone(1);
    expect(driver.window.report.stats().parked).toBe(0);
  });
});

describe('delivery replay', () => {
  it('delivers a parked event again, marked and outside its stream’s order', () => {
    const driver = parkedFirst(['a', 'a', 'a']);
    expect(driver.window.parked.replay(2)).toBe(false);
    expect(driver.window.parked.replay(1)).toBe(true);
    expect(driver.window.report.stats()).toMatchObject({ parked: 0, inFlight: 2, waiting: 1, oldestUnacknowledged: 2 });
    const [replay] = driver.deliver();
    expect(replay).toMatchObject({ position: 1, attempt: 1, replay: true, deadlineMs: driver.now + 1_000 });
    expect(driver.window.offset).toBe(1);
    driver.window.answers.ackUpTo(3, undefined, driver.now);
    expect(driver.window.offset).toBe(3);
    expect(driver.window.unsaved.take().failuresOver).toEqual([1]);
  });

  it('counts once among what is done above the offset', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada');
    driver.park(of(driver.deliver(), 2));
    driver.window.unsaved.confirm(driver.window.unsaved.take());
    driver.window.parked.replay(2);
    driver.ack(...driver.deliver());
    expect(driver.window.report.stats().ackedAhead).toBe(1);
    expect(driver.window.offset).toBe(0);
  });

  it('is parked again when its attempts are used up again', () => {
    const driver = parkedFirst(['a']);
    driver.window.parked.replay(1);
    for (const attempt of [1, 2, 3]) {
      expect(driver.deliver()).toMatchObject([{ position: 1, attempt, replay: true }]);
      driver.now += BY_STREAM.ackTimeoutMs;
    }
    driver.window.redeliveries.expire(driver.now);
    expect(driver.window.report.stats()).toMatchObject({ parked: 1, waiting: 0 });
    expect(driver.window.parked.replay(1)).toBe(true);
  });

  it('is still wanted after a change of owner', () => {
    const former = parkedFirst(['a', 'a']);
    former.window.answers.ackUpTo(2, undefined, former.now);
    former.window.parked.replay(1);
    const driver = former.takeOver();
    driver.join('bob');
    const [replay] = driver.deliver();
    expect(replay).toMatchObject({ position: 1, replay: true });
    expect(driver.window.offset).toBe(2);
    if (replay !== undefined) driver.ack(replay);
    expect(driver.window.unsaved.take().failuresOver).toEqual([1]);
  });

  it('ends when the event is no longer stored', () => {
    const driver = parkedFirst(['a']);
    driver.window.parked.replay(1);
    driver.delete(1);
    expect(driver.positions()).toEqual([]);
    expect(driver.window.report.stats()).toMatchObject({ parked: 0, waiting: 0 });
  });
});

describe('delivery seek', () => {
  it('takes what it goes back over from the parked list, and leaves the rest', () => {
    const driver = new DeliveryDriver({ log: [null, null, null] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.park(of(delivered, 1));
    driver.park(of(delivered, 3));
    driver.window.seek(1, 2);
    expect(driver.window.report.stats()).toMatchObject({ parked: 1, inFlight: 0, waiting: 0 });
    expect(driver.window.unsaved.take()).toMatchObject({
      generation: 2,
      offset: 1,
      generationFirstLease: 4,
      failuresOver: [3],
    });
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [2, 1],
      [3, 1],
    ]);
  });

  it('forgets attempts, and keeps members with their credit', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b'] });
    driver.join('ada', { maxInFlight: 1 });
    driver.retry(of(driver.deliver(), 1), 5_000);
    const { era } = driver.window;
    driver.window.seek(0, 2);
    expect(driver.window.era).toBeGreaterThan(era);
    expect(driver.window.members.uses()).toMatchObject([{ name: 'ada', inFlight: 0, maxInFlight: 1 }]);
    expect(driver.deliver()).toMatchObject([{ position: 1, attempt: 1 }]);
  });

  it('keeps a queued replay at or before its target', () => {
    const driver = parkedFirst(['a', 'a']);
    driver.window.parked.replay(1);
    driver.window.seek(2, 2);
    expect(driver.deliver()).toMatchObject([{ position: 1, replay: true }]);
  });
});

describe('delivery settings', () => {
  it('begins the scan anew for another ordering and keeps what is done, attempts and leases', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'a', 'a'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.ack(of(delivered, 3));
    driver.retry(of(delivered, 1));
    driver.window.configure({ ...BY_STREAM, ordering: Ordering.NONE });
    expect(driver.window).toMatchObject({ generation: 1, scan: { position: 0 } });
    expect(driver.ack(of(delivered, 4))).toEqual(['ACCEPTED']);
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 1],
    ]);
  });
});

describe('delivery settings and expiry', () => {
  it('ends a failure record whose event expired before the new scan came to it', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b'] });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1), 500);
    driver.window.configure({ ...BY_STREAM, ordering: Ordering.NONE });
    driver.delete(1);
    driver.deliver();
    expect(driver.window.unsaved.take()).toMatchObject({ failures: [], failuresOver: [1] });
  });
});

describe('delivery storage', () => {
  it('is dirty from a change until that change is confirmed', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada');
    expect(driver.window.unsaved.any).toBe(false);
    const delivered = driver.deliver();
    driver.window.unsaved.confirm(driver.window.unsaved.take());
    driver.ack(of(delivered, 2));
    const changes = driver.window.unsaved.take();
    expect(decodeRanges(changes.acked)).toEqual([[2, 2]]);
    driver.ack(of(delivered, 1));
    driver.window.unsaved.confirm(changes);
    expect(driver.window.unsaved.any).toBe(true);
    driver.window.unsaved.confirm(driver.window.unsaved.take());
    expect(driver.window.unsaved.any).toBe(false);
  });

  it('writes a failure record again that changed while it was being written', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1));
    const changes = driver.window.unsaved.take();
    driver.retry(of(driver.deliver(), 1));
    driver.window.unsaved.confirm(changes);
    expect(driver.window.unsaved.anyFailure).toBe(true);
    expect(driver.window.unsaved.take().failures).toMatchObject([{ position: 1, attempts: 2 }]);
    driver.ack(...driver.deliver());
    expect(driver.window.unsaved.take()).toMatchObject({ failures: [], failuresOver: [1] });
    driver.window.unsaved.confirm(driver.window.unsaved.take());
    expect(driver.window.unsaved.anyFailure).toBe(false);
  });

  it('takes up attempts and delays of a former owner', () => {
    const former = new DeliveryDriver({ log: ['a', 'a', 'b', null] });
    former.join('ada');
    const delivered = former.deliver();
    former.retry(of(delivered, 1), 500);
    former.retry(of(delivered, 4), 500);
    const driver = former.takeOver();
    driver.join('bob');
    expect(driver.positions()).toEqual([3]);
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + 500);
    driver.now += 500;
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [4, 2],
      [2, 1],
    ]);
  });

  it('takes up the delay of an event that its stream’s re-read comes to', () => {
    const former = new DeliveryDriver({ log: ['a', 'a', 'a', 'b'] });
    former.join('ada');
    former.retry(of(former.deliver(), 3), 500);
    const driver = former.takeOver();
    driver.join('ada', { maxInFlight: 1 });
    const [first] = driver.scan();
    driver.join('bob');
    expect(driver.positions()).toEqual([4]);
    if (first !== undefined) driver.ack(first);
    expect(driver.positions()).toEqual([2]);
    expect(driver.positions()).toEqual([]);
    expect(driver.window.report.stats()).toMatchObject({ waiting: 1, heldStreams: 1 });
    driver.now += 500;
    expect(driver.deliver()).toMatchObject([{ position: 3, attempt: 2 }]);
    driver.window.answers.ackUpTo(4, undefined, driver.now);
    driver.deliver();
    expect(driver.window.offset).toBe(4);
  });

  it('delivers nothing without reserved leases', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], state: { nextLease: 5, leaseLimit: 7 } });
    driver.join('ada');
    expect(driver.deliver().map(({ lease }) => lease)).toEqual([5, 6]);
    expect(driver.window.leases.left).toBe(0);
    driver.window.members.remove('ada', { lost: false }, driver.now);
    driver.join('ada');
    expect(driver.positions()).toEqual([]);
    driver.window.leases.reserve(10);
    expect(driver.deliver().map(({ position, lease }) => [position, lease])).toEqual([
      [1, 7],
      [2, 8],
      [3, 9],
    ]);
    expect(driver.window.leases.next).toBe(10);
  });
});
