// Two servers on one database: whoever reads meets every event once, in order, wherever it was pushed, and waits for nobody.

import { createConnection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../generated/madeleine/v1/consumer_service.js';
import { Worker } from '../support/consumers/worker.js';
import { refusalOf } from '../support/contract/refusals.js';
import { logFaults, storedRows } from '../support/database/proxied.js';
import { newEvent } from '../support/events/builders.js';
import { Follower } from '../support/events/follower.js';
import { History } from '../support/events/history.js';
import { StreamPusher } from '../support/events/pusher.js';
import { Cluster, type Instance } from '../support/server/cluster.js';
import { waitUntil } from '../support/wait-until.js';

let cluster: Cluster | undefined;
let followers: Follower[] = [];

afterEach(async () => {
  await Promise.all(followers.splice(0).map((follower) => follower.stop()));
  await cluster?.stop();
  cluster = undefined;
});

/** A follower on each instance. */
function follow(on: Cluster): Follower[] {
  followers = on.instances.map(({ client }) => new Follower(() => client));
  for (const follower of followers) follower.start();
  return followers;
}

/** Consumers whose creation has no entry in the log: each position is that of a push. */
const EPHEMERAL = ConsumerSettings.fromPartial({ ephemeral: true });

describe('readers of two instances', () => {
  it('see an event of the other instance that lies below one of their own', async () => {
    // Polls so rarely that the own event is there before the other one is looked for.
    cluster = await Cluster.start(2, { pollMs: '1000' });
    const [here] = follow(cluster);
    for (let round = 1; round <= 5; round += 1) {
      await cluster.at(1).client.events.pushEvent({ event: newEvent() });
      await cluster.at(0).client.events.pushEvent({ event: newEvent() });
      await waitUntil(() => here?.position === round * 2, { what: `position ${round * 2}, not ${here?.position}` });
    }
    expect(here?.faults).toEqual([]);
  });

  it('and consumers meet everything once and in order under load', async () => {
    cluster = await Cluster.start(2);
    const { instances, database } = cluster;
    const history = new History();
    const [first, second] = follow(cluster) as [Follower, Follower];
    const pushers = Array.from({ length: 16 }, (_, n) => {
      const instance = cluster?.at(n % 2);
      // Half of the streams are pushed to on both instances.
      return new StreamPusher({
        stream: `stream-${n < 8 ? n : 100 + (n >> 1)}`,
        history,
        client: () => instance?.client,
      });
    });
    const workers = ['left', 'left', 'right', 'right'].map((consumer) => {
      const { client } = instances[consumer === 'left' ? 0 : 1] as Instance;
      return new Worker({ request: { consumer, maxInFlight: 50, settings: EPHEMERAL }, history, client: () => client });
    });
    for (const each of [...pushers, ...workers]) each.start();
    await waitUntil(() => history.answeredCount >= 3_000, { what: '3000 answered pushes', timeoutMs: 40_000 });
    await Promise.all(pushers.map((pusher) => pusher.stop()));
    const { answeredCount } = history;
    await waitUntil(() => first.position === answeredCount && second.position === answeredCount, {
      what: `both followers reach ${answeredCount}`,
    });
    await waitUntil(() => ['left', 'right'].every((consumer) => history.deliveredCount(consumer) === answeredCount), {
      what: `both consumers get ${answeredCount}`,
      timeoutMs: 30_000,
    });
    await Promise.all(workers.map((worker) => worker.stop()));
    expect(logFaults(await storedRows(database))).toEqual([]);
    expect([...first.faults, ...second.faults]).toEqual([]);
    expect(history.faults(first.events)).toEqual([]);
  });

  it('keep one writer a stream', async () => {
    cluster = await Cluster.start(2);
    const claims = Array.from({ length: 20 }, async (_, n) => {
      const push = (index: number) =>
        cluster
          ?.at(index)
          .client.events.pushEvent({ event: newEvent({ stream: `claimed ${n}`, issuer: `issuer ${index}` }) });
      return Promise.allSettled([push(0), push(1)]);
    });
    for (const [index, results] of (await Promise.all(claims)).entries()) {
      expect(results.map(({ status }) => status).sort(), `stream ${index}`).toEqual(['fulfilled', 'rejected']);
      const refused = results.find((result) => result.status === 'rejected') as PromiseRejectedResult;
      expect((await refusalOf(Promise.reject(refused.reason))).reason).toBe('STREAM_OWNED');
    }
  });

  it('do not stall behind a transaction that holds the head row and is rolled back', async () => {
    cluster = await Cluster.start(2);
    const [first, second] = follow(cluster) as [Follower, Follower];
    await cluster.at(0).client.events.pushEvent({ event: newEvent() });
    const foreign = await createConnection(cluster.database.url);
    try {
      await foreign.query('START TRANSACTION');
      await foreign.query('UPDATE log_head SET position = position + 1000, group_token = 1');
      // Without an answer as long as the row is held, and read by whoever comes new.
      const waiting = cluster.at(1).client.events.pushEvent({ event: newEvent() });
      waiting.catch(() => {});
      const late = new Follower(() => cluster?.at(1).client);
      followers.push(late);
      late.start();
      await waitUntil(() => late.position === 1, { what: 'a new reader sees what was there' });
      await foreign.query('ROLLBACK');
      await waiting;
      await waitUntil(() => [first, second, late].every(({ position }) => position === 2), {
        what: 'all readers see the push that had to wait',
      });
      expect([first, second, late].flatMap(({ faults }) => faults)).toEqual([]);
    } finally {
      await foreign.end();
    }
  });

  it('refuse pushes with a hint to retry while a stranger holds the head row, and store them afterwards', async () => {
    cluster = await Cluster.start(1);
    const { client } = cluster.at(0);
    const [reader] = follow(cluster) as [Follower];
    const foreign = await createConnection(cluster.database.url);
    try {
      await foreign.query('START TRANSACTION');
      await foreign.query('SELECT * FROM log_head FOR UPDATE');
      const refused = await refusalOf(client.events.pushEvent({ event: newEvent() }));
      expect(refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'STORAGE_UNAVAILABLE', retryable: true });
    } finally {
      foreign.destroy();
    }
    await client.events.pushEvent({ event: newEvent() });
    await waitUntil(() => reader.position === 1, { what: 'the push is read' });
  });
});
