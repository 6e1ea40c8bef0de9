import { describe, expect, it } from 'vitest';
import { AckStatus, type Delivery, Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);

const { ACK_STATUS_ACCEPTED, ACK_STATUS_ALREADY, ACK_STATUS_STALE, ACK_STATUS_UNKNOWN } = AckStatus;
const SECOND = { seconds: 1n, nanos: 0 };
const positionOf = (delivery: Delivery | undefined): bigint => delivery?.event?.position ?? 0n;

describe('Acknowledge', () => {
  it('moves the offset to the greatest position with everything below it done', async () => {
    const { subscribe, push, ack, get } = scene();
    const positions = await push(5);
    const deliveries = await subscribe().first(5);
    const [one, two, three] = [deliveries.slice(0, 1), deliveries.slice(1, 3), deliveries.slice(3)];
    expect((await ack(two)).offset).toBeLessThan(positions[0] ?? 0n);
    expect(await get()).toMatchObject({ inFlight: 3, pending: 3n, oldestUnacknowledged: positions[0] });
    const { offset } = await ack(one);
    expect(offset).toBeGreaterThanOrEqual(positions[2] ?? 0n);
    expect(offset).toBeLessThan(positions[3] ?? 0n);
    await ack(three);
    expect(await get()).toMatchObject({ inFlight: 0, pending: 0n, oldestUnacknowledged: 0n });
  });

  it('answers each position: accepted, already, stale, unknown', async () => {
    const { subscribe, push, ackStatuses } = scene({ ackTimeout: SECOND });
    await push(2);
    const former = subscribe({ member: 'former', maxInFlight: 1 });
    const [first] = await former.first(1);
    const place = { position: positionOf(first), lease: first?.lease ?? 0n };
    const neverGiven = { ...place, lease: 1n << 62n };
    expect(await ackStatuses([neverGiven, place, place])).toEqual([
      ACK_STATUS_UNKNOWN,
      ACK_STATUS_ACCEPTED,
      ACK_STATUS_ALREADY,
    ]);
    const [, second] = await former.first(2);
    const next = subscribe({ member: 'next' });
    await next.opened();
    await former.cancel();
    await next.first(1);
    const stale = { position: positionOf(second), lease: second?.lease ?? 0n };
    expect(await ackStatuses([stale])).toEqual([ACK_STATUS_STALE]);
    const [unseen] = await push(1, { topic: 'not selected' });
    expect(await ackStatuses([{ position: unseen ?? 0n, lease: 0n }])).toEqual([ACK_STATUS_UNKNOWN]);
  });

  it('knows below its offset what was never its own: of another topic, or before its beginning', async () => {
    const { push, subscribe, ack, ackStatuses, get } = scene();
    const [before = 0n] = await push(1);
    const subscriber = subscribe({ start: { at: { $case: 'latest', value: {} } } });
    await subscriber.opened();
    const [strange = 0n] = await push(1, { topic: 'of others' });
    const [own = 0n] = await push(1);
    const deliveries = await subscriber.first(1);
    await push(1, { topic: 'of others' });
    const { offset } = await ack(deliveries);
    expect(offset).toBeGreaterThanOrEqual(own);
    const lease = deliveries[0]?.lease ?? 0n;
    const asked = [before, strange, own].flatMap((position) => [
      { position, lease: 0n },
      { position, lease },
      { position, lease: 777n },
    ]);
    expect(await ackStatuses(asked)).toEqual([
      ...Array(6).fill(ACK_STATUS_UNKNOWN),
      ...[ACK_STATUS_ALREADY, ACK_STATUS_ALREADY, ACK_STATUS_UNKNOWN],
    ]);
    const to = { at: { $case: 'afterPosition' as const, value: own } };
    await suite.client.consumers.seekConsumer({ name: (await get()).name, to });
    expect(await ackStatuses(asked.slice(6, 8))).toEqual([ACK_STATUS_UNKNOWN, ACK_STATUS_STALE]);
  });

  it('knows of ten thousand positions without leases which were never its own', async () => {
    const { topic, push, subscribe, ack, ackStatuses, get } = scene();
    const strange = await push(500, { topic: `${topic} of others` });
    const own = await push(500);
    await ack(await subscribe({ maxInFlight: 1_000 }).first(500));
    await waitUntil(async () => (await get()).pending === 0n, { what: 'nothing is pending' });
    const asked = Array.from({ length: 10 }, () => [...strange, ...own]).flat();
    expect(await ackStatuses(asked.map((position) => ({ position, lease: 0n })))).toEqual(
      Array.from({ length: 10 }, () => [
        ...Array(500).fill(ACK_STATUS_UNKNOWN),
        ...Array(500).fill(ACK_STATUS_ALREADY),
      ]).flat(),
    );
  });

  it('knows what a description passes over, and a withdrawal that it selects', async () => {
    const statuses = [EventStatus.EVENT_STATUS_OCCURRED, EventStatus.EVENT_STATUS_INVALIDATED];
    const { topic, subscribe, push, ack, ackStatuses, get } = scene({
      filter: { statuses, description: { n: 1 } } as never,
    });
    const [own = 0n, strange = 0n] = await push(2);
    const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    await suite.client.events.invalidateEvent({ id: events[0]?.id ?? 0n });
    const deliveries = await subscribe().first(2);
    await ack(deliveries);
    await waitUntil(async () => (await get()).pending === 0n, { what: 'nothing is pending' });
    const asked = [own, strange, positionOf(deliveries[1])].map((position) => ({ position, lease: 0n }));
    expect(await ackStatuses(asked)).toEqual([ACK_STATUS_ALREADY, ACK_STATUS_UNKNOWN, ACK_STATUS_ALREADY]);
  });

  it('takes lease 0 for whatever is current', async () => {
    const { subscribe, push, ackStatuses, get } = scene();
    const [position] = await push(1);
    await subscribe().first(1);
    expect(await ackStatuses([{ position: position ?? 0n, lease: 0n }])).toEqual([ACK_STATUS_ACCEPTED]);
    expect((await get()).inFlight).toBe(0);
  });

  it('acknowledges up to a position what is in flight, of one member if named, and nothing else', async () => {
    const { subscribe, push, consumer, get } = scene();
    const [a, b] = [subscribe({ member: 'a', maxInFlight: 3 }), subscribe({ member: 'b', maxInFlight: 3 })];
    await Promise.all([a.opened(), b.opened()]);
    const positions = await push(10, (n) => ({ stream: `up-to-${n}` }));
    await Promise.all([a.first(3), b.first(3)]);
    const upTo = positions.at(-1) ?? 0n;
    const ofA = await suite.client.consumers.acknowledge({ consumer, upTo, member: 'a' });
    expect(ofA).toMatchObject({ acknowledgedUpTo: 3, results: [] });
    await a.first(6);
    const all = await suite.client.consumers.acknowledge({ consumer, upTo });
    expect(all.acknowledgedUpTo).toBe(6);
    await waitUntil(async () => (await get()).inFlight === 1, { what: 'the tenth in flight' });
    expect((await get()).pending).toBe(1n);
  });

  it('is durable when it is answered', async () => {
    const { subscribe, push, ack, consumer } = scene();
    await push(3);
    const { offset } = await ack(await subscribe().first(3));
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection(suite.database.url);
    const [rows] = await connection.query('SELECT acked_to FROM consumer WHERE name = ?', [Buffer.from(consumer)]);
    await connection.end();
    expect(rows).toEqual([{ acked_to: Number(offset) }]);
  });

  it('moves the offset past events that do not match, without an acknowledgement', async () => {
    const { subscribe, push, get } = scene();
    await subscribe().opened();
    const positions = await push(20, { topic: 'passed over' });
    await waitUntil(async () => (await get()).offset >= (positions.at(-1) ?? 0n), { what: 'the offset at the head' });
    expect(await get()).toMatchObject({ lag: 0n, pending: 0n, percentConsumed: 100 });
  });

  it('delivers again what was not acknowledged in time, with a raised attempt and then its stream', async () => {
    const { subscribe, push, ack } = scene({ ackTimeout: SECOND });
    await push(3, { stream: 'timed out' });
    const subscriber = subscribe();
    const first = await subscriber.first(3);
    expect(first.map(({ deadline }) => deadline !== undefined)).toEqual([true, false, false]);
    const again = (await subscriber.first(6)).slice(3);
    expect(again.map(numberOf)).toEqual([1, 2, 3]);
    expect(again.map(({ attempt }) => attempt)).toEqual([2, 1, 1]);
    expect(again[0]?.lease).not.toBe(first[0]?.lease);
    expect((await ack(again)).results.map(({ status }) => status)).toEqual(Array(3).fill(ACK_STATUS_ACCEPTED));
  });

  it('stores the failure record before it delivers again', async () => {
    const { subscribe, push } = scene({ ackTimeout: SECOND });
    const [position] = await push(1);
    await subscribe().first(2);
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection(suite.database.url);
    const [rows] = await connection.query('SELECT attempts, state FROM consumer_trouble WHERE position = ?', [
      position,
    ]);
    await connection.end();
    expect(rows).toMatchObject([{ state: 1 }]);
    expect((rows as { attempts: number }[])[0]?.attempts).toBeGreaterThanOrEqual(1);
  });

  it('runs the clock of every event when there is no order', async () => {
    const { subscribe, push, ack } = scene({ ackTimeout: SECOND, ordering: Ordering.ORDERING_NONE });
    await push(3, { stream: 'without order' });
    const subscriber = subscribe();
    const first = await subscriber.first(3);
    expect(first.every(({ deadline }) => deadline !== undefined)).toBe(true);
    await ack([first[0] as Delivery, first[2] as Delivery]);
    const again = (await subscriber.first(4))[3];
    expect(numberOf(again as Delivery)).toBe(2);
    expect(again?.attempt).toBe(2);
  });

  it('lets the members of a consumer without order share one stream', async () => {
    const { subscribe, push } = scene({ ordering: Ordering.ORDERING_NONE });
    const [a, b] = [subscribe({ member: 'a', maxInFlight: 2 }), subscribe({ member: 'b', maxInFlight: 2 })];
    await Promise.all([a.opened(), b.opened()]);
    await push(4, { stream: 'shared without order' });
    await Promise.all([a.first(2), b.first(2)]);
    expect([...a.numbers, ...b.numbers].sort()).toEqual([1, 2, 3, 4]);
  });

  it('answers many acknowledgements at once, each after its commit', async () => {
    const { subscribe, push, ack, get } = scene();
    await push(300, (n) => ({ stream: `many-${n % 7}` }));
    const deliveries = await subscribe({ maxInFlight: 1_000 }).first(300);
    const answers = await Promise.all(deliveries.map((delivery) => ack([delivery])));
    expect(answers.flatMap(({ results }) => results.map(({ status }) => status))).toEqual(
      Array(300).fill(ACK_STATUS_ACCEPTED),
    );
    expect(await get()).toMatchObject({ inFlight: 0, pending: 0n });
  });

  it('refuses unknown consumers, positions above the head, and what is wrong with the request', async () => {
    const { push, subscribe, consumer } = scene();
    await push(1);
    await subscribe().first(1);
    const refused = async (request: Parameters<typeof suite.client.consumers.acknowledge>[0]) => {
      const refusal = await refusalOf(suite.client.consumers.acknowledge({ consumer, ...request }));
      return `${refusal.status} ${refusal.reason} ${refusal.fields.join()}`;
    };
    expect(await refused({ consumer: 'nobody', upTo: 0n })).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refused({ upTo: 1n << 63n })).toBe('FAILED_PRECONDITION POSITION_BEYOND_HEAD up_to');
    expect(
      await refused({
        acknowledgements: [
          { position: 1n, lease: 0n },
          { position: 1n << 40n, lease: 1n },
        ],
      }),
    ).toBe('FAILED_PRECONDITION POSITION_BEYOND_HEAD acknowledgements[1].position');
    expect(await refused({ acknowledgements: [{ position: 0n, lease: 1n }] })).toBe(
      'INVALID_ARGUMENT FIELD_INVALID acknowledgements[0].position',
    );
    expect(await refused({ acknowledgements: Array(10_001).fill({ position: 1n, lease: 1n }) })).toBe(
      'INVALID_ARGUMENT FIELD_INVALID acknowledgements',
    );
    expect(await refused({ upTo: 1n, member: ' x' })).toBe('INVALID_ARGUMENT FIELD_INVALID member');
  });
});
