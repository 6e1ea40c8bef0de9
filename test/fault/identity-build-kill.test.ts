// kill -9 of the instance that builds the identities of a topic by other paths, in the middle: its own next life, or another one, goes on,
// everything is counted once, and at no moment do pushes obey neither.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IdentityBuild } from '../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { Cluster, type Instance } from '../support/server/cluster.js';
import { waitUntil } from '../support/wait-until.js';

const EVENTS = 30_000;
const BATCH = 1_000;
/** Events whose order is that of an earlier one. */
const REPEATED = 1_000;
const TOPIC = 'orders';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start(1);
}, 120_000);
afterAll(() => cluster?.stop());

const eventOf = (id: number, order: number) => newEvent({ topic: TOPIC, payload: jsonPayload({ id, order }) });
const living = () => cluster.instances.find(({ server }) => server.running) as Instance;

async function buildOf({ client }: Instance): Promise<IdentityBuild | undefined> {
  return (await client.topics.getTopic({ name: TOPIC })).topic?.identityBuild;
}

describe('kill -9 of the instance that builds identities', () => {
  it('lets another life end the build', { timeout: 240_000 }, async () => {
    await living().client.topics.registerTopic({ name: TOPIC, settings: { descriptionPaths: ['/id'] } });
    for (let from = 0; from < EVENTS; from += BATCH) {
      const events = Array.from({ length: BATCH }, (_, n) => ({
        event: eventOf(from + n, (from + n) % (EVENTS - REPEATED)),
      }));
      await living().client.events.pushEvents({ events });
    }
    const request = { name: TOPIC, settings: { descriptionPaths: ['/order'] }, updateMask: ['description_paths'] };
    await living().client.topics.updateTopic(request);
    let builtTo = 0n;
    for (let kills = 0; kills < 3; kills += 1) {
      const victim = living();
      const further = async () => {
        const build = await buildOf(victim);
        return build !== undefined && (build.builtTo > builtTo || build.endedAt !== undefined) ? build : undefined;
      };
      const build = await waitUntil(further, { what: 'the build goes on', timeoutMs: 30_000, intervalMs: 2 });
      expect(build.builtTo).toBeGreaterThan(builtTo);
      builtTo = build.builtTo;
      await victim.server.kill();
      const next = await cluster.add({});
      // Whichever paths are obeyed: the event is there by both.
      expect(await refusalOf(next.client.events.pushEvent({ event: eventOf(7, 7) }))).toMatchObject({
        reason: 'ALREADY_OCCURRED',
      });
    }
    const ended = async () => {
      const build = await buildOf(living());
      return build?.endedAt === undefined ? undefined : build;
    };
    const build = await waitUntil(ended, { what: 'the identities are built', timeoutMs: 60_000 });
    expect(build).toMatchObject({
      ...{ identified: BigInt(EVENTS), withoutIdentity: 0n, repeated: BigInt(REPEATED) },
    });
    const refused = await refusalOf(living().client.events.pushEvent({ event: eventOf(EVENTS, 9) }));
    expect(refused.reason).toBe('ALREADY_OCCURRED');
    await living().client.events.pushEvent({ event: eventOf(9, EVENTS) });
  });
});
