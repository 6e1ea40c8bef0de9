// What comes and goes: each kind of churn is one round, which leaves nothing behind that is not an event or a name.

import { randomUUID } from 'node:crypto';
import { CawinState, CreateCawinRequest } from '../../generated/madeleine/v1/cawin_service.js';
import { ConsumerSettings } from '../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements } from '../support/consumers/consumer.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import type { TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

export interface Surroundings {
  readonly client: TestClient;
  /** URL that takes every callback. */
  readonly receiver: string;
  /** URL of loopback that nothing listens on. */
  readonly nobody: string;
}

export type Round = (surroundings: Surroundings) => Promise<void>;

/** Topics that events are spread over; few, so that descriptions find their shape. */
const TOPICS = 8;
const FRAME_EVENTS = 20;
/** Names of consumers, which come again: one that is deleted leaves its numbers of leases behind, so that none is used twice. */
const CONSUMERS = 200;

/** The kinds of churn by name. */
export const ROUNDS: { readonly [name: string]: Round } = {
  names: pushUnderNewNames,
  consumers: consumeAndDelete,
  waits: waitInThreeWays,
  callbacks: callAndDelete,
  readers: readAndLeave,
};

async function pushUnderNewNames({ client: { events } }: Surroundings): Promise<void> {
  const id = randomUUID();
  const fresh = { stream: `stream ${id}`, issuer: `issuer ${id}`, tag: `tag ${id}` };
  await events.pushEvent({ event: newEvent({ topic: someTopic('names'), ...fresh }) });
  await events.pushEvent({ event: newEvent({ topic: `topic ${id}`, properties: { id } }) });
}

async function consumeAndDelete({ client: { consumers, events } }: Surroundings): Promise<void> {
  const name = nextConsumer();
  const topic = someTopic('consumed');
  const settings = ConsumerSettings.fromPartial({ filter: { topics: [topic] } });
  await consumers.createConsumer({ name, settings, start: { at: { $case: 'latest', value: {} } } });
  const pushed = Array.from({ length: FRAME_EVENTS }, () => newEvent({ topic }));
  await events.pushEvents({ events: pushed.map((event) => ({ event })) });
  const leave = new AbortController();
  let count = 0;
  try {
    for await (const { deliveries } of consumers.subscribe({ consumer: name }, { signal: leave.signal })) {
      count += deliveries.length;
      // The last ones are left without an answer.
      if (count >= FRAME_EVENTS) break;
      if (deliveries.length === 0) continue;
      await consumers.acknowledge({ consumer: name, acknowledgements: acknowledgements(deliveries) });
    }
  } finally {
    leave.abort();
    await consumers.deleteConsumer({ name });
  }
}

async function waitInThreeWays({ client }: Surroundings): Promise<void> {
  const topic = someTopic('awaited');
  const [satisfied, cancelled, expired] = await Promise.all([
    awaited(client, topic, 60),
    awaited(client, topic, 2),
    awaited(client, topic, 1),
  ]);
  const leave = new AbortController();
  const left = follow(client, cancelled.id, leave.signal).catch(() => {});
  const push = { event: newEvent({ topic, payload: jsonPayload({ ...satisfied.description, n: 1 }) }) };
  // All at once: what fails is heard of together.
  await Promise.all([
    follow(client, satisfied.id),
    follow(client, expired.id),
    client.events.pushEvent(push).finally(() => leave.abort()),
  ]);
  await left;
}

async function callAndDelete({ client, receiver, nobody }: Surroundings): Promise<void> {
  const { event } = await client.events.pushEvent({ event: newEvent({ topic: 'called' }) });
  const eventId = event?.id ?? 0n;
  const made = await Promise.all([
    created(client, eventId, receiver),
    created(client, eventId, `${nobody}${randomUUID()}`),
  ]);
  try {
    await waitUntil(async () => (await stateOf(client, made[0] ?? 0n)) === CawinState.CAWIN_STATE_FIRED, {
      what: 'the receiver was called',
      timeoutMs: 30_000,
    });
  } finally {
    for (const id of made) await client.cawins.deleteCawin({ id });
  }
}

async function readAndLeave({ client: { events } }: Surroundings): Promise<void> {
  const leave = new AbortController();
  const { signal } = leave;
  const reading = firstOf(events.readEvents({ topics: [someTopic('consumed')], follow: true }, { signal }));
  const watching = firstOf(events.watchEvents({ topics: ['called'] }, { signal }));
  await Promise.all([reading, watching]);
  leave.abort();
}

async function firstOf<T>(frames: AsyncIterable<T>): Promise<void> {
  for await (const _ of frames) return;
}

async function awaited(client: TestClient, topic: string, seconds: number) {
  const description = { id: randomUUID() };
  const waitTimeout = { seconds: BigInt(seconds), nanos: 0 };
  const { event } = await client.events.pushEvent({
    event: newEvent({ topic, payload: undefined, description }),
    waitTimeout,
  });
  return { id: event?.id ?? 0n, description };
}

async function follow(client: TestClient, eventId: bigint, signal?: AbortSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  for await (const { ended } of client.cawins.waitForEvent({ eventId }, options)) if (ended) return;
}

async function created(client: TestClient, eventId: bigint, url: string): Promise<bigint> {
  const callback = { url, secret: '', headers: {}, timeout: undefined };
  const { cawin } = await client.cawins.createCawin(CreateCawinRequest.fromPartial({ eventId, callback }));
  return cawin?.id ?? 0n;
}

async function stateOf(client: TestClient, id: bigint): Promise<CawinState | undefined> {
  return (await client.cawins.getCawin({ id })).cawin?.state;
}

let consumers = 0;

/** A name that no other round has at this time. */
function nextConsumer(): string {
  consumers = (consumers + 1) % CONSUMERS;
  return `consumer ${consumers}`;
}

function someTopic(kind: string): string {
  return `${kind} ${Math.floor(Math.random() * TOPICS)}`;
}
