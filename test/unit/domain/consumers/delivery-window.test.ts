// The delivery window's table of states, row by row, and the offset.

import { describe, expect, it } from 'vitest';
import { answerOf, DeliveryDriver, NO_ORDER, of } from '../../../support/consumers/delivery.js';

describe('delivery window: scan', () => {
  it('delivers unseen events in order and gives each a new lease', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', null] });
    driver.join('ada');
    const delivered = driver.deliver();
    expect(delivered.map(({ position, lease, attempt, member }) => [position, lease, attempt, member])).toEqual([
      [1, 1, 1, 'ada'],
      [2, 2, 1, 'ada'],
      [3, 3, 1, 'ada'],
    ]);
  });

  it('stops without a member and changes nothing', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b'] });
    expect(driver.window.scan.offer(driver.event(1), driver.now)).toEqual({ kind: 'no-credit' });
    expect(driver.window.scan.position).toBe(0);
  });

  it('stops at the credit in events and goes on after an answer', () => {
    const driver = new DeliveryDriver({ log: [null, null, null] });
    driver.join('ada', { maxInFlight: 2 });
    const first = driver.deliver();
    expect(first.map((delivery) => delivery.position)).toEqual([1, 2]);
    expect(driver.window.scan.position).toBe(2);
    driver.ack(of(first, 2));
    expect(driver.positions()).toEqual([3]);
  });

  it('refuses a position that it has passed', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    driver.deliver();
    expect(() => driver.window.scan.offer({ position: 1, stream: null, bytes: 1 }, driver.now)).toThrow(
      'offered before',
    );
  });

  it('gives a free stream to the member with the most free credit', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'c', 'd', 'e'] });
    driver.join('small', { maxInFlight: 2 });
    driver.join('large', { maxInFlight: 4 });
    const members = driver.deliver().map((delivery) => delivery.member);
    expect(members.slice(0, 2)).toEqual(['large', 'large']);
    expect(members.filter((member) => member === 'small')).toHaveLength(2);
  });
});

describe('delivery window: offset', () => {
  it('follows contiguous acknowledgements and passes what does not match', () => {
    const driver = new DeliveryDriver({ log: [undefined, 'a', undefined, 'b', undefined, undefined] });
    driver.join('ada');
    const delivered = driver.deliver();
    expect(driver.window.offset).toBe(1);
    driver.ack(of(delivered, 4));
    expect(driver.window.offset).toBe(1);
    driver.ack(of(delivered, 2));
    expect(driver.window.offset).toBe(6);
  });

  it('never passes what was scanned', () => {
    const driver = new DeliveryDriver({ log: [null, null, null] });
    driver.join('ada', { maxInFlight: 1 });
    driver.ack(...driver.deliver());
    expect(driver.window.offset).toBe(1);
    expect(driver.window.scan.position).toBe(1);
  });

  it('is right after many thousand events that were answered in and out of order', () => {
    const log = Array.from({ length: 10_000 }, () => null);
    const driver = new DeliveryDriver({ log });
    driver.join('ada', { maxInFlight: 10_000, maxInFlightBytes: 100_000_000 });
    const delivered = driver.deliver();
    for (const delivery of delivered.slice(0, 5_100)) {
      driver.ack(delivery);
      expect(driver.window.offset).toBe(delivery.position);
    }
    driver.ack(...delivered.slice(5_101, 5_200));
    driver.ack(...delivered.slice(5_200).reverse());
    expect(driver.window.offset).toBe(5_100);
    driver.ack(of(delivered, 5_101));
    expect(driver.window.offset).toBe(10_000);
  });

  it('does not forget an event that waits while thousands after it are done', () => {
    const log = Array.from({ length: 5_000 }, () => null);
    const driver = new DeliveryDriver({ log });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1), 60_000);
    for (let round = 0; round < 50; round++) {
      driver.window.answers.ackUpTo(5_000, undefined, driver.now);
      driver.deliver();
    }
    expect(driver.window.scan.position).toBe(5_000);
    expect(driver.window.offset).toBe(0);
    expect(driver.window.report.stats().oldestUnacknowledged).toBe(1);
  });

  it('keeps what is done above it through a change of owner', () => {
    const former = new DeliveryDriver({ log: ['a', 'b', 'c', 'd'] });
    former.join('ada');
    const delivered = former.deliver();
    former.ack(of(delivered, 2), of(delivered, 4));
    const driver = former.takeOver();
    driver.join('ada');
    expect(driver.positions()).toEqual([1, 3]);
  });

  it('merges acknowledgements over positions that do not match into one range', () => {
    const log = Array.from({ length: 1_000 }, (_, index) => (index % 10 === 0 ? null : undefined));
    const driver = new DeliveryDriver({ log });
    driver.join('ada');
    const [, ...others] = driver.deliver();
    driver.ack(...others);
    expect(driver.window.report.stats().ackedAhead).toBe(99);
    expect(driver.window.unsaved.take().acked.length).toBeLessThan(8);
  });
});

describe('delivery window: held', () => {
  it('remembers the first passed over event of a stream and re-reads from there', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b', 'a', 'b'] });
    driver.join('ada', { maxInFlight: 1 });
    const [first] = driver.scan();
    driver.join('bob', { maxInFlight: 2 });
    const onBob = driver.deliver();
    expect(onBob.map(({ position, member }) => [position, member])).toEqual([
      [3, 'bob'],
      [5, 'bob'],
    ]);
    expect(driver.window.report.stats().heldStreams).toBe(1);
    driver.ack(...onBob);
    expect(driver.window.offset).toBe(0);
    expect(driver.positions()).toEqual([]);
    if (first !== undefined) driver.ack(first);
    expect(driver.window.rereads.next(10)).toMatchObject([{ stream: 'a', from: 2, room: 2 }]);
    expect(driver.deliver().map(({ position, member }) => [position, member])).toEqual([
      [2, 'bob'],
      [4, 'bob'],
    ]);
    expect(driver.window.report.stats().heldStreams).toBe(0);
  });

  it('does not let the offset pass a stream that was passed over', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'a', 'b', 'b'] });
    driver.join('ada', { maxInFlight: 1 });
    const [first] = driver.scan();
    driver.join('bob');
    const others = driver.deliver();
    driver.ack(...others);
    if (first !== undefined) driver.ack(first);
    expect(driver.window.offset).toBe(2);
  });

  it('goes on from where a re-read had to stop', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'a', 'a', 'a'] });
    driver.join('ada', { maxInFlight: 1 });
    const [first] = driver.scan();
    driver.join('bob', { maxInFlight: 2 });
    const bobs = driver.deliver();
    driver.ack(...bobs);
    if (first !== undefined) driver.ack(first);
    expect(driver.reread().map((delivery) => delivery.position)).toEqual([3, 4]);
    expect(driver.window.rereads.next(10)).toEqual([]);
    driver.window.answers.ack([answerOf(3, 0), answerOf(4, 0)], driver.now);
    expect(driver.window.rereads.next(10)).toMatchObject([{ stream: 'a', from: 5 }]);
    expect(driver.positions()).toEqual([5]);
  });

  it('drops what was read of a stream before a seek', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'a', 'a', 'a'] });
    driver.join('ada', { maxInFlight: 1 });
    const [first] = driver.scan();
    driver.join('bob', { maxInFlight: 2 });
    driver.scan();
    if (first !== undefined) driver.ack(first);
    const [reread] = driver.window.rereads.next(1);
    if (reread === undefined) throw new Error('nothing to re-read');
    driver.window.seek(0, 2);
    driver.scan();
    expect(driver.window.rereads.offer(reread, driver.event(4), driver.now)).toEqual({ kind: 'done' });
    const { heldStreams } = driver.window.report.stats();
    driver.window.rereads.passedTo(reread, 5);
    expect(driver.window.report.stats().heldStreams).toBe(heldStreams);
  });
});

describe('delivery window: order', () => {
  it('keeps a stream with one member while anything of it is in flight', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'a', 'b', 'a'] });
    driver.join('ada');
    driver.join('bob');
    const members = new Map<string, Set<string>>();
    for (const { position, member } of driver.deliver()) {
      const stream = driver.event(position).stream ?? '';
      members.set(stream, (members.get(stream) ?? new Set()).add(member));
    }
    expect([...members.values()].map((set) => set.size)).toEqual([1, 1]);
  });

  it('delivers the later events of a stream again after one that is retried, attempts not raised', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b', 'a'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 2));
    expect(driver.window.report.stats()).toMatchObject({ inFlight: 2, waiting: 2 });
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [2, 2],
      [4, 1],
    ]);
  });

  it('lets other streams go on while one waits for its retry', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b', 'b'] });
    driver.join('ada', { maxInFlight: 2 });
    const delivered = driver.deliver();
    driver.retry(of(delivered, 1), 5_000);
    expect(driver.positions()).toEqual([3, 4]);
    driver.now += 4_999;
    expect(driver.window.redeliveries.next(driver.now, 10)).toEqual([]);
    driver.now += 1;
    expect(driver.window.redeliveries.next(driver.now, 10)).toEqual([]);
    driver.window.answers.ackUpTo(4, undefined, driver.now);
    expect(driver.positions()).toEqual([1, 2]);
  });

  it('refuses a retry before its time even when it is offered', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    const [first] = driver.deliver();
    if (first !== undefined) driver.retry(first, 5_000);
    expect(driver.window.redeliveries.offer(driver.event(1), driver.now)).toEqual({ kind: 'held' });
  });

  it('refuses to redeliver a later event of a stream before the first', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1));
    expect(driver.window.redeliveries.offer(driver.event(2), driver.now)).toEqual({ kind: 'held' });
    expect(driver.window.redeliveries.offer(driver.event(1), driver.now).kind).toBe('delivered');
  });

  it('prefers another member for an event that failed', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada', { maxInFlight: 10 });
    driver.join('bob', { maxInFlight: 2 });
    const [first] = driver.deliver();
    expect(first?.member).toBe('ada');
    if (first !== undefined) driver.retry(first);
    expect(driver.deliver()).toMatchObject([{ position: 1, member: 'bob' }]);
  });

  it('has no order without streams, or with the ordering NONE', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'a'], settings: NO_ORDER });
    driver.join('ada', { maxInFlight: 1 });
    driver.join('bob', { maxInFlight: 2 });
    expect(driver.deliver().map(({ position }) => position)).toEqual([1, 2, 3]);
    expect(new Set(driver.window.members.uses().map(({ inFlight }) => inFlight))).toEqual(new Set([1, 2]));
  });
});

describe('delivery window: gone', () => {
  it('treats an event that is no longer stored as done', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 1));
    driver.delete(1);
    driver.ack(of(delivered, 3));
    const again = driver.deliver();
    expect(again.map(({ position }) => position)).toEqual([2]);
    expect(driver.window.offset).toBe(1);
    driver.ack(...again);
    expect(driver.window.offset).toBe(3);
  });

  it('leaves an event in flight to its member', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('ada');
    const [first] = driver.deliver();
    driver.window.redeliveries.gone(1);
    expect(first === undefined ? [] : driver.ack(first)).toEqual(['ACCEPTED']);
  });

  it('ends the stored failure record of an event that expired before it was offered', () => {
    const former = new DeliveryDriver({ log: ['a', 'b'] });
    former.join('ada');
    former.retry(of(former.deliver(), 1));
    const driver = former.takeOver();
    driver.delete(1);
    driver.join('ada');
    driver.deliver();
    expect(driver.window.unsaved.take().failuresOver).toEqual([1]);
  });
});

describe('delivery window: bounds', () => {
  it('stops the scan at too many acknowledged events ahead, naming the blocker, until that is done', () => {
    const log = Array.from({ length: 10 }, () => null);
    const driver = new DeliveryDriver({ log, limits: { maxAckedAhead: 3 } });
    driver.join('ada', { maxInFlight: 4 });
    const delivered = driver.deliver();
    driver.ack(...[2, 3, 4].map((position) => of(delivered, position)));
    expect(driver.window.scan.offer(driver.event(5), driver.now)).toEqual({ kind: 'blocked', by: 1 });
    const blocked = { activity: 'BLOCKED_BY_RETRY', blockedPosition: 1, blockedUntilMs: undefined };
    expect(activityOf(driver)).toEqual({
      ...blocked,
      cause: 'too much is acknowledged after position 1, which is not',
    });
    driver.retry(of(delivered, 1), 4_000);
    expect(activityOf(driver)).toMatchObject({ ...blocked, blockedUntilMs: driver.now + 4_000 });
    driver.now += 4_000;
    expect(driver.positions()).toEqual([1]);
    expect(activityOf(driver)).toMatchObject(blocked);
    driver.window.answers.ackUpTo(1, undefined, driver.now);
    expect(driver.positions()).toEqual([5, 6, 7, 8]);
  });

  it('stops the scan at too many ranges, and still delivers the blocker again', () => {
    const log = Array.from({ length: 12 }, (_, index) => (index < 10 ? null : 'a'));
    const driver = new DeliveryDriver({ log, limits: { maxAckedRanges: 2 } });
    driver.join('ada', { maxInFlight: 5 });
    const delivered = driver.deliver();
    driver.ack(of(delivered, 2), of(delivered, 4));
    expect(driver.positions()).toEqual([]);
    driver.retry(of(delivered, 1));
    expect(driver.positions()).toEqual([1]);
  });

  it('scans on through what is done above the offset after a change of owner', () => {
    const log = Array.from({ length: 10 }, () => null);
    const former = new DeliveryDriver({ log });
    former.join('ada');
    const delivered = former.deliver();
    former.ack(...[2, 4, 6, 8].map((position) => of(delivered, position)));
    const driver = former.takeOver({ limits: { maxAckedRanges: 2 } });
    driver.join('ada');
    expect(driver.positions()).toEqual([1, 3, 5, 7]);
    driver.window.answers.ackUpTo(10, undefined, driver.now);
    expect(driver.positions()).toEqual([9, 10]);
  });

  it('takes no more events than it may remember', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], limits: { maxOutstanding: 2 } });
    driver.join('ada');
    expect(driver.positions()).toEqual([1, 2]);
    driver.window.answers.ackUpTo(1, undefined, driver.now);
    expect(driver.positions()).toEqual([3]);
  });
});

describe('delivery window: activity', () => {
  it('says why it does or does not deliver', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'a'] });
    const unblocked = { blockedPosition: 0, blockedUntilMs: undefined };
    expect(activityOf(driver)).toEqual({ ...unblocked, activity: 'NO_MEMBER', cause: 'nobody is subscribed' });
    driver.join('ada', { maxInFlight: 2 });
    const looks = 'looks for events after position 0';
    expect(activityOf(driver)).toEqual({ ...unblocked, activity: 'DELIVERING', cause: looks });
    const delivered = driver.deliver();
    const full = 'all credit is used by 2 events in flight';
    expect(activityOf(driver)).toEqual({ ...unblocked, activity: 'WAITING_FOR_ACKS', cause: full });
    driver.ack(of(delivered, 2));
    expect(activityOf(driver)).toMatchObject({ activity: 'DELIVERING', cause: '1 event is in flight' });
    driver.retry(of(delivered, 1), 4_000);
    driver.deliver();
    expect(activityOf(driver)).toEqual({
      activity: 'BLOCKED_BY_RETRY',
      cause: 'position 1 is tried again in 4 s',
      blockedPosition: 1,
      blockedUntilMs: driver.now + 4_000,
    });
    driver.now += 4_000;
    driver.ack(...driver.deliver());
    driver.ack(...driver.deliver());
    const nothing = 'everything is acknowledged and there is nothing new';
    expect(activityOf(driver)).toEqual({ ...unblocked, activity: 'IDLE', cause: nothing });
  });

  it('says that no member asks when the only one has no credit', () => {
    const driver = new DeliveryDriver({ log: ['a'] });
    driver.join('fetch', { maxInFlight: 0, maxInFlightBytes: 0 });
    expect(activityOf(driver)).toMatchObject({ activity: 'WAITING_FOR_ACKS', cause: 'no member asks for events' });
  });

  it('is delivering as long as another stream than the blocked one goes on', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.retry(of(delivered, 1), 4_000);
    expect(activityOf(driver)).toMatchObject({ activity: 'DELIVERING', blockedPosition: 0 });
    driver.ack(of(delivered, 2));
    expect(activityOf(driver)).toMatchObject({ activity: 'BLOCKED_BY_RETRY', blockedPosition: 1 });
  });
});

describe('delivery window: begun anew', () => {
  it('delivers from its offset what is not done, in the same generation, and takes answers to what was in flight', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'a', null] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.ack(of(delivered, 2));
    driver.retry(of(delivered, 1));
    const [again] = driver.deliver();
    expect(again).toMatchObject({ position: 1, attempt: 2 });
    driver.window.restart();
    expect(driver.window).toMatchObject({ generation: 1, offset: 0 });
    expect(driver.ack(of(delivered, 4))).toEqual(['ACCEPTED']);
    const anew = driver.deliver();
    expect(anew.map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [3, 1],
    ]);
    expect(driver.ack(...anew)).toEqual(['ACCEPTED', 'ACCEPTED']);
    expect(driver.window.offset).toBe(4);
    expect(driver.window.members.use('ada')).toMatchObject({ inFlight: 0, answeredMs: driver.now });
  });
});

function activityOf({ window, head, now }: DeliveryDriver) {
  const condition = window.report.condition(head, now);
  return { ...condition, cause: window.report.cause(condition, now) };
}
