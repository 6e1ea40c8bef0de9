// A position that a client names, against a log that grows under a clock of the test's.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { storageUnavailable } from '../../../../src/domain/errors.js';
import { namedPosition } from '../../../../src/engine/log/named-position.js';
import { systemClock } from '../../../../src/lib/clock.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount(), 'timers left behind').toBe(0);
  vi.useRealTimers();
});

class GrowingLog {
  readonly clock = systemClock;
  visible = 10;
  /** What the database says; undefined: it is away. */
  stored: number | undefined = 10;
  #waiting: { position: number; wake: () => void }[] = [];

  waitBeyond(position: number, signal: AbortSignal): Promise<number> {
    return new Promise((resolve) => {
      const wake = () => resolve(position);
      this.#waiting.push({ position, wake });
      signal.addEventListener('abort', wake);
    });
  }

  storedHead(): Promise<number> {
    return this.stored === undefined ? Promise.reject(storageUnavailable('away')) : Promise.resolve(this.stored);
  }

  growTo(position: number): void {
    this.visible = position;
    this.stored = position;
    for (const waiter of this.#waiting) if (waiter.position < position) waiter.wake();
  }
}

describe('a position that a client names', () => {
  const place = { field: 'after_position', position: 12n };
  const refusal = { reason: 'POSITION_BEYOND_HEAD', violations: [{ field: 'after_position' }] };

  it('is good at once at or below the head', async () => {
    const log = new GrowingLog();
    expect(await namedPosition(log, { field: 'f', position: 10n })).toBe(10);
    expect(await namedPosition(log, { field: 'f', position: 0 })).toBe(0);
  });

  it('is good as soon as the log has grown so far', async () => {
    const log = new GrowingLog();
    const named = namedPosition(log, place);
    await vi.advanceTimersByTimeAsync(499);
    log.growTo(12);
    expect(await named).toBe(12);
  });

  it('is refused when the log has not grown so far in 500 ms', async () => {
    const log = new GrowingLog();
    const named = expect(namedPosition(log, place)).rejects.toMatchObject({ ...refusal, metadata: { head: '11' } });
    await vi.advanceTimersByTimeAsync(499);
    log.growTo(11);
    await vi.advanceTimersByTimeAsync(1);
    await named;
  });

  it('is not said to be above the head while the database is away, or shows less than it has', async () => {
    for (const stored of [undefined, 12]) {
      const log = new GrowingLog();
      log.stored = stored;
      const named = expect(namedPosition(log, place)).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' });
      await vi.advanceTimersByTimeAsync(500);
      await named;
    }
  });

  it('is refused at once where no log is so long, and when the caller is gone', async () => {
    const log = new GrowingLog();
    await expect(namedPosition(log, { field: 'after_position', position: 2n ** 64n - 1n })).rejects.toMatchObject(
      refusal,
    );
    const caller = new AbortController();
    const named = expect(namedPosition(log, place, caller.signal)).rejects.toMatchObject(refusal);
    caller.abort();
    await named;
  });
});
