// Failure records, parking and replay, and what a window stores and takes up again.

import { describe, expect, it } from 'vitest';
import { Ordering } from '../../../../src/domain/consumers/consumer.js';
import type { Delivery } from '../../../../src/domain/consumers/delivery-types.js';
import { decodeRanges } from '../../../../src/domain/consumers/position-ranges.js';
import { ALMOST_ONE, answerOf, BY_STREAM, DeliveryDriver, of } from '../../../support/consumers/delivery.js';

/** The delivery that is in flight at a position. */
function inFlight(driver: DeliveryDriver, position: number): Delivery[] {
  const delivery = driver.window.members.inFlightAt(position);
  return delivery === undefined ? [] : [delivery];
}

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
    const cause = { code: 'ACK_TIMEOUT', reason: 'the member "ada" did not acknowledge it in time' };
    expect(driver.window.unsaved.take().failures).toEqual([
      {
        ...{ position: 1, attempts: 3, losses: 0, notBeforeMs: 0, failedLease: 5 },
        ...{ cause, parkedAtMs: driver.now, state: 'PARKED' },
      },
    ]);
    expect(driver.window.offset).toBe(1);
    expect(driver.positions()).toEqual([2]);
  });

  it('parks what was lost with so many members, with the code', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    for (const losses of [1, 2, 3]) {
      driver.join('ada');
      expect(driver.deliver()).toMatchObject([
        { position: 1, attempt: 1 },
        { position: 2, attempt: 1 },
      ]);
      driver.window.members.remove('ada', { lost: true }, driver.now);
      expect(driver.window.unsaved.take().failures).toMatchObject([{ position: 1, attempts: 0, losses }]);
    }
    const cause = { code: 'MEMBER_LOST', reason: 'the member "ada" was lost while it had this event' };
    expect(driver.window.unsaved.take().failures).toMatchObject([{ cause, state: 'PARKED' }]);
    driver.join('ada');
    expect(driver.positions()).toEqual([2]);
  });

  it('parks what was rejected so often, and what a member asks to park at once', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'b'] });
    driver.join('ada');
    driver.park(of(driver.deliver(), 2), 'bad data', 'BAD');
    for (let attempt = 2; attempt <= 3; attempt++) {
      expect(driver.retry(of([...driver.deliver(), ...inFlight(driver, 1)], 1))).toEqual(['ACCEPTED']);
    }
    expect(driver.deliver()).toMatchObject([{ position: 1, attempt: 3 }]);
    driver.retry(of(inFlight(driver, 1), 1), 0, 'no use');
    expect(driver.window.unsaved.take().failures).toMatchObject([
      { position: 2, attempts: 0, cause: { code: 'BAD', reason: 'bad data' }, state: 'PARKED' },
      { position: 1, attempts: 3, cause: { code: '', reason: 'no use' }, state: 'PARKED' },
    ]);
    expect(driver.window.report.stats()).toMatchObject({ parked: 2, inFlight: 1 });
    expect(driver.window.offset).toBe(2);
  });

  it('keeps no texts of what waits and is stored, and stores them as they are', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1), 500, 'a long story');
    driver.window.unsaved.confirm(driver.window.unsaved.take());
    expect(driver.window.unsaved.anyFailure).toBe(false);
    driver.now += 500;
    driver.window.answers.extend(driver.deliver(), 900, driver.now);
    expect(driver.window.unsaved.take().failures).toMatchObject([{ attempts: 1, cause: undefined }]);
  });

  it('keeps no texts of what is parked and stored', () => {
    const driver = parkedFirst();
    driver.window.unsaved.confirm(driver.window.unsaved.take());
    driver.window.parked.replay(1);
    expect(driver.window.unsaved.take().failures).toMatchObject([{ position: 1, cause: undefined, state: 'REPLAY' }]);
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

describe('delivery parking without room', () => {
  const full = () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'c'], limits: { maxParked: 1 } });
    driver.join('ada');
    return driver;
  };

  it('goes on delivering with back-off what used up its attempts, and says so', () => {
    const driver = full();
    driver.park(of(driver.deliver(), 1));
    driver.ack(...inFlight(driver, 3));
    for (const attempt of [1, 2]) {
      driver.now += BY_STREAM.ackTimeoutMs;
      expect(driver.deliver()).toMatchObject([{ position: 2, attempt: attempt + 1 }]);
    }
    driver.random = ALMOST_ONE;
    for (const [attempt, delayMs] of [
      [3, 4_000],
      [4, 5_000],
      [5, 5_000],
    ] as const) {
      driver.now += BY_STREAM.ackTimeoutMs;
      expect(driver.window.redeliveries.expire(driver.now)).toMatchObject([{ position: 2, attempt, parked: false }]);
      driver.now += delayMs - 1;
      expect(driver.deliver()).toEqual([]);
      driver.now += 1;
      expect(driver.deliver()).toMatchObject([{ position: 2, attempt: attempt + 1 }]);
    }
    const { report } = driver.window;
    expect(report.cause(report.condition(3, driver.now), driver.now)).toBe(
      '1 event is in flight; 1 events are parked, as many as may be: what uses up its attempts is delivered again',
    );
    driver.window.parked.discard(1);
    driver.now += BY_STREAM.ackTimeoutMs;
    expect(driver.window.redeliveries.expire(driver.now)).toMatchObject([{ position: 2, parked: true }]);
  });

  it('tells before whether there is room to park', () => {
    const driver = full();
    const [first, second, third] = driver.deliver() as [Delivery, Delivery, Delivery];
    const { answers } = driver.window;
    expect(answers.mayPark([first])).toBe(true);
    expect(answers.mayPark([first, first])).toBe(true);
    expect(answers.mayPark([first, { ...second, leaseCheck: 77 }])).toBe(true);
    expect(answers.mayPark([first, second])).toBe(false);
    driver.park(first);
    expect(answers.mayPark([first])).toBe(true);
    expect(answers.mayPark([third])).toBe(false);
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

/** A driver of which the first so many events are parked; the log has one event more. */
function manyParked(count: number, limits = {}): DeliveryDriver {
  const log = Array.from({ length: count + 1 }, () => null);
  const driver = new DeliveryDriver({ log, limits });
  driver.join('ada', { maxInFlight: count });
  while (driver.window.report.stats().parked < count) for (const delivery of driver.deliver()) driver.park(delivery);
  driver.window.members.remove('ada', { lost: false }, driver.now);
  return driver;
}

describe('many replays', () => {
  it('wait without a record each, and half of the credit is theirs', () => {
    const driver = manyParked(10, { maxOutstanding: 5 });
    for (let position = 1; position <= 10; position += 1) expect(driver.window.parked.replay(position)).toBe(true);
    expect(driver.window.report.stats()).toMatchObject({ waiting: 10, parked: 0 });
    driver.join('bob', { maxInFlight: 4 });
    expect(driver.deliver().map(({ position, replay }) => [position, replay])).toEqual([
      [1, true],
      [2, true],
      [11, false],
    ]);
    expect(driver.window.report.stats()).toMatchObject({ waiting: 8, inFlight: 3 });
    expect(driver.deliver()).toEqual([]);
  });

  it('are all delivered, however little credit there is', () => {
    const driver = manyParked(20);
    for (let position = 20; position >= 1; position -= 1) driver.window.parked.replay(position);
    driver.join('bob', { maxInFlight: 1 });
    const delivered: number[] = [];
    for (let round = 0; round <= 20; round += 1) {
      const deliveries = driver.deliver();
      delivered.push(...deliveries.map(({ position }) => position));
      driver.ack(...deliveries);
    }
    expect(delivered).toEqual([...Array.from({ length: 20 }, (_, n) => n + 1), 21]);
    expect(driver.window.report.stats()).toMatchObject({ waiting: 0, inFlight: 0, parked: 0 });
    expect(driver.window.offset).toBe(21);
  });

  it('are taken up by a new owner, those that failed with the time that they wait for', () => {
    const former = manyParked(3);
    for (const position of [1, 2, 3]) former.window.parked.replay(position);
    former.join('ada', { maxInFlight: 2 });
    former.retry(of(former.deliver(), 1), 500);
    const driver = former.takeOver();
    driver.join('bob');
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + 500);
    expect(driver.positions()).toEqual([2, 3, 4]);
    driver.now += 500;
    expect(driver.deliver()).toMatchObject([{ position: 1, attempt: 2, replay: true }]);
  });

  it('are told as work that is left', () => {
    const driver = manyParked(1);
    driver.join('ada', { maxInFlight: 0 });
    driver.window.parked.replay(1);
    driver.deliver();
    expect(driver.window.report.condition(2, driver.now).activity).toBe('WAITING_FOR_ACKS');
    expect(driver.window.report.hasBacklog(2)).toBe(true);
  });
});

describe('a queued replay', () => {
  it('stays queued when it is asked for again', () => {
    const driver = parkedFirst();
    expect([driver.window.parked.replay(1), driver.window.parked.replay(1)]).toEqual([true, true]);
    expect(driver.deliver()).toMatchObject([{ position: 1, replay: true }]);
    expect(driver.window.parked.replay(1)).toBe(true);
    expect(driver.deliver()).toEqual([]);
  });

  it('can be acknowledged before it is delivered', () => {
    const driver = manyParked(2);
    driver.window.parked.replay(2);
    expect(driver.window.answers.ack([answerOf(2, 0)], driver.now)).toEqual(['ACCEPTED']);
    expect(driver.window.report.stats()).toMatchObject({ waiting: 0, parked: 1 });
    expect(driver.window.parked.replay(2)).toBe(false);
  });

  it('can be discarded, before and after it is delivered', () => {
    const driver = manyParked(2);
    for (const position of [1, 2]) driver.window.parked.replay(position);
    expect(driver.window.parked.discard(1)).toBe(true);
    driver.join('bob');
    const delivered = driver.deliver();
    expect(delivered.map(({ position }) => position)).toEqual([2, 3]);
    expect(driver.window.parked.discard(2)).toBe(true);
    expect(driver.ack(of(delivered, 2))).toEqual(['ALREADY']);
    expect([driver.window.parked.discard(1), driver.window.parked.discard(2)]).toEqual([false, false]);
    expect(driver.window.report.stats()).toMatchObject({ waiting: 0, inFlight: 1, parked: 0 });
    expect(driver.window.unsaved.take().failuresOver).toEqual([1, 2]);
  });

  it('does not keep an event that only waits for a retry', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1), 500);
    expect([driver.window.parked.replay(1), driver.window.parked.discard(1)]).toEqual([false, false]);
  });
});
