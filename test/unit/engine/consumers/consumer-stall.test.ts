// Real consumers that stand still by a fault of what is below them: they are found, told, and go on.

import { describe, expect, it } from 'vitest';
import { ANSWER_MS, STALL_MS } from '../../../../src/engine/consumers/state/consumer-watch.js';
import { EngineScene } from '../../../support/consumers/engine-scene.js';

const TICK_MS = 1_000;
const HEALTHY = { prodded: 0, begun_anew: 0 };

describe('a consumer that stands still', () => {
  it('goes on when its wake-up was lost, and that is counted and told', async () => {
    const scene = new EngineScene();
    const member = scene.fetch('mailer', 10, 60_000);
    await scene.clock.advance(TICK_MS);
    scene.source.wakesToLose = 1;
    await scene.push(3);
    await scene.clock.advance(STALL_MS - TICK_MS);
    expect(member.positions).toEqual([]);
    expect(await scene.stalls()).toEqual(HEALTHY);
    await scene.clock.advance(3 * TICK_MS);
    expect(member.positions).toEqual([1, 2, 3]);
    expect(await scene.stalls()).toEqual({ prodded: 1, begun_anew: 0 });
    expect(scene.warnings).toMatchObject([
      {
        message: 'consumer stood still',
        fields: {
          ...{ context: 'default', consumer: 'mailer', mended: 'prodded', waitsForDatabase: false },
          ...{ offset: 0, scanned: 0, head: 3, inFlight: 0, waiting: 0, heldStreams: 0, members: 1 },
        },
      },
    ]);
  });

  it('begins anew after its offset when a read never answers: what was in flight comes again, and is answered as before', async () => {
    const scene = new EngineScene();
    const member = await scene.subscribe('mailer', 'ada');
    await scene.push(3);
    expect(member.positions).toEqual([1, 2, 3]);
    await scene.acknowledge('mailer', member.deliveries.slice(0, 1));
    scene.source.readsToHang = 1;
    await scene.push(2);
    // Heartbeats wake it all the while, in vain.
    await scene.clock.advance(ANSWER_MS - 2 * TICK_MS);
    expect(member.positions).toEqual([1, 2, 3]);
    expect(await scene.stalls()).toEqual(HEALTHY);
    await scene.clock.advance(4 * TICK_MS);
    expect(member.positions).toEqual([1, 2, 3, 2, 3, 4, 5]);
    expect(member.deliveries.map(({ attempt }) => attempt)).toEqual(Array(7).fill(1));
    expect(await scene.stalls()).toEqual({ prodded: 0, begun_anew: 1 });
    expect(scene.warnings).toMatchObject([{ fields: { mended: 'begun_anew', waitsForDatabase: true, inFlight: 2 } }]);
    expect(await scene.acknowledge('mailer', member.deliveries.slice(3))).toEqual(Array(4).fill('ACCEPTED'));
    expect(await scene.view('mailer')).toMatchObject({ offset: 5, generation: 1, activity: 'IDLE' });
  });

  it('is begun anew ever more seldom where that does not help', async () => {
    const scene = new EngineScene();
    await scene.subscribe('mailer', 'ada');
    scene.source.readsToHang = 1_000;
    await scene.push(1);
    await scene.clock.advance(3_600_000);
    const { begun_anew: begun = 0 } = await scene.stalls();
    // 60 s, 120 s, 240 s, 480 s, and from then on 600 s.
    expect(begun).toBeGreaterThanOrEqual(8);
    expect(begun).toBeLessThanOrEqual(9);
  });

  it('is none that waits for its turn to read, or reads long and gets on', async () => {
    const scene = new EngineScene();
    scene.source.readMs = 30_000;
    const slow = await scene.subscribe('slow', 'ada', { maxInFlight: 10_000 });
    await scene.push(2_000);
    await scene.clock.advance(10 * ANSWER_MS);
    expect(slow.positions).toHaveLength(2_000);
    scene.source.queued = true;
    scene.source.readMs = 10 * ANSWER_MS;
    await scene.push(1);
    await scene.clock.advance(11 * ANSWER_MS);
    expect(slow.positions).toHaveLength(2_001);
    expect(await scene.stalls()).toEqual(HEALTHY);
  });

  it('is none without a member, credit, or room for what comes next; nor one that waits for acknowledgements or drains', async () => {
    const scene = new EngineScene();
    await scene.push(20, () => '', 400_000);
    await scene.subscribe('full', 'ada', { maxInFlight: 2 });
    // Two fit, with credit for more events.
    const narrow = await scene.subscribe('narrow', 'ada');
    expect(narrow.positions).toEqual([1, 2]);
    const gone = scene.fetch('gone', 1, 0);
    await scene.clock.advance(20 * STALL_MS);
    expect(gone.positions).toEqual([1]);
    const drained = await scene.subscribe('drained', 'ada');
    void scene.consumers.drain(60_000);
    await scene.push(1);
    await scene.clock.advance(5 * STALL_MS);
    expect(drained.ended).toBe(true);
    expect(await scene.stalls()).toEqual(HEALTHY);
    expect(scene.warnings).toEqual([]);
  });

  it('is none while nobody knows whether it is still run here, which its cause says', async () => {
    const scene = new EngineScene();
    const member = await scene.subscribe('mailer', 'ada');
    scene.databaseIsUp = false;
    await scene.clock.advance(2 * STALL_MS);
    await scene.push(1);
    await scene.clock.advance(5 * STALL_MS);
    expect(member.positions).toEqual([]);
    const activityCause = 'the database has to confirm first who runs it';
    expect(await scene.view('mailer')).toMatchObject({ activity: 'DELIVERING', activityCause });
    scene.databaseIsUp = true;
    await scene.clock.advance(STALL_MS);
    expect(member.positions).toEqual([1]);
    expect(await scene.view('mailer')).toMatchObject({ activity: 'DELIVERING', activityCause: '1 event is in flight' });
    expect(await scene.stalls()).toEqual(HEALTHY);
  });

  it('is none because the process stood still', async () => {
    const scene = new EngineScene();
    const member = scene.fetch('mailer', 10, 60_000);
    await scene.clock.advance(TICK_MS);
    scene.source.wakesToLose = 1;
    await scene.push(1);
    await scene.clock.advance(TICK_MS);
    // Nobody renewed the lease meanwhile, but it is renewed at once, before it is looked whether it can be trusted.
    scene.clock.leap(5_000);
    await scene.clock.advance(TICK_MS);
    expect(await scene.stalls()).toEqual(HEALTHY);
    await scene.clock.advance(2 * STALL_MS);
    expect(member.positions).toEqual([1]);
  });
});
