// kill -9 between a deletion and the telling of its gap, at any moment of it: what a consumer lost unread is counted once, and told by the
// next owner unless somebody has it.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { CreateConsumerRequest, GetConsumerRequest } from '../../generated/madeleine/v1/consumer_service.js';
import { TestSubscriber } from '../support/consumers/consumer.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { newEvent } from '../support/events/builders.js';
import { TestDeletion } from '../support/events/deletion.js';
import { ServerProcess, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

/** When the first owner is killed: before anybody subscribes, as soon as the gap was told, and some time after that. */
const MOMENTS = ['before', 0, 2, 10, 50] as const;

let database: TestDatabase;
let deletion: TestDeletion;
beforeAll(async () => {
  database = await createTestDatabase();
  deletion = new TestDeletion(database.url);
});
afterAll(async () => {
  await deletion.close();
  await database.drop();
});

const eventsTold = ({ frames }: TestSubscriber): bigint =>
  frames.reduce((sum, frame) => sum + (frame.$case === 'gap' ? (frame.value.events ?? 0n) : 0n), 0n);

const expired = async (client: TestClient, name: string) =>
  (await client.consumers.getConsumer(GetConsumerRequest.fromPartial({ name }))).consumer?.expiredUnread;

it.each(MOMENTS)('leaves nothing untold (%s)', { timeout: 120_000 }, async (moment) => {
  const first = await ServerProcess.start({ databaseUrl: database.url });
  const client = new TestClient(first.address);
  const [name, topic] = [`consumer ${moment}`, `topic ${moment}`];
  const request = { name, settings: { filter: { topics: [topic] } } };
  await client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request));
  const positions: bigint[] = [];
  for (let n = 0; n < 6; n += 1) {
    const { event } = await client.events.pushEvent({ event: newEvent({ topic }) });
    positions.push(event?.position ?? 0n);
  }
  await deletion.remove(positions.slice(1, 4));
  let told = 0n;
  if (moment !== 'before') {
    const member = new TestSubscriber(client.consumers, { consumer: name });
    await member.frame('gap');
    await new Promise((resolve) => setTimeout(resolve, moment));
    told = eventsTold(member);
    await first.kill();
    await member.end();
  }
  await first.kill();
  client.close();

  const second = await ServerProcess.start({ databaseUrl: database.url });
  const next = new TestClient(second.address);
  try {
    expect(await expired(next, name)).toBe(3n);
    // The lease of the dead owner has to run out.
    const member = await waitUntil(
      async () => {
        const candidate = new TestSubscriber(next.consumers, { consumer: name });
        await waitUntil(() => candidate.frames.length > 0 || candidate.ended !== undefined, { what: 'an answer' });
        return candidate.ended === undefined ? candidate : undefined;
      },
      { what: 'the consumer is free', timeoutMs: 40_000 },
    );
    await member.frame('caughtUp');
    told += eventsTold(member);
    expect(member.deliveries.map(({ event }) => event?.position)).toEqual([positions[0], positions[4], positions[5]]);
    await member.cancel();
    // Once, or, where it was killed before it had written down that it told, again; never not at all.
    expect([3n, 6n]).toContain(told);
    if (moment === 'before') expect(told).toBe(3n);
    expect(await expired(next, name)).toBe(3n);
  } finally {
    next.close();
    await second.stop();
  }
});
