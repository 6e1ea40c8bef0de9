// Answers that come while people change the consumer: each finds it as it was before a change, or as it is after it.

import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import type { Consumers } from '../../../../src/engine/consumers/consumers.js';
import { EngineScene } from '../../../support/consumers/engine-scene.js';
import { turns } from '../../../support/manual-clock.js';

const KEY = { context: 'default', name: 'mailer' };
const PARK = { action: 'PARK', cause: { code: '', reason: '' } } as const;
const { filter } = DEFAULT_SETTINGS;

/** A promise, and what resolves it. */
function gate(): { readonly promise: Promise<void>; readonly goOn: () => void } {
  let goOn = () => {};
  const promise = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  return { promise, goOn };
}

it('is of the former generation where it waited for a change while the next one came', async () => {
  const scene = new EngineScene();
  const member = await scene.subscribe('mailer', 'ada');
  await scene.push(2);
  const [first, second] = member.deliveries;
  if (first === undefined || second === undefined) throw new Error('nothing was delivered');
  await scene.consumers.reject(KEY, [first], PARK);
  const { promise, goOn } = gate();
  scene.managing = promise;
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

const CALL = { call: 'Manage', by: '' };
type Change = (consumers: Consumers) => Promise<unknown>;
const SELECTING = { filter: { ...filter, topics: ['orders'] } };
const CHANGES: readonly (readonly [kind: string, change: Change])[] = [
  ['configure', (consumers) => consumers.update(KEY, SELECTING, CALL)],
  ['seek', (consumers) => consumers.seek(KEY, { kind: 'earliest' }, { call: CALL, reason: '' })],
  ['pause', (consumers) => consumers.pause(KEY, '', CALL)],
  ['save-snapshot', (consumers) => consumers.saveSnapshot(KEY, 'before', CALL)],
  ['delete', (consumers) => consumers.delete(KEY, CALL)],
];

it.each(CHANGES)('is written before a group has to wait for the row: %s', async (kind, change) => {
  const scene = new EngineScene();
  const member = await scene.subscribe('mailer', 'ada');
  await scene.push(1);
  const { promise, goOn } = gate();
  scene.flushing = promise;
  const acknowledged = scene.acknowledge('mailer', member.deliveries);
  await turns();
  const changed = change(scene.consumers);
  await turns();
  expect(scene.managed).toEqual([]);
  goOn();
  await changed;
  expect(scene.managed).toEqual([kind]);
  expect(await acknowledged).toEqual(['ACCEPTED']);
});

it.each(CHANGES)('is not made by who gave up what it knows of the consumer meanwhile: %s', async (_kind, change) => {
  const scene = new EngineScene();
  const member = await scene.subscribe('mailer', 'ada');
  await scene.push(1);
  await scene.consumers.reject(KEY, member.deliveries, PARK);
  const { promise, goOn } = gate();
  scene.managing = promise.then(() => {
    throw new Error('the answer was lost');
  });
  const discarded = scene.consumers.changeParked(KEY, 'discard', new Set([1]), CALL);
  await turns();
  const changed = change(scene.consumers);
  await turns();
  goOn();
  await expect(discarded).rejects.toThrow('the answer was lost');
  await expect(changed).rejects.toThrow('the answer was lost');
  expect(scene.managed).toEqual(['discard']);
});
