// How much a broker may send: without an end is too much, however it is spread; a heartbeat twice a minute for years is not.

import { expect, it } from 'vitest';
import { SystemClock } from '../../../../src/lib/clock.js';
import { ByteAllowance, MAX_IDLE_BYTES } from '../../../../src/outbound/amqp/byte-allowance.js';

class ManualClock extends SystemClock {
  ms = 0;

  override monotonicMs(): number {
    return this.ms;
  }
}

const HEARTBEAT = 8;
const AT_START = 500;

it('takes heartbeats for a year', () => {
  const clock = new ManualClock();
  const allowance = new ByteAllowance(clock, AT_START);
  let read = AT_START;
  let refused = 0;
  for (const yearMs = 365 * 86_400_000; clock.ms < yearMs; clock.ms += 30_000) {
    read += HEARTBEAT;
    if (!allowance.allows(read)) refused += 1;
  }
  expect(refused).toBe(0);
  expect(read).toBeGreaterThan(100 * MAX_IDLE_BYTES);
});

it('takes no more at once after a long silence', () => {
  const clock = new ManualClock();
  const allowance = new ByteAllowance(clock, AT_START);
  clock.ms = 86_400_000;
  expect(allowance.allows(AT_START + MAX_IDLE_BYTES)).toBe(true);
  expect(allowance.allows(AT_START + 2 * MAX_IDLE_BYTES)).toBe(true);
  expect(allowance.allows(AT_START + 2 * MAX_IDLE_BYTES + 1)).toBe(false);
});

it('takes no more than so much a minute', () => {
  const clock = new ManualClock();
  const allowance = new ByteAllowance(clock, AT_START);
  clock.ms = 59_999;
  expect(allowance.allows(AT_START + MAX_IDLE_BYTES)).toBe(true);
  expect(allowance.allows(AT_START + MAX_IDLE_BYTES + 1)).toBe(false);
});

it('takes back what it was given, until that is confirmed', () => {
  const allowance = new ByteAllowance(new ManualClock(), AT_START);
  allowance.expect(1_000_000, AT_START);
  expect(allowance.allows(AT_START + MAX_IDLE_BYTES + 1_000_000)).toBe(true);
  allowance.expect(-1_000_000, AT_START + 100);
  expect(allowance.allows(AT_START + 100 + MAX_IDLE_BYTES)).toBe(true);
  expect(allowance.allows(AT_START + 100 + MAX_IDLE_BYTES + 1)).toBe(false);
});
