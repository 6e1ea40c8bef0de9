// A consumer goes to another instance when its owner is gone, and an owner that comes back from the dead changes nothing.

import { createConnection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { AckStatus } from '../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, pushNumbers, TestSubscriber } from '../support/consumers/consumer.js';
import { Worker } from '../support/consumers/worker.js';
import { storedEvents } from '../support/database/proxied.js';
import { History } from '../support/events/history.js';
import { Cluster } from '../support/server/cluster.js';
import { TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

/** The lease of 15 s, the next attempt of who wants it, and some margin. */
const TAKEN_OVER_WITHIN_MS = 18_000;

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

async function storedOffset(on: Cluster, name: string): Promise<number> {
  const connection = await createConnection(on.database.adminUrl);
  try {
    const [rows] = await connection.query('SELECT acked_to FROM consumer WHERE name = ?', [name]);
    return (rows as { acked_to: number }[])[0]?.acked_to ?? -1;
  } finally {
    await connection.end();
  }
}

describe('a consumer', () => {
  it('is served by the other instance soon after its owner was killed', async () => {
    cluster = await Cluster.start(2);
    const [owner, other] = [cluster.at(0), cluster.at(1)];
    const history = new History();
    await pushNumbers(owner.client.events, 10);
    let client: TestClient = owner.client;
    const worker = new Worker({ request: { consumer: 'moving' }, history, client: () => client });
    worker.start();
    await waitUntil(() => history.deliveredCount('moving') === 10, { what: '10 deliveries by the owner' });
    await owner.server.kill();
    const killedAt = performance.now();
    client = other.client;
    await pushNumbers(other.client.events, 10, {}, 11);
    await waitUntil(() => history.deliveredCount('moving') === 20, { what: '20 deliveries', timeoutMs: 30_000 });
    expect(performance.now() - killedAt).toBeLessThan(TAKEN_OVER_WITHIN_MS);
    const offset = () => storedOffset(cluster as Cluster, 'moving');
    // Twenty events, and between them the entry that tells of the consumer's creation.
    await waitUntil(async () => (await offset()) === 21, { what: 'the offset reaches 21' });
    await worker.stop();
    expect(history.faults(await storedEvents(cluster.database))).toEqual([]);
  });

  it('is not moved by an owner that was frozen meanwhile', async () => {
    cluster = await Cluster.start(2);
    const [owner, other] = [cluster.at(0), cluster.at(1)];
    await pushNumbers(owner.client.events, 10);
    // Without keep-alive: its calls wait for the frozen server.
    const patient = new TestClient(owner.server.address);
    const before = new TestSubscriber(patient.consumers, { consumer: 'contested' });
    const leased = await before.first(10);
    owner.server.signal('SIGSTOP');
    const late = patient.consumers.acknowledge({ consumer: 'contested', acknowledgements: acknowledgements(leased) });
    const lateStatuses = late.then(
      ({ results }) => results.map(({ status }) => status),
      () => [],
    );

    let after = new TestSubscriber(other.client.consumers, { consumer: 'contested' });
    await waitUntil(
      () => {
        if (after.ended !== undefined) after = new TestSubscriber(other.client.consumers, { consumer: 'contested' });
        return after.deliveries.length === 10;
      },
      { what: 'the other instance delivers', timeoutMs: 30_000, intervalMs: 200 },
    );
    const taken = acknowledgements(after.deliveries.slice(0, 5));
    await other.client.consumers.acknowledge({ consumer: 'contested', acknowledgements: taken });
    expect(await storedOffset(cluster, 'contested')).toBe(5);

    owner.server.signal('SIGCONT');
    expect(await lateStatuses).not.toContain(AckStatus.ACK_STATUS_ACCEPTED);
    await expect(
      patient.consumers.acknowledge({ consumer: 'contested', acknowledgements: acknowledgements(leased) }),
    ).rejects.toThrow();
    // The old owner tells its subscriber to go.
    await before.end();
    expect(await storedOffset(cluster, 'contested')).toBe(5);
    const rest = acknowledgements(after.deliveries.slice(5));
    const { results } = await other.client.consumers.acknowledge({ consumer: 'contested', acknowledgements: rest });
    expect(results.map(({ status }) => status)).toEqual(rest.map(() => AckStatus.ACK_STATUS_ACCEPTED));
    // Ten events, and the entry that tells of the consumer's creation.
    expect(await storedOffset(cluster, 'contested')).toBe(11);
    await after.cancel();
    patient.close();
  });
});
