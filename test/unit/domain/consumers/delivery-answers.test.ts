// What an acknowledgement, a rejection or an extension means.

import { describe, expect, it } from 'vitest';
import { leaseCheck } from '../../../../src/domain/consumers/delivery-leases.js';
import type { AckStatus, Delivery } from '../../../../src/domain/consumers/delivery-types.js';
import {
  ALMOST_ONE,
  answerOf,
  BY_STREAM,
  CONSUMER_ID,
  DeliveryDriver,
  NO_ORDER,
  of,
} from '../../../support/consumers/delivery.js';

function one(driver: DeliveryDriver, position: number, lease: number): AckStatus | undefined {
  return driver.window.answers.ack([answerOf(position, lease)], driver.now)[0];
}

describe('delivery answers: leases of this owner', () => {
  it('accepts the current lease once', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    const [first] = driver.deliver();
    expect(one(driver, 1, first?.lease ?? 0)).toBe('ACCEPTED');
    expect(one(driver, 1, first?.lease ?? 0)).toBe('ALREADY');
  });

  it('answers each acknowledgement of a call in its order', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada');
    const [first, second] = driver.deliver();
    const answers = [
      answerOf(2, second?.lease ?? 0),
      answerOf(9, 1),
      answerOf(1, first?.lease ?? 0),
      answerOf(2, second?.lease ?? 0),
      answerOf(0, 1),
    ];
    expect(driver.window.answers.ack(answers, driver.now)).toEqual([
      'ACCEPTED',
      'UNKNOWN',
      'ACCEPTED',
      'ALREADY',
      'UNKNOWN',
    ]);
  });

  it('knows no lease that was never minted, and no event that was never delivered', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada', { maxInFlight: 1 });
    const [first] = driver.deliver();
    expect(one(driver, 1, 99)).toBe('UNKNOWN');
    expect(one(driver, 2, first?.lease ?? 0)).toBe('UNKNOWN');
    expect(one(driver, 2, 0)).toBe('UNKNOWN');
  });

  it('accepts an event that returned and was not delivered again', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    const [first] = driver.deliver();
    driver.window.members.remove('ada', { lost: false }, driver.now);
    expect(one(driver, 1, first?.lease ?? 0)).toBe('ACCEPTED');
    expect(driver.window.offset).toBe(1);
  });

  it('finds a lease stale while another member has the event', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    const [first] = driver.deliver();
    driver.window.members.remove('ada', { lost: false }, driver.now);
    driver.join('bob');
    const [second] = driver.deliver();
    expect(one(driver, 1, first?.lease ?? 0)).toBe('STALE');
    expect(one(driver, 1, second?.lease ?? 0)).toBe('ACCEPTED');
  });

  it('accepts an older lease of the member that has the event again, also through other members', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    const [first] = driver.deliver();
    for (const name of ['bob', 'ada']) {
      const [holder] = driver.window.members.uses();
      driver.window.members.remove(holder?.name ?? '', { lost: false }, driver.now);
      driver.join(name);
      driver.deliver();
    }
    expect(driver.window.members.inFlightAt(1)).toMatchObject({ member: 'ada', lease: 3 });
    expect(one(driver, 1, 2)).toBe('STALE');
    expect(one(driver, 1, first?.lease ?? 0)).toBe('ACCEPTED');
  });

  it('takes lease 0 for whatever is current', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada');
    driver.deliver();
    expect(one(driver, 1, 0)).toBe('ACCEPTED');
    expect(one(driver, 1, 0)).toBe('ALREADY');
    driver.window.members.remove('ada', { lost: false }, driver.now);
    expect(one(driver, 2, 0)).toBe('ACCEPTED');
  });
});

describe('delivery answers: leases of before', () => {
  it('finds leases of an older generation stale, whatever became of the event', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada');
    const [first, second] = driver.deliver();
    driver.ack(of([first, second] as never, 1));
    driver.window.seek(0, 2);
    expect(driver.window.generation).toBe(2);
    expect(one(driver, 1, first?.lease ?? 0)).toBe('STALE');
    const again = driver.deliver();
    expect(again.map(({ lease }) => lease)).toEqual([3, 4]);
    expect(one(driver, 2, second?.lease ?? 0)).toBe('STALE');
    expect(driver.ack(...again)).toEqual(['ACCEPTED', 'ACCEPTED']);
  });

  it('accepts a former owner’s lease unless the event is done or leased out now', () => {
    const former = new DeliveryDriver({ log: [null, null, null, null] });
    former.join('ada');
    const delivered = former.deliver();
    former.ack(of(delivered, 2));
    const driver = former.takeOver();
    driver.join('ada', { maxInFlight: 1 });
    driver.deliver();
    expect(one(driver, 1, of(delivered, 1).lease)).toBe('STALE');
    expect(one(driver, 2, of(delivered, 2).lease)).toBe('ALREADY');
    expect(one(driver, 3, of(delivered, 3).lease)).toBe('ACCEPTED');
    expect(one(driver, 3, of(delivered, 3).lease)).toBe('ALREADY');
    driver.window.answers.ackUpTo(1, undefined, driver.now);
    expect(driver.positions()).toEqual([4]);
    expect(driver.window.offset).toBe(3);
  });

  it('knows nothing without a lease of what a former owner delivered, until it is delivered again', () => {
    const former = new DeliveryDriver({ log: [null] });
    former.join('ada');
    former.deliver();
    const driver = former.takeOver();
    expect(one(driver, 1, 0)).toBe('UNKNOWN');
    driver.join('bob');
    driver.deliver();
    expect(one(driver, 1, 0)).toBe('ACCEPTED');
  });

  it('takes rejections with a former owner’s lease too', () => {
    const former = new DeliveryDriver({ log: ['a', 'b', 'c', 'd'] });
    former.join('ada');
    const delivered = former.deliver();
    const driver = former.takeOver();
    expect(driver.retry(of(delivered, 1), 300)).toEqual(['ACCEPTED']);
    expect(driver.park(of(delivered, 2))).toEqual(['ACCEPTED']);
    expect(driver.skip(of(delivered, 3))).toEqual(['ACCEPTED']);
    driver.join('ada');
    expect(driver.positions()).toEqual([4]);
    expect(driver.window.report.stats()).toMatchObject({ parked: 1, waiting: 1 });
    driver.now += 300;
    expect(driver.deliver()).toMatchObject([{ position: 1, attempt: 2 }]);
  });

  it('knows which leases a former owner gave out, and for which events', () => {
    const former = new DeliveryDriver({ log: [null, null, null], state: { nextLease: 700 } });
    former.join('ada', { maxInFlight: 2 });
    const delivered = former.deliver();
    const driver = former.takeOver();
    const [first, second] = delivered as [Delivery, Delivery];
    const statuses = driver.window.answers.ack(
      [
        // Mistyped, of another event, of an event that nobody got, of another consumer.
        { ...first, lease: first.lease + 1 },
        { ...first, leaseCheck: first.leaseCheck ^ 1 },
        { ...first, position: 2 },
        { ...first, position: 3 },
        { ...second, leaseCheck: leaseCheck(CONSUMER_ID + 1, second.position, second.lease) },
        { position: 3, lease: 0, leaseCheck: 777 },
      ],
      driver.now,
    );
    expect(statuses).toEqual(Array(6).fill('UNKNOWN'));
    driver.join('bob');
    expect(driver.positions()).toEqual([1, 2, 3]);
  });

  it('knows an event that was done before its generation began, or never was its own, for none of it', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], state: { offset: 1, generationOffset: 1 } });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.ack(...delivered);
    expect(one(driver, 1, 0)).toBe('UNKNOWN');
    expect(one(driver, 2, 0)).toBe('ALREADY');
    driver.window.seek(3, 2);
    expect(one(driver, 2, 0)).toBe('UNKNOWN');
    expect(one(driver, 2, of(delivered, 2).lease)).toBe('STALE');
    expect(one(driver.takeOver(), 2, 0)).toBe('UNKNOWN');
  });

  it('does not let leases of a former owner add ranges without end', () => {
    const log = Array.from({ length: 40 }, () => null);
    const former = new DeliveryDriver({ log });
    former.join('ada');
    const leases = former.deliver();
    const driver = former.takeOver({ limits: { maxAckedRanges: 3 } });
    const odd = leases.filter(({ position }) => position % 2 === 0);
    const statuses = driver.ack(...odd);
    expect(statuses.filter((status) => status === 'ACCEPTED')).toHaveLength(6);
    expect(statuses.at(-1)).toBe('UNKNOWN');
  });
});

describe('delivery answers: up to', () => {
  it('acknowledges what is in flight at or below, and nothing else', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b', 'b', 'c'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 2));
    const positions = driver.window.answers.ackUpTo(4, undefined, driver.now);
    expect([...positions].sort()).toEqual([1, 3, 4]);
    expect(driver.window.offset).toBe(1);
    expect(driver.window.answers.ackUpTo(4, undefined, driver.now)).toEqual([]);
  });

  it('acknowledges only what a named member holds', () => {
    const driver = new DeliveryDriver({ log: [null, null, null, null], settings: NO_ORDER });
    driver.join('ada', { maxInFlight: 2 });
    driver.join('bob', { maxInFlight: 2 });
    const delivered = driver.deliver();
    const bobs = delivered.filter(({ member }) => member === 'bob').map(({ position }) => position);
    expect([...driver.window.answers.ackUpTo(9, 'bob', driver.now)].sort()).toEqual(bobs);
    expect(driver.window.answers.ackUpTo(9, 'nobody', driver.now)).toEqual([]);
    expect(driver.window.members.use('ada')?.inFlight).toBe(2);
  });

  it('covers what a member got out of order', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], settings: NO_ORDER });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 1));
    expect(driver.positions()).toEqual([1]);
    expect(driver.window.answers.ackUpTo(1, 'ada', driver.now)).toEqual([1]);
    expect(driver.window.offset).toBe(1);
  });
});

describe('delivery answers: rejections', () => {
  it('passes over a skipped event', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    driver.join('ada');
    const delivered = driver.deliver();
    expect(driver.skip(of(delivered, 1))).toEqual(['ACCEPTED']);
    expect(driver.window.offset).toBe(1);
    expect(driver.window.report.stats().waiting).toBe(0);
  });

  it('counts a rejection of an event that had returned already', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 1));
    expect(driver.retry(of(delivered, 2))).toEqual(['ACCEPTED']);
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('does nothing with a lease that is not good', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    const [first] = driver.deliver();
    expect(driver.reject(answerOf(1, 7), { action: 'SKIP', cause: { code: '', reason: '' } })).toEqual(['UNKNOWN']);
    expect(driver.window.members.inFlightAt(1)).toEqual(first);
  });

  it('counts a delivery once, however often it is rejected', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    const [first] = driver.deliver() as [Delivery];
    expect(driver.retry(first, 300)).toEqual(['ACCEPTED']);
    expect(driver.retry(first, 500, 'later')).toEqual(['ACCEPTED']);
    expect(driver.reject(answerOf(1, 0), { action: 'RETRY', delayMs: 400, cause: { code: 'X', reason: '' } })).toEqual([
      'ACCEPTED',
    ]);
    const [failure] = driver.window.unsaved.take().failures;
    expect(failure).toMatchObject({ attempts: 1, notBeforeMs: driver.now + 400, cause: { code: 'X', reason: '' } });
    driver.now += 400;
    const [second] = driver.deliver() as [Delivery];
    expect(second.attempt).toBe(2);
    expect(driver.retry(first)).toEqual(['ALREADY']);
    expect(driver.window.members.inFlightAt(1)).toEqual(second);
    expect(driver.retry(second)).toEqual(['ACCEPTED']);
    expect(driver.deliver()).toMatchObject([{ attempt: 3 }]);
    expect(driver.ack(first)).toEqual(['ACCEPTED']);
  });

  it('counts a delivery of a former owner once', () => {
    const former = new DeliveryDriver({ log: ['a', 'b'] });
    former.join('ada');
    const [first, second] = former.deliver() as [Delivery, Delivery];
    former.retry(first, 300);
    const driver = former.takeOver();
    for (let again = 0; again < 3; again++) {
      expect(driver.retry(first, 300)).toEqual(['ACCEPTED']);
      expect(driver.retry(second, 300)).toEqual(['ACCEPTED']);
    }
    driver.join('ada');
    expect(driver.positions()).toEqual([]);
    expect(driver.retry(second, 300)).toEqual(['ACCEPTED']);
    driver.now += 300;
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('takes the reason and the delay of a late rejection, after the time-out that counted', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    const [first] = driver.deliver() as [Delivery];
    driver.now += BY_STREAM.ackTimeoutMs;
    driver.window.redeliveries.expire(driver.now);
    expect(driver.retry(first, 700, 'slow')).toEqual(['ACCEPTED']);
    expect(driver.window.unsaved.take().failures).toMatchObject([{ attempts: 1, cause: { code: '', reason: 'slow' } }]);
    expect(driver.positions()).toEqual([]);
  });

  it('backs off by attempt, up to the bound, some of it left to chance', () => {
    const driver = new DeliveryDriver({ log: [null], settings: { ...BY_STREAM, maxAttempts: 9 } });
    driver.join('ada');
    for (const [random, delayMs] of [
      [0, 500],
      [0, 1_000],
      [ALMOST_ONE, 4_000],
      [ALMOST_ONE, 5_000],
      [0, 2_500],
    ] as const) {
      driver.random = random;
      driver.backOff(driver.deliver()[0] as Delivery);
      expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + delayMs);
      driver.now += delayMs;
    }
  });

  it('delivers the later events of the stream again after a rejected one, and no others', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b', 'a'] });
    driver.join('ada');
    driver.join('bob');
    const delivered = driver.deliver();
    driver.ack(of(delivered, 4));
    driver.retry(of(delivered, 1), 200);
    expect(driver.positions()).toEqual([]);
    driver.now += 200;
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 1],
    ]);
    expect(driver.window.members.inFlightAt(3)).toEqual(of(delivered, 3));
  });

  it('leaves the later events of the stream of a parked or skipped one with their member', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'a'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.park(of(delivered, 1));
    driver.skip(of(delivered, 2));
    expect(driver.window.members.inFlightAt(3)).toMatchObject({ lease: of(delivered, 3).lease });
    expect(driver.window.offset).toBe(2);
  });

  it('delivers a rejected event alone where there is no order', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'], settings: NO_ORDER });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 1));
    expect(driver.deliver()).toMatchObject([{ position: 1, attempt: 2 }]);
    expect(driver.window.members.inFlightAt(2)).toEqual(of(delivered, 2));
  });
});
