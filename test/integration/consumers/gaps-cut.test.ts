// Gaps whose frames and answers are lost with their connections, or that nobody says he has: told again, and not once somebody has them.

import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Delivery, FetchRequest, Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import type { ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { acknowledgements, type TestSubscriber } from '../../support/consumers/consumer.js';
import { type Scene, useScenes } from '../../support/consumers/consumer-scene.js';
import { TestDeletion } from '../../support/events/deletion.js';
import { Pipe } from '../../support/server/pipe.js';
import { TestClient } from '../../support/server/server.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);
let deletion: TestDeletion;
let connection: Connection;

beforeAll(async () => {
  deletion = new TestDeletion(suite.database.url);
  connection = await createConnection(suite.database.url);
});
afterAll(async () => {
  await connection.end();
  await deletion.close();
});

/** Deletes events that the consumer has not passed, and waits until its owner has told somebody. */
async function removed({ consumer }: Scene, positions: readonly bigint[]): Promise<void> {
  await deletion.remove(positions);
  const what = 'the gap to be told';
  await waitUntil(async () => (await untaken(consumer)) === 0, { what, timeoutMs: 15_000 });
}

/** Deletes events, and waits until the instance has noticed: memory has them for a moment. */
async function deleted({ topic }: Scene, positions: readonly bigint[]): Promise<void> {
  await deletion.remove(positions);
  const request = { topics: [topic], afterPosition: (positions[0] ?? 1n) - 1n } as unknown as ReadEventsRequest;
  const isGone = async () => {
    for await (const { events } of suite.client.events.readEvents(request)) {
      if (events.some(({ position }) => positions.includes(position))) return false;
    }
    return true;
  };
  await waitUntil(isGone, { what: 'the deletion to be noticed' });
}

async function untaken(consumer: string): Promise<number> {
  const [rows] = await connection.query(
    'SELECT COUNT(*) AS gaps FROM consumer_gap g JOIN consumer c ON c.id = g.consumer_id WHERE c.name = ? AND g.taken_epoch = 0',
    [Buffer.from(consumer)],
  );
  return (rows as { gaps: number }[])[0]?.gaps ?? 0;
}

const spans = (gaps: readonly { firstPosition: bigint; lastPosition: bigint; events?: bigint | undefined }[]) =>
  gaps.map(({ firstPosition, lastPosition, events }) => [firstPosition, lastPosition, events]);
const gapsOf = ({ frames }: TestSubscriber) =>
  spans(frames.flatMap((frame) => (frame.$case === 'gap' ? [frame.value] : [])));
const spanOf = (positions: readonly bigint[]) => [[positions[0], positions.at(-1), BigInt(positions.length)]];

/** A consumer that somebody has acknowledged something of: it lasts. */
async function begun() {
  const made = scene();
  await made.push(1);
  const { deliveries } = await made.fetch();
  await made.ack(deliveries);
  return made;
}

it('a subscriber whose connection dies before it has the frame: the next one is told', async () => {
  const made = await begun();
  const pipe = await Pipe.to(suite.server.address);
  const client = new TestClient(pipe.address);
  const member = made.subscribe({}, client.consumers);
  await member.frame('caughtUp');
  pipe.freeze();
  const positions = await made.push(2);
  await removed(made, positions);
  pipe.cut();
  await member.end();
  expect(gapsOf(member)).toEqual([]);
  const next = made.subscribe();
  await next.frame('gap');
  expect(gapsOf(next)).toEqual(spanOf(positions));
  client.close();
});

it('a caller of Fetch whose answer is lost is told again', async () => {
  const made = await begun();
  const pipe = await Pipe.to(suite.server.address);
  const client = new TestClient(pipe.address);
  const positions = await made.push(2);
  await made.fetch();
  const request = { consumer: made.consumer, member: 'unlucky', wait: { seconds: 50n, nanos: 0 } };
  const lost = client.consumers.fetch(FetchRequest.fromPartial(request)).catch(() => undefined);
  await waitUntil(async () => (await made.get()).members.length === 2, { what: 'the caller waits' });
  pipe.freeze();
  await removed(made, positions);
  pipe.cut();
  expect(await lost).toBeUndefined();
  const again = await made.fetch({ member: 'unlucky' });
  expect(spans(again.gaps)).toEqual(spanOf(positions));
  client.close();
});

it('who answers nothing that came after it: the next one is told, until somebody does', async () => {
  const made = await begun();
  const positions = await made.push(4);
  await deleted(made, positions.slice(0, 2));
  for (let n = 0; n < 2; n += 1) {
    const member = made.subscribe();
    await member.first(2);
    expect(gapsOf(member)).toEqual(spanOf(positions.slice(0, 2)));
    await member.cancel();
  }
  const third = made.subscribe();
  const [delivery] = await third.first(2);
  await made.ack([delivery as Delivery]);
  await third.cancel();
  const fourth = made.subscribe();
  await fourth.first(1);
  await fourth.frame('caughtUp');
  expect(gapsOf(fourth)).toEqual([]);
});

it.each(['up to a position', 'by event ids', 'by a rejection', 'by more time'])(
  'one who answers %s has it',
  async (how) => {
    const made = await begun();
    const { consumer } = made;
    const positions = await made.push(3);
    await deleted(made, positions.slice(0, 2));
    const { gaps, deliveries } = await made.fetch();
    expect(spans(gaps)).toEqual(spanOf(positions.slice(0, 2)));
    expect(spans((await made.fetch()).gaps)).toEqual(spans(gaps));
    const { consumers } = suite.client;
    const items = acknowledgements(deliveries);
    const eventIds = deliveries.flatMap(({ event }) => event?.id ?? []);
    if (how === 'up to a position') await consumers.acknowledge({ consumer, upTo: positions[2] ?? 0n });
    if (how === 'by event ids') await consumers.acknowledge({ consumer, eventIds });
    if (how === 'by a rejection') await made.reject(deliveries, { verdict: Verdict.VERDICT_RETRY });
    if (how === 'by more time') {
      await consumers.extendAckDeadline({ consumer, positions: items, extension: { seconds: 60n, nanos: 0 } });
    }
    expect((await made.fetch()).gaps).toEqual([]);
  },
);
