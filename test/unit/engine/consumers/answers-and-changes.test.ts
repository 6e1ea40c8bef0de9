// Answers that come while people change the consumer: each finds it as it was before a change, or as it is after it.

import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import { EngineScene } from '../../../support/consumers/engine-scene.js';
import { turns } from '../../../support/manual-clock.js';

const KEY = { context: 'default', name: 'mailer' };
const PARK = { action: 'PARK', cause: { code: '', reason: '' } } as const;
const { filter } = DEFAULT_SETTINGS;

it('is of the former generation where it waited for a change while the next one came', async () => {
  const scene = new EngineScene();
  const member = await scene.subscribe('mailer', 'ada');
  await scene.push(2);
  const [first, second] = member.deliveries;
  if (first === undefined || second === undefined) throw new Error('nothing was delivered');
  await scene.consumers.reject(KEY, [first], PARK);
  let goOn = () => {};
  scene.managing = new Promise((resolve) => {
    goOn = resolve;
  });
  const discarded = scene.consumers.changeParked(KEY, 'discard', new Set([1]), { call: 'DiscardParkedEvents', by: '' });
  await turns();
  const acknowledged = scene.acknowledge('mailer', [second]);
  await turns();
  const patch = { filter: { ...filter, topics: ['orders'] } };
  const updated = scene.consumers.update(KEY, patch, { call: 'UpdateConsumer', by: '' });
  await turns();
  goOn();
  await Promise.all([discarded, updated]);
  expect(await acknowledged).toEqual(['STALE']);
  await turns();
  expect(member.positions).toEqual([1, 2, 2]);
});
