import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Alarm } from '../../../src/lib/alarm.js';
import { systemClock } from '../../../src/lib/clock.js';
import { Deadline } from '../../../src/lib/deadline.js';
import { pause } from '../../../src/lib/pause.js';
import { within } from '../../../src/lib/within.js';

const DAY_MS = 86_400_000;
/** Beyond what timers of the runtime hold: by a millisecond, by a second of a `grpc-timeout`, a month, a year, ten years. */
const FAR_MS = [2 ** 31, 2_147_484_000, 30 * DAY_MS, 365 * DAY_MS, 3_650 * DAY_MS];

describe('the system clock', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([1, 1_000, 2 ** 31 - 1, ...FAR_MS])('calls back after %i ms, no sooner and once', (delayMs) => {
    const work = vi.fn();
    systemClock.after(delayMs, work);
    vi.advanceTimersByTime(delayMs - 1);
    expect(work).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    vi.advanceTimersByTime(2 * delayMs);
    expect(work).toHaveBeenCalledOnce();
  });

  it('never calls back after an endless time', () => {
    const work = vi.fn();
    systemClock.after(Number.POSITIVE_INFINITY, work);
    vi.advanceTimersByTime(1_000 * DAY_MS);
    expect(work).not.toHaveBeenCalled();
  });

  it('stops a far timer before and after its first part', () => {
    const work = vi.fn();
    const [early, late] = [systemClock.after(60 * DAY_MS, work), systemClock.after(60 * DAY_MS, work)];
    early.stop();
    vi.advanceTimersByTime(30 * DAY_MS);
    late.stop();
    vi.advanceTimersByTime(60 * DAY_MS);
    expect(work).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each(FAR_MS)('keeps a deadline, a pause, an alarm and a bounded wait of %i ms open', async (delayMs) => {
    const ended: string[] = [];
    const stop = new AbortController();
    const deadline = new Deadline(systemClock, delayMs);
    deadline.signal.addEventListener('abort', () => ended.push('deadline'));
    void pause(systemClock, delayMs, stop.signal).then(() => ended.push('pause'));
    void within(systemClock, delayMs, new Promise(() => {}), () => ended.push('within'));
    const alarm = new Alarm({ clock: systemClock, onRing: () => void 0 });
    alarm.ringBy(systemClock.monotonicMs() + delayMs);
    await vi.advanceTimersByTimeAsync(DAY_MS);
    expect(ended).toEqual([]);
    await vi.advanceTimersByTimeAsync(delayMs);
    expect(ended.sort()).toEqual(['deadline', 'pause', 'within']);
    stop.abort();
    deadline.dispose();
    alarm.stop();
  });
});
