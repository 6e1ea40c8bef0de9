// A paused consumer as its members see it: nothing is handed out, they stay, and are told.

import { describe, expect, it } from 'vitest';
import { Ordering } from '../../../../src/domain/consumers/consumer.js';
import { EngineScene } from '../../../support/consumers/engine-scene.js';
import { turns } from '../../../support/manual-clock.js';

const KEY = { context: 'default', name: 'mailer' };
const PAUSE = { by: 'anna', reason: 'the relay moves' };
const PAUSING = { call: 'PauseConsumer', by: PAUSE.by };
const RESUMING = { call: 'ResumeConsumer', by: 'bob' };
const ROOM = { left: 1_000_000, isWritten: true, reserve: () => 1_000_000 };
const SILENCE_MS = 10_000;

describe('a paused consumer', () => {
  it('hands out nothing, tells its subscribers at once and again, and goes on in order', async () => {
    const scene = new EngineScene();
    const member = await scene.subscribe('mailer', 'ada');
    await scene.push(2);
    const { view } = await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    expect(view).toMatchObject({ activity: 'PAUSED', activityCause: 'paused by anna: the relay moves', pause: PAUSE });
    expect(view.mendCommand).toBe('madeleine consumers resume mailer');
    await turns();
    expect(member.signs).toEqual(['anna']);
    await scene.push(3);
    await scene.clock.advance(3 * SILENCE_MS + 1_000);
    expect(member.positions).toEqual([1, 2]);
    expect(member.signs).toEqual(['anna', 'anna', 'anna', 'anna']);
    await scene.consumers.resume(KEY, RESUMING);
    await turns();
    expect(member.signs.at(-1)).toBeUndefined();
    expect(member.positions).toEqual([1, 2, 3, 4, 5]);
    expect(await scene.stalls()).toEqual({ prodded: 0, begun_anew: 0 });
  });

  it('takes back what was leased and not handed out, and gives it out once, with its first attempt', async () => {
    const scene = new EngineScene();
    await scene.push(3, () => 'red');
    const subscription = await scene.subscription('mailer', 'ada');
    // One fits into the frame, and the others wait for the next one.
    const first = await subscription.next({ left: 1_000_000, isWritten: true, reserve: () => 1 });
    expect(first).toMatchObject({ deliveries: [{ position: 1 }] });
    expect((await scene.view('mailer')).inFlight).toBe(3);
    await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    expect((await scene.view('mailer')).inFlight).toBe(1);
    await turns();
    expect(await subscription.next(ROOM)).toMatchObject({ kind: 'caught_up' });
    await turns();
    expect(await subscription.next(ROOM)).toMatchObject({ kind: 'heartbeat', pause: PAUSE });
    await turns();
    await scene.consumers.resume(KEY, RESUMING);
    expect(await subscription.next(ROOM)).toMatchObject({ kind: 'heartbeat', pause: undefined });
    await turns();
    expect(await subscription.next(ROOM)).toMatchObject({ deliveries: [{ position: 2, attempt: 1 }, { position: 3 }] });
  });

  it('has a waiting fetch wait on, and answers it when it is resumed, or empty when its time is over', async () => {
    const scene = new EngineScene();
    const patient = scene.fetch('mailer', 10, 60_000);
    await turns();
    await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    await scene.push(3);
    const hasty = scene.fetch('mailer', 10, 0);
    await scene.clock.advance(30_000);
    expect([patient.ended, hasty.ended]).toEqual([false, true]);
    expect(hasty.positions).toEqual([]);
    await scene.consumers.resume(KEY, RESUMING);
    await turns();
    expect(patient.positions).toEqual([1, 2, 3]);
  });

  it('answers a fetch that does not wait with nothing', async () => {
    const scene = new EngineScene();
    await scene.push(3);
    scene.fetch('mailer', 1, 0);
    await turns();
    await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    const hasty = scene.fetch('mailer', 10, 0);
    const patient = scene.fetch('mailer', 10, 5_000);
    await scene.clock.advance(4_000);
    expect(hasty).toMatchObject({ ended: true, positions: [] });
    expect(patient.ended).toBe(false);
    await scene.clock.advance(2_000);
    expect(patient).toMatchObject({ ended: true, positions: [] });
  });

  it('is a pause once: a second one changes nothing, and ending none is no error', async () => {
    const scene = new EngineScene();
    const member = await scene.subscribe('mailer', 'ada');
    const { view: first } = await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    await scene.clock.advance(1_000);
    const { view: second } = await scene.consumers.pause(KEY, '', { ...PAUSING, by: 'bob' });
    expect(second.pause).toEqual(first.pause);
    expect(second.activeSinceMs).toBe((first.pause?.pausedAt ?? 0) / 1_000);
    await scene.consumers.resume(KEY, RESUMING);
    const { view } = await scene.consumers.resume(KEY, RESUMING);
    expect(view).toMatchObject({ activity: 'IDLE', pause: undefined, mendCommand: '' });
    await turns();
    expect(member.signs).toEqual(['anna', undefined]);
  });

  it('counts time-outs and lost members while it lasts once for each delivery', async () => {
    const scene = new EngineScene({ ackTimeoutMs: 1_000, maxAttempts: 2, ordering: Ordering.NONE });
    const member = await scene.subscribe('mailer', 'ada');
    await scene.push(3);
    await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    await scene.clock.advance(600_000);
    expect((await scene.view('mailer')).parked).toBe(0);
    await scene.consumers.resume(KEY, RESUMING);
    await turns();
    expect(member.deliveries.slice(3).map(({ position, attempt }) => [position, attempt])).toEqual([
      [1, 2],
      [2, 2],
      [3, 2],
    ]);
  });

  it('can be moved and changed', async () => {
    const scene = new EngineScene();
    const member = await scene.subscribe('mailer', 'ada');
    await scene.push(3);
    await scene.consumers.pause(KEY, PAUSE.reason, PAUSING);
    await scene.consumers.seek(
      KEY,
      { kind: 'after-position', position: 1 },
      { call: { call: 'SeekConsumer', by: 'bob' }, reason: '' },
    );
    await scene.clock.advance(SILENCE_MS);
    expect(member.positions).toEqual([1, 2, 3]);
    expect(await scene.view('mailer')).toMatchObject({ activity: 'PAUSED', offset: 1, generation: 2 });
    await scene.consumers.resume(KEY, RESUMING);
    await turns();
    expect(member.positions).toEqual([1, 2, 3, 2, 3]);
  });
});
