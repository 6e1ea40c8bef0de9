import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AckStatus,
  type Delivery,
  ExtendAckDeadlineRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);

const { ACK_STATUS_ACCEPTED, ACK_STATUS_ALREADY, ACK_STATUS_UNKNOWN } = AckStatus;
const SECOND = { seconds: 1n, nanos: 0 };
const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 });

let connection: Connection;
beforeAll(async () => {
  connection = await createConnection(suite.database.url);
});
afterAll(() => connection.end());

/** Positions that are not delivered before a time, and that time from now in seconds. */
async function held(consumer: string): Promise<{ position: number; attempts: number; inSeconds: number }[]> {
  const [rows] = await connection.query(
    `SELECT position, attempts, not_before_ms FROM consumer_trouble trouble JOIN consumer ON consumer.id = trouble.consumer_id
     WHERE consumer.name = ? ORDER BY position`,
    [Buffer.from(consumer)],
  );
  return (rows as { position: number; attempts: number; not_before_ms: number }[]).map((row) => {
    const { position, attempts, not_before_ms: ms } = row;
    return { position, attempts, inSeconds: Math.round((ms - Date.now()) / 1_000) };
  });
}

const extend = (request: Partial<ExtendAckDeadlineRequest>) =>
  suite.client.consumers.extendAckDeadline(ExtendAckDeadlineRequest.fromPartial(request));

describe('ExtendAckDeadline', () => {
  it('gives events more time, stored before it is answered, and ends with their acknowledgement', async () => {
    const { subscribe, push, ack, consumer } = scene({ ackTimeout: SECOND });
    await push(2);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(2);
    const [first] = deliveries as [Delivery];
    const positions = acknowledgements([first]);
    const { results, extended } = await extend({ consumer, positions, extension: seconds(5) });
    expect({ results, extended }).toEqual({
      results: [{ position: first.event?.position, status: ACK_STATUS_ACCEPTED }],
      extended: 0,
    });
    expect(await held(consumer)).toEqual([{ position: Number(first.event?.position), attempts: 0, inSeconds: 5 }]);
    // The other one comes again, and again, meanwhile.
    expect((await subscriber.first(4)).map(numberOf)).toEqual([1, 2, 2, 2]);
    expect((await ack([first])).results[0]?.status).toBe(ACK_STATUS_ACCEPTED);
    expect((await held(consumer)).map(({ position }) => position)).toEqual([Number(deliveries[1]?.event?.position)]);
    expect((await extend({ consumer, positions, extension: SECOND })).results[0]?.status).toBe(ACK_STATUS_ALREADY);
  });

  it('gives all that a member holds more time, or all that is in flight', async () => {
    const { subscribe, push, consumer } = scene();
    const [a, b] = [subscribe({ member: 'a', maxInFlight: 2 }), subscribe({ member: 'b', maxInFlight: 3 })];
    await Promise.all([a.opened(), b.opened()]);
    await push(5);
    await Promise.all([a.first(2), b.first(3)]);
    const all = { consumer, all: true };
    expect(await extend({ ...all, member: 'a', extension: seconds(90) })).toEqual({ results: [], extended: 2 });
    expect((await held(consumer)).map(({ inSeconds }) => inSeconds)).toEqual([90, 90]);
    expect((await extend({ ...all, member: 'nobody', extension: seconds(90) })).extended).toBe(0);
    expect((await extend({ ...all, extension: seconds(80) })).extended).toBe(5);
    expect((await held(consumer)).map(({ inSeconds }) => inSeconds).sort()).toEqual([80, 80, 80, 90, 90]);
  });

  it('reaches no further than ten ack_timeouts', async () => {
    const { subscribe, push, consumer } = scene({ ackTimeout: SECOND });
    await push(1);
    await subscribe().first(1);
    await extend({ consumer, all: true, extension: seconds(43_200) });
    expect((await held(consumer))[0]?.inSeconds).toBeLessThanOrEqual(10);
  });

  it('ends when the event is rejected, or its member goes', async () => {
    const { subscribe, push, reject, consumer, get } = scene();
    await push(2);
    const leaving = subscribe({ member: 'leaving' });
    const deliveries = await leaving.first(2);
    await extend({ consumer, all: true, extension: seconds(300) });
    expect(await held(consumer)).toHaveLength(2);
    await reject(deliveries.slice(0, 1), { verdict: Verdict.VERDICT_RETRY, delay: seconds(40) });
    expect((await held(consumer))[0]).toMatchObject({ attempts: 1, inSeconds: 40 });
    await leaving.cancel();
    await waitUntil(async () => (await get()).members.length === 0, { what: 'the member is gone' });
    expect((await subscribe({ member: 'next' }).first(1)).map(numberOf)).toEqual([2]);
  });

  it('refuses what is wrong with a request, and changes nothing', async () => {
    const { push, subscribe, consumer } = scene();
    await push(1);
    const positions = acknowledgements(await subscribe().first(1));
    const refused = async (request: Partial<ExtendAckDeadlineRequest>) => {
      const { status, reason, fields } = await refusalOf(
        extend({ consumer, positions, extension: SECOND, ...request }),
      );
      return `${status} ${reason} ${fields.join()}`;
    };
    const invalid = (field: string) => `INVALID_ARGUMENT FIELD_INVALID ${field}`;
    expect(await refused({ consumer: 'nobody' })).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refused({ consumer: ' ' })).toBe(invalid('consumer'));
    expect(await refused({ positions: [{ position: 1n << 40n, lease: 1n }] })).toBe(
      'FAILED_PRECONDITION POSITION_BEYOND_HEAD positions[0].position',
    );
    expect(await refused({ positions: [...positions, { position: 0n, lease: 1n }] })).toBe(
      invalid('positions[1].position'),
    );
    expect(await refused({ positions: Array(10_001).fill(positions[0]) })).toBe(invalid('positions'));
    expect(await refused({ positions: [] })).toBe(invalid('positions'));
    expect(await refused({ all: true })).toBe(invalid('all'));
    expect(await refused({ member: 'm' })).toBe(invalid('member'));
    expect(await refused({ positions: [], all: true, member: ' m' })).toBe(invalid('member'));
    const bad = [undefined, seconds(0), seconds(43_201), { seconds: 43_200n, nanos: 1 }, seconds(-1)];
    for (const extension of bad) {
      const request = ExtendAckDeadlineRequest.fromPartial({ consumer, positions });
      expect(await refused({ ...request, extension })).toBe(invalid('extension'));
    }
    expect(await held(consumer)).toEqual([]);
    const mistyped = positions.map(({ position, lease }) => ({ position, lease: lease + 1n }));
    const { results } = await extend({ consumer, positions: mistyped, extension: seconds(43_200) });
    expect(results.map(({ status }) => status)).toEqual([ACK_STATUS_UNKNOWN]);
    expect(await held(consumer)).toEqual([]);
  });
});
