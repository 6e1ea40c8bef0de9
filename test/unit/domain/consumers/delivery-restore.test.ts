// Going to a place that was kept: the offset, and what is done above it.

import { describe, expect, it } from 'vitest';
import { answerOf, DeliveryDriver, NO_ORDER, of } from '../../../support/consumers/delivery.js';

/** Five events of which the second and the fourth are acknowledged, and the place of then. */
function kept() {
  const driver = new DeliveryDriver({ log: ['a', 'b', 'c', 'd', 'e'] });
  driver.join('ada');
  const delivered = driver.deliver();
  driver.ack(of(delivered, 2), of(delivered, 4));
  const { offset, acked } = driver.window.unsaved.take();
  return { driver, delivered, offset, acked };
}

describe('a window that goes to a place', () => {
  it('delivers again what was open there, and nothing of what was done', () => {
    const { driver, delivered, offset, acked } = kept();
    driver.ack(of(delivered, 1), of(delivered, 3), of(delivered, 5));
    expect(driver.window.offset).toBe(5);
    driver.window.seek(offset, 2, acked);
    expect(driver.window.offset).toBe(0);
    expect(driver.positions()).toEqual([1, 3, 5]);
    expect(driver.ack(of(delivered, 1))).toEqual(['STALE']);
    expect(driver.window.answers.ack([answerOf(4, 0)], driver.now)).toEqual(['ALREADY']);
  });

  it('goes on behind all of it once what was open is done', () => {
    const { driver, offset, acked } = kept();
    driver.window.seek(offset, 2, acked);
    driver.ack(...driver.deliver());
    expect(driver.window.offset).toBe(5);
    expect(driver.window.report.stats().ackedAhead).toBe(0);
  });

  it('keeps parked what was parked there, and delivers what was parked since', () => {
    const driver = new DeliveryDriver({ log: ['a', 'b', 'c', 'd'], settings: NO_ORDER });
    driver.join('ada');
    const delivered = driver.deliver();
    driver.park(of(delivered, 2));
    driver.park(of(delivered, 3));
    driver.window.parked.replay(3);
    const { offset, acked } = driver.window.unsaved.take();
    driver.park(of(delivered, 4));
    driver.window.seek(offset, 2, acked);
    expect(driver.window.report.stats().parked).toBe(1);
    // The third one is asked for again, and comes as a replay.
    expect(driver.deliver().map(({ position, replay }) => [position, replay])).toEqual([
      [3, true],
      [1, false],
      [4, false],
    ]);
    expect(driver.window.parked.replay(2)).toBe(true);
  });

  it('may lie before and after where it is', () => {
    const { driver, delivered, acked } = kept();
    driver.window.seek(3, 2, acked);
    expect(driver.window.offset).toBe(3);
    expect(driver.ack(of(delivered, 5))).toEqual(['STALE']);
    expect(driver.positions()).toEqual([5]);
  });

  it('has what is done stored with it', () => {
    const { driver, offset, acked } = kept();
    driver.window.seek(offset, 2, acked);
    const next = driver.takeOver();
    next.join('bob');
    expect(next.positions()).toEqual([1, 3, 5]);
  });
});
