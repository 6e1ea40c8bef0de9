// How long it is kept who moved an offset.

import { expect, it } from 'vitest';
import { EngineScene } from '../../../support/consumers/engine-scene.js';

const DAY_MICROS = 24 * 3_600 * 1_000_000;

it('forgets every minute the moves of 90 days ago and before', async () => {
  const scene = new EngineScene();
  await scene.clock.advance(59_000);
  expect(scene.forgotten).toEqual([]);
  await scene.clock.advance(2_000);
  const [before = 0, ...more] = scene.forgotten;
  expect(more).toEqual([]);
  expect(scene.clock.nowMs() * 1_000 - before).toBeGreaterThanOrEqual(90 * DAY_MICROS);
  expect(scene.clock.nowMs() * 1_000 - before).toBeLessThan(90 * DAY_MICROS + 2_000_000);
});
