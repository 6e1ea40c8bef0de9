// Ack clocks, and when the window wants to be woken.

import { describe, expect, it } from 'vitest';
import { BY_STREAM, DeliveryDriver, NO_ORDER, of } from '../../../support/consumers/delivery.js';

const T = BY_STREAM.ackTimeoutMs;

describe('delivery clocks', () => {
  it('returns an event whose clock ran out, with one attempt more', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    const [first] = driver.deliver();
    expect(first?.deadlineMs).toBe(driver.now + T);
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + T);
    driver.now += T - 1;
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([]);
    driver.now += 1;
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([
      { position: 1, member: 'ada', attempt: 1, parked: false },
    ]);
    expect(driver.deliver()).toMatchObject([{ position: 1, attempt: 2, lease: 2 }]);
  });

  it('runs only for the oldest event of a stream', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b'] });
    driver.join('ada');
    const delivered = driver.deliver();
    expect(delivered.map(({ deadlineMs }) => deadlineMs !== undefined)).toEqual([true, false, true]);
    driver.now += T;
    const expired = driver.window.redeliveries.expire(driver.now).map(({ position }) => position);
    expect(expired.sort()).toEqual([1, 3]);
    expect(driver.window.report.stats()).toMatchObject({ inFlight: 0, waiting: 3 });
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 1],
      [3, 2],
    ]);
  });

  it('starts for the next event of a stream when the oldest is done', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.now += 600;
    driver.ack(of(delivered, 1));
    expect(driver.window.members.inFlightAt(2)?.deadlineMs).toBe(driver.now + T);
  });

  it('runs for each event under NONE and without a stream', () => {
    for (const driver of [
      new DeliveryDriver({ log: ['a', 'a'], settings: NO_ORDER }),
      new DeliveryDriver({ log: [null, null] }),
    ]) {
      driver.join('ada');
      driver.deliver();
      driver.now += T;
      expect(driver.window.redeliveries.expire(driver.now)).toHaveLength(2);
    }
  });

  it('starts anew with any answer of the member, and only of that member', () => {
    const driver = new DeliveryDriver({ log: [null, null, null, null], settings: NO_ORDER });
    driver.join('ada', { maxInFlight: 2 });
    driver.join('bob', { maxInFlight: 2 });
    const delivered = driver.deliver();
    const adas = delivered.filter(({ member }) => member === 'ada');
    const bobs = delivered.filter(({ member }) => member === 'bob');
    driver.now += 700;
    driver.ack(adas[0] as (typeof adas)[0]);
    driver.now += 300;
    expect(driver.window.redeliveries.expire(driver.now).map(({ position }) => position)).toEqual(
      bobs.map((b) => b.position),
    );
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + 700);
  });

  it('starts anew for at most ten time-outs', () => {
    const log = Array.from({ length: 30 }, () => null);
    const driver = new DeliveryDriver({ log, settings: NO_ORDER });
    driver.join('ada', { maxInFlight: 2 });
    let [, other] = driver.deliver();
    for (let step = 1; step < 20; step++) {
      driver.now += T / 2;
      expect(driver.window.redeliveries.expire(driver.now)).toEqual([]);
      if (other !== undefined) driver.ack(other);
      [other] = driver.deliver();
    }
    driver.now += T / 2;
    expect(driver.window.redeliveries.expire(driver.now)).toMatchObject([{ position: 1, attempt: 1 }]);
  });

  it('gives an event that waited behind others its ten time-outs from when it became the oldest', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', null, null] });
    driver.join('ada');
    const delivered = driver.deliver();
    for (let step = 0; step < 9; step++) {
      driver.now += T - 1;
      driver.window.answers.extend([of(delivered, 1)], T, driver.now);
      expect(driver.window.redeliveries.expire(driver.now).filter(({ position }) => position < 3)).toEqual([]);
      driver.deliver();
    }
    driver.ack(of(delivered, 1));
    expect(driver.window.members.inFlightAt(2)?.deadlineMs).toBe(driver.now + T);
    driver.window.answers.extend([of(delivered, 2)], 20 * T, driver.now);
    expect(driver.window.members.inFlightAt(2)?.deadlineMs).toBe(driver.now + 10 * T);
  });

  it('waits as long as it was asked to, but for ten time-outs at most', () => {
    const driver = new DeliveryDriver({ log: [null, null, null] });
    driver.join('ada');
    const delivered = driver.deliver();
    const begun = driver.now;
    expect(driver.window.answers.extend([of(delivered, 1)], 20 * T, driver.now)).toEqual(['ACCEPTED']);
    expect(driver.window.answers.extend([of(delivered, 2)], 3 * T, driver.now)).toEqual(['ACCEPTED']);
    expect(driver.window.members.inFlightAt(1)?.deadlineMs).toBe(begun + 10 * T);
    driver.now += T;
    expect(driver.window.redeliveries.expire(driver.now).map(({ position }) => position)).toEqual([3]);
    driver.now += T;
    driver.window.answers.extend([of(delivered, 1), of(delivered, 2)], 20 * T, driver.now);
    driver.now = begun + 10 * T - 1;
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([]);
    driver.now += 1;
    expect(driver.window.redeliveries.expire(driver.now).map(({ position }) => position)).toEqual([1, 2]);
  });

  it('has the bound of an extension follow another ack time-out', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    driver.window.answers.extend(driver.deliver(), 8 * T, driver.now);
    driver.now += T;
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([]);
    driver.window.configure({ ...BY_STREAM, ackTimeoutMs: T / 2 });
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + 4 * T);
  });

  it('extends all that a member has in flight, or everybody', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], settings: NO_ORDER });
    driver.join('ada', { maxInFlight: 2 });
    driver.join('bob', { maxInFlight: 1 });
    driver.deliver();
    expect(driver.window.answers.extendAll('ada', 2 * T, driver.now)).toBe(2);
    expect(driver.window.answers.extendAll('nobody', 2 * T, driver.now)).toBe(0);
    expect(driver.window.answers.extendAll(undefined, 3 * T, driver.now)).toBe(3);
    driver.now += 3 * T - 1;
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([]);
  });

  it('has an extension known to a later owner, which delivers nothing before it and takes the former lease', () => {
    const former = new DeliveryDriver({ log: ['a', 'a', 'b', 'c'] });
    former.join('ada');
    const delivered = former.deliver();
    former.window.answers.extend([of(delivered, 1), of(delivered, 3)], 5 * T, former.now);
    const driver = former.takeOver();
    driver.join('bob');
    expect(driver.positions()).toEqual([4]);
    expect(driver.ack(of(delivered, 3))).toEqual(['ACCEPTED']);
    expect(driver.window.unsaved.take().failuresOver).toEqual([3]);
    driver.now += 5 * T;
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toContainEqual([1, 1]);
  });

  it('keeps to an extension when the server sent the member away, until the event is answered', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.window.answers.extend([of(delivered, 1)], 5 * T, driver.now);
    driver.window.members.remove('ada', { lost: false, sentAway: true }, driver.now);
    const next = driver.takeOver();
    for (const one of [driver, next]) {
      one.join('bob');
      expect(one.positions()).toEqual([3]);
      expect(one.ack(of(delivered, 1))).toEqual(['ACCEPTED']);
      expect(one.positions()).toEqual([2]);
    }
  });

  it('ends an extension with the delivery that it was for', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.window.answers.extend(delivered, 5 * T, driver.now);
    driver.retry(of(delivered, 1));
    const { failures, failuresOver } = driver.window.unsaved.take();
    expect(failures.map(({ position, notBeforeMs }) => [position, notBeforeMs])).toEqual([
      [1, 0],
      [3, driver.now + 5 * T],
    ]);
    expect(failuresOver).toEqual([2]);
    driver.window.members.remove('ada', { lost: false }, driver.now);
    expect(driver.window.unsaved.take().failuresOver).toEqual([2, 3]);
    driver.join('bob');
    expect(driver.positions()).toEqual([1, 2, 3]);
    expect(driver.window.members.inFlightAt(3)?.deadlineMs).toBe(driver.now + T);
  });

  it('does not shorten a clock by an extension, and gives none to what is not in flight', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    const [first] = driver.deliver();
    if (first === undefined) throw new Error('nothing was delivered');
    driver.window.answers.extend([first], 1, driver.now);
    expect(driver.window.members.inFlightAt(1)?.deadlineMs).toBe(driver.now + T);
    driver.ack(first);
    expect(driver.window.answers.extend([first], T, driver.now)).toEqual(['ALREADY']);
  });

  it('wakes for a retry that becomes due', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    driver.retry(of(driver.deliver(), 1), 400);
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + 400);
    driver.now += 400;
    driver.window.redeliveries.expire(driver.now);
    expect(driver.window.redeliveries.nextWakeAt()).toBeUndefined();
    expect(driver.positions()).toEqual([1]);
  });

  it('takes a time that goes back for the latest one', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada', { maxInFlight: 1 });
    driver.deliver();
    driver.window.members.setCredit('ada', { maxInFlight: 2, maxInFlightBytes: 1_000 });
    const latest = driver.now;
    driver.now -= 5_000;
    expect(driver.deliver()[0]?.deadlineMs).toBe(latest + T);
  });

  it('follows another ack time-out at once', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.join('ada');
    driver.deliver();
    driver.window.configure({ ...BY_STREAM, ackTimeoutMs: 3 * T });
    driver.now += T;
    expect(driver.window.redeliveries.expire(driver.now)).toEqual([]);
    expect(driver.window.redeliveries.nextWakeAt()).toBe(driver.now + 2 * T);
  });
});
