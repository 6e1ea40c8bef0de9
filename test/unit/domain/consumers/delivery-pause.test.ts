// What a pause holds up, and what goes on meanwhile.

import { describe, expect, it } from 'vitest';
import { DeliveryDriver, of } from '../../../support/consumers/delivery.js';

describe('a paused delivery window', () => {
  it('delivers nothing of what is new, and all of it once it is resumed', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', null] });
    driver.join('ada');
    driver.window.members.pause([], driver.now);
    expect(driver.window.members.hasCredit).toBe(false);
    expect(driver.window.scan.offer(driver.event(1), driver.now)).toEqual({ kind: 'no-credit' });
    expect(driver.positions()).toEqual([]);
    driver.window.members.resume();
    expect(driver.positions()).toEqual([1, 2, 3]);
  });

  it('takes answers to what is in flight, and moves the offset', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'c'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.window.members.pause([], driver.now);
    expect(driver.ack(of(delivered, 1))).toEqual(['ACCEPTED']);
    expect(driver.skip(of(delivered, 2))).toEqual(['ACCEPTED']);
    expect(driver.window.answers.extend([of(delivered, 3)], 5_000, driver.now)).toEqual(['ACCEPTED']);
    expect(driver.window.offset).toBe(2);
  });

  it('takes back without an attempt what was not handed out', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b'] });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.window.members.pause([of(delivered, 2), of(delivered, 3)], driver.now);
    expect(driver.window.report.stats()).toMatchObject({ inFlight: 1, waiting: 2 });
    expect(driver.window.unsaved.anyFailure).toBe(false);
    driver.window.members.resume();
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [2, 1],
      [3, 1],
    ]);
  });

  it('leaves alone what ended before it was handed out', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('ada');
    const [first, second] = driver.deliver();
    driver.ack(
      of(
        [first, second].flatMap((one) => one ?? []),
        1,
      ),
    );
    driver.now += 1_000;
    driver.deliver();
    const inFlight = driver.window.members.inFlightAt(2);
    expect(inFlight?.lease).not.toBe(second?.lease);
    driver.window.members.pause(
      [first, second].flatMap((one) => one ?? []),
      driver.now,
    );
    expect(driver.window.members.inFlightAt(2)).toEqual(inFlight);
  });

  it('counts one time-out of what is in flight, however long it takes', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    driver.join('ada');
    driver.deliver();
    driver.window.members.pause([], driver.now);
    for (let second = 0; second < 100; second++) {
      driver.now += 1_000;
      expect(driver.positions()).toEqual([]);
    }
    expect(driver.window.redeliveries.nextWakeAt()).toBeUndefined();
    driver.window.members.resume();
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 1],
    ]);
  });

  it('has retries and replays wait for its end, with credit for as many as ever', () => {
    const driver = new DeliveryDriver({ log: [null, null, null, null] });
    driver.join('ada', { maxInFlight: 2 });
    const [first, second] = driver.deliver();
    if (first === undefined || second === undefined) throw new Error('two were delivered');
    driver.park(first);
    driver.window.members.pause([], driver.now);
    driver.retry(second, 500);
    expect(driver.window.parked.replay(1)).toBe(true);
    driver.now += 10_000;
    expect(driver.positions()).toEqual([]);
    driver.window.members.resume();
    expect(driver.positions()).toEqual([1, 2]);
  });

  it('outlasts a seek, other settings and a change of owner', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b'] });
    driver.join('ada');
    driver.window.members.pause([], driver.now);
    driver.window.seek(1, 2);
    driver.window.restart();
    expect(driver.positions()).toEqual([]);
    const next = new DeliveryDriver({ log: ['a', 'b'], state: { paused: true } });
    next.join('ada');
    expect(next.positions()).toEqual([]);
    next.window.members.resume();
    expect(next.positions()).toEqual([1, 2]);
  });

  it('says so before anything else, with members or without', () => {
    const driver = new DeliveryDriver({ log: [null] });
    driver.window.members.pause([], driver.now);
    const paused = { activity: 'PAUSED', blockedPosition: 0, blockedUntilMs: undefined };
    expect(driver.window.report.condition(1, driver.now)).toEqual(paused);
    driver.join('ada');
    expect(driver.window.report.condition(1, driver.now)).toEqual(paused);
    driver.window.members.resume();
    expect(driver.window.report.condition(1, driver.now).activity).toBe('DELIVERING');
  });
});
