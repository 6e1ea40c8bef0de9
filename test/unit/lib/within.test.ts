import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { Deadline } from '../../../src/lib/deadline.js';
import { within } from '../../../src/lib/within.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

function later<T>(ms: number, settle: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(settle());
      } catch (error) {
        reject(error);
      }
    }, ms);
  });
}

const fails = () => {
  throw new Error('failed');
};

describe('a wait within a time', () => {
  it('gives the value that comes in time, and does not ask what to do when it is late', async () => {
    const waiting = within(
      systemClock,
      100,
      later(99, () => 'value'),
      fails,
    );
    await vi.advanceTimersByTimeAsync(99);
    expect(await waiting).toBe('value');
  });

  it('rejects as the promise does in time', async () => {
    const waiting = within(systemClock, 100, later(50, fails), () => 'late').catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(50);
    expect(await waiting).toBe('failed');
  });

  it('ends when the time is over, whatever becomes of the promise', async () => {
    const late = within(systemClock, 100, later(101, fails), () => 'late');
    const refused = within(systemClock, 100, later(101, fails), () => {
      throw new Error('late');
    }).catch((error: Error) => error.message);
    await vi.advanceTimersByTimeAsync(100);
    expect(await late).toBe('late');
    expect(await refused).toBe('late');
    await vi.advanceTimersByTimeAsync(1);
  });
});

describe('a deadline', () => {
  const reasons = { late: () => new Error('late'), cancelled: () => new Error('cancelled') };

  it('aborts its signal when its time is over', async () => {
    const deadline = new Deadline(systemClock, 100, reasons);
    await vi.advanceTimersByTimeAsync(99);
    expect(deadline.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(deadline.signal.reason).toEqual(new Error('late'));
    deadline.dispose();
  });

  it('aborts with its parent, at once where that has aborted already', () => {
    const parent = new AbortController();
    const before = new Deadline(systemClock, 100, { parent: parent.signal, ...reasons });
    parent.abort();
    const after = new Deadline(systemClock, 100, { parent: parent.signal, ...reasons });
    for (const deadline of [before, after]) {
      expect(deadline.signal.reason).toEqual(new Error('cancelled'));
      deadline.dispose();
    }
  });

  it('is over for good once it is disposed of', async () => {
    const parent = new AbortController();
    const deadline = new Deadline(systemClock, 100, { parent: parent.signal });
    deadline.dispose();
    parent.abort();
    await vi.advanceTimersByTimeAsync(200);
    expect(deadline.signal.aborted).toBe(false);
  });
});
