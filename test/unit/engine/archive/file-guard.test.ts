import { describe, expect, it } from 'vitest';
import { FileGuard } from '../../../../src/engine/archive/file-guard.js';
import { ManualClock } from '../../../support/manual-clock.js';

const full = () =>
  Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
const works = () => Promise.resolve('done');

function scene() {
  const clock = new ManualClock();
  const told: (string | undefined)[] = [];
  const guard = new FileGuard({ clock, random: () => 1 - 2 ** -40, onChange: (problem) => told.push(problem) });
  return { clock, told, guard };
}

describe('work on files', () => {
  it('gives what it gives', async () => {
    const { guard, told } = scene();
    expect(await guard.run(works)).toEqual({ value: 'done' });
    expect(told).toEqual([]);
  });

  it('is tried again later and later after it failed, and each change is told once', async () => {
    const { guard, told, clock } = scene();
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      expect(await guard.run(full)).toBeUndefined();
      await clock.advance(waitMs - 1);
      expect(guard.isWaiting).toBe(true);
      expect(await guard.run(works)).toBeUndefined();
      await clock.advance(1);
      expect(guard.isWaiting).toBe(false);
    }
    expect(guard.problem).toBe('no space left on device (ENOSPC)');
    expect(await guard.run(() => Promise.reject(new Error('other')))).toBeUndefined();
    await clock.advance(60_000);
    expect(await guard.run(works)).toEqual({ value: 'done' });
    expect(told).toEqual(['no space left on device (ENOSPC)', 'other', undefined]);
    await guard.run(full);
    await clock.advance(1_000);
    expect(guard.isWaiting).toBe(false);
  });

  it('has failed when it does not end, and nothing else is tried until it does', async () => {
    const { guard, told, clock } = scene();
    let end = () => {};
    const hanging = guard.run(() => new Promise<void>((resolve) => (end = resolve)));
    await clock.advance(10_000);
    expect(await hanging).toBeUndefined();
    expect(told).toEqual(['the file system does not answer']);
    await clock.advance(600_000);
    expect(guard.isHanging && guard.isWaiting).toBe(true);
    expect(await guard.run(works)).toBeUndefined();
    end();
    await clock.advance(0);
    expect(guard.isHanging || guard.isWaiting).toBe(false);
    expect(await guard.run(works)).toEqual({ value: 'done' });
    expect(told).toHaveLength(2);
  });
});
