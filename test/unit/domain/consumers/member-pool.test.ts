// Members: credit in events and bytes, leaving, being lost, and coming back.

import { describe, expect, it } from 'vitest';
import { DeliveryDriver, NO_ORDER, of } from '../../../support/consumers/delivery.js';

describe('delivery members: credit in bytes', () => {
  it('is not passed by events that fit into it', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], bytes: 400 });
    driver.join('ada', { maxInFlightBytes: 1_000 });
    expect(driver.positions()).toEqual([1, 2]);
    expect(driver.window.members.use('ada')).toMatchObject({ inFlight: 2, inFlightBytes: 800 });
  });

  it('lets a larger event go alone', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], bytes: { 2: 5_000 } });
    driver.join('ada', { maxInFlightBytes: 1_000 });
    const first = driver.deliver();
    expect(first.map(({ position }) => position)).toEqual([1]);
    driver.ack(...first);
    const large = driver.deliver();
    expect(large.map(({ position }) => position)).toEqual([2]);
    driver.ack(...large);
    expect(driver.positions()).toEqual([3]);
  });

  it('finds the member that has the bytes though another has more events left', () => {
    const driver = new DeliveryDriver({ log: [null, null], bytes: { 1: 100, 2: 900 } });
    driver.join('narrow', { maxInFlight: 50, maxInFlightBytes: 950 });
    driver.join('wide', { maxInFlight: 5, maxInFlightBytes: 5_000 });
    expect(driver.deliver().map(({ member }) => member)).toEqual(['narrow', 'wide']);
  });

  it('does not let small events pass a large one that waits to be delivered again', () => {
    const log = Array.from({ length: 200 }, () => null);
    const driver = new DeliveryDriver({ log, bytes: { 1: 1_000 }, settings: NO_ORDER });
    driver.join('ada', { maxInFlightBytes: 1_000 });
    driver.retry(of(driver.deliver(), 1), 10);
    const inFlight = driver.deliver();
    expect(inFlight).toHaveLength(10);
    driver.now += 10;
    // The member answers one at a time: without a reservation each answer would only make room for the next small one.
    for (const delivery of inFlight) {
      driver.deliver();
      driver.ack(delivery);
    }
    expect(driver.positions()).toEqual([1]);
  });

  it('keeps room for a large event anew when the member that kept it leaves', () => {
    const log = Array.from({ length: 200 }, () => null);
    const driver = new DeliveryDriver({ log, bytes: { 1: 1_000 }, settings: NO_ORDER });
    for (const name of ['ada', 'bob']) driver.join(name, { maxInFlightBytes: 1_000 });
    const first = driver.deliver();
    driver.retry(of(first, 1), 10);
    let inFlight = [...first.slice(1), ...driver.deliver()];
    driver.now += 10;
    const answerOne = () => {
      const [oldest, ...others] = inFlight;
      if (oldest !== undefined) driver.ack(oldest);
      inFlight = [...others, ...driver.deliver()];
    };
    while (new Set(driver.window.members.uses().map((member) => member.inFlight)).size === 1) answerOne();
    const [reserved] = driver.window.members.uses().sort((a, b) => a.inFlight - b.inFlight);
    driver.window.members.remove(reserved?.name ?? '', { lost: false }, driver.now);
    inFlight = inFlight.filter((delivery) => delivery.member !== reserved?.name);
    while (driver.window.members.inFlightAt(1) === undefined && inFlight.length > 0) answerOne();
    expect(driver.window.members.inFlightAt(1)).toMatchObject({ attempt: 2 });
    expect(driver.window.scan.position).toBeLessThan(100);
  });

  it('does not let other streams pass a large event of a stream that was passed over', () => {
    const log = ['a', 'a', ...Array.from({ length: 100 }, (_, index) => `s${index}`)];
    const driver = new DeliveryDriver({ log, bytes: { 2: 1_000 } });
    driver.join('ada', { maxInFlightBytes: 1_000, maxInFlight: 20 });
    driver.join('bob', { maxInFlightBytes: 300, maxInFlight: 3 });
    const delivered = driver.deliver();
    expect(delivered[0]).toMatchObject({ position: 1, member: 'ada' });
    const adas = delivered.filter(({ member }) => member === 'ada');
    for (const delivery of adas.slice(1)) {
      driver.ack(delivery);
      driver.deliver();
    }
    driver.ack(of(delivered, 1));
    expect(driver.deliver()[0]).toMatchObject({ position: 2 });
  });

  it('uses a member again whose reservation ended because the event was answered late', () => {
    const driver = new DeliveryDriver({ log: [null, null, null], bytes: { 1: 1_000 }, settings: NO_ORDER });
    driver.join('ada', { maxInFlightBytes: 1_000 });
    const [large] = driver.deliver();
    if (large === undefined) throw new Error('nothing was delivered');
    driver.retry(large, 10);
    const [small] = driver.deliver();
    driver.now += 10;
    driver.redeliver();
    expect(driver.window.members.hasCredit).toBe(false);
    driver.ack(large);
    if (small !== undefined) driver.ack(small);
    expect(driver.window.members.hasCredit).toBe(true);
  });

  it('gives nothing to a member without credit until it gets some', () => {
    const driver = new DeliveryDriver({ log: [null, null] });
    driver.join('fetch', { maxInFlight: 0 });
    expect(driver.window.members.hasCredit).toBe(false);
    driver.window.members.setCredit('fetch', { maxInFlight: 1, maxInFlightBytes: 1_000 });
    expect(driver.positions()).toEqual([1]);
    driver.window.members.setCredit('fetch', { maxInFlight: 0, maxInFlightBytes: 0 });
    expect(driver.window.members.use('fetch')).toMatchObject({ inFlight: 1, maxInFlight: 0 });
  });
});

describe('delivery members: leaving', () => {
  it('returns the events at once without an attempt or a loss', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b'] });
    driver.join('ada');
    driver.deliver();
    expect(driver.window.members.remove('ada', { lost: false }, driver.now)).toBe(3);
    expect(driver.window.unsaved.anyFailure).toBe(false);
    driver.join('ada');
    expect(driver.deliver().map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it('is nothing for a name that is not there', () => {
    const driver = new DeliveryDriver({ log: [] });
    expect(driver.window.members.remove('ada', { lost: true }, driver.now)).toBe(0);
  });

  it('refuses a second member of a name', () => {
    const driver = new DeliveryDriver({ log: [] });
    driver.join('ada');
    expect(() => driver.join('ada')).toThrow('there already');
  });

  it('keeps the other members and their order', () => {
    const driver = new DeliveryDriver({ log: [] });
    for (const name of ['ada', 'bob', 'cyd', 'dan']) driver.join(name);
    driver.window.members.remove('bob', { lost: false }, driver.now);
    expect(driver.window.members.uses().map(({ name }) => name)).toEqual(['ada', 'cyd', 'dan']);
    expect(driver.window.members.size).toBe(3);
  });
});

describe('delivery members: being lost', () => {
  it('counts a loss for the oldest event of each stream, without an attempt', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a', 'b', null, null] });
    driver.join('ada');
    driver.deliver();
    driver.window.members.remove('ada', { lost: true }, driver.now);
    const { failures } = driver.window.unsaved.take();
    expect(failures.map(({ position, attempts, losses, cause }) => [position, attempts, losses, cause?.code])).toEqual([
      [1, 0, 1, 'MEMBER_LOST'],
      [3, 0, 1, 'MEMBER_LOST'],
      [4, 0, 1, 'MEMBER_LOST'],
      [5, 0, 1, 'MEMBER_LOST'],
    ]);
  });

  it('parks an event that lost as many members as it may have attempts, and frees its stream', () => {
    const driver = new DeliveryDriver({ log: ['a', 'a'] });
    for (const name of ['ada', 'bob', 'cyd']) {
      driver.join(name);
      expect(driver.deliver()[0]).toMatchObject({ position: 1, attempt: 1 });
      driver.window.members.remove(name, { lost: true }, driver.now);
    }
    driver.join('dan');
    expect(driver.positions()).toEqual([2]);
    expect(driver.window.report.stats().parked).toBe(1);
    expect(driver.window.offset).toBe(1);
  });

  it('never parks where there is no room for parked events, but waits longer and longer', () => {
    const driver = new DeliveryDriver({ log: ['a'], limits: { maxParked: 0 } });
    for (let round = 0; round < 8; round++) {
      driver.join('ada');
      expect(driver.positions()).toEqual([1]);
      driver.window.members.remove('ada', { lost: true }, driver.now);
      driver.now = driver.window.redeliveries.nextWakeAt() ?? driver.now;
    }
    expect(driver.window.unsaved.take().failures).toMatchObject([{ position: 1, losses: 8, state: 'RETRY' }]);
  });

  it('counts losses for the thousand oldest units only', () => {
    const log = Array.from({ length: 1_200 }, () => null);
    const driver = new DeliveryDriver({ log });
    driver.join('ada', { maxInFlight: 5_000 });
    driver.deliver();
    expect(driver.window.members.remove('ada', { lost: true }, driver.now)).toBe(1_200);
    const { failures } = driver.window.unsaved.take();
    expect(failures.map(({ position }) => position)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
  });
});

describe('redeliveries', () => {
  const MIB = 1024 * 1024;
  /** A driver in which so many events wait that a former member had. */
  function waiting(options: { readonly log: readonly (string | null)[]; readonly bytes: number }): DeliveryDriver {
    const driver = new DeliveryDriver({ ...options });
    driver.join('former', { maxInFlight: 1_000, maxInFlightBytes: 1_000 * MIB });
    expect(driver.deliver()).toHaveLength(options.log.length);
    driver.window.members.remove('former', { lost: false }, driver.now);
    return driver;
  }

  it.each([
    ['without a stream', Array.from({ length: 200 }, () => null)],
    ['of one stream', Array.from({ length: 200 }, () => 's')],
    ['of many streams', Array.from({ length: 200 }, (_, n) => `s${n}`)],
  ])('%s are named as far as the members have the bytes, before anything is read', (_, log) => {
    const driver = waiting({ log, bytes: MIB });
    driver.join('ada', { maxInFlightBytes: MIB });
    expect(driver.window.redeliveries.next(driver.now, 256)).toEqual([1]);
    driver.join('bob', { maxInFlightBytes: 5 * MIB });
    expect(driver.window.redeliveries.next(driver.now, 256).length).toBeLessThanOrEqual(6);
    let read = 0;
    for (let delivered = 0; delivered < 200; ) {
      read += driver.window.redeliveries.next(driver.now, 256).length;
      const deliveries = driver.deliver();
      delivered += deliveries.length;
      driver.ack(...deliveries);
    }
    // Hardly more than is delivered.
    expect(read).toBeLessThanOrEqual(220);
  });

  it('are named by number where they are small', () => {
    const driver = waiting({ log: Array.from({ length: 200 }, () => null), bytes: 100 });
    driver.join('ada', { maxInFlight: 150, maxInFlightBytes: MIB });
    expect(driver.window.redeliveries.next(driver.now, 256)).toHaveLength(150);
  });

  it('of what was passed over say how many bytes may be read', () => {
    const driver = waiting({ log: Array.from({ length: 3 }, () => 's'), bytes: MIB });
    driver.join('ada', { maxInFlight: 1, maxInFlightBytes: 3 * MIB });
    for (const { bytes } of driver.window.rereads.next(10)) expect(bytes).toBeLessThanOrEqual(3 * MIB);
  });
});
