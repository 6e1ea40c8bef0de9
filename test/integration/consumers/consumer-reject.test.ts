import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AckStatus,
  type ConsumerSettings,
  type Delivery,
  Ordering,
  RejectRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { metric } from '../../support/server/metrics.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);

const { ACK_STATUS_ACCEPTED, ACK_STATUS_ALREADY, ACK_STATUS_STALE, ACK_STATUS_UNKNOWN } = AckStatus;
const { VERDICT_RETRY, VERDICT_PARK, VERDICT_SKIP } = Verdict;
const SECOND = { seconds: 1n, nanos: 0 };
const AT_ONCE = { seconds: 0n, nanos: 0 };
const ms = (count: number) => ({ seconds: BigInt(Math.floor(count / 1_000)), nanos: (count % 1_000) * 1_000_000 });
/** A back-off without chance, which comes again soon. */
const SOON: Partial<ConsumerSettings> = { retryBackoff: { initial: ms(20), max: ms(20), jitter: 0 } };

let connection: Connection;
beforeAll(async () => {
  connection = await createConnection(suite.database.url);
});
afterAll(() => connection.end());

interface StoredFailure {
  readonly position: number;
  readonly attempts: number;
  readonly losses: number;
  readonly code: string;
  readonly reason: string;
  readonly state: number;
  readonly parked_at: number;
  readonly not_before_ms: number;
}

/** What is stored of the events that gave a consumer trouble. */
async function stored(consumer: string): Promise<StoredFailure[]> {
  const [rows] = await connection.query(
    `SELECT trouble.* FROM consumer_trouble trouble JOIN consumer ON consumer.id = trouble.consumer_id
     WHERE consumer.name = ? ORDER BY position`,
    [Buffer.from(consumer)],
  );
  return rows as StoredFailure[];
}

const only = (deliveries: readonly Delivery[], n: number) => deliveries.filter((one) => numberOf(one) === n);

describe('Reject', () => {
  it('delivers again after the delay, with a raised attempt, and then the rest of the stream', async () => {
    const { subscribe, push, reject, ack, consumer } = scene();
    await push(3, { stream: 'retried' });
    await push(1, { stream: 'other' }, 4);
    const subscriber = subscribe();
    const first = await subscriber.first(4);
    const rejectedAt = Date.now();
    const how = { verdict: VERDICT_RETRY, delay: ms(700), reason: 'no relay', code: 'NO_RELAY' };
    expect(await reject(only(first, 1), how)).toEqual([ACK_STATUS_ACCEPTED]);
    const position = Number(first[0]?.event?.position);
    const [row, ...others] = await stored(consumer);
    expect(row).toMatchObject({ position, attempts: 1, code: 'NO_RELAY', reason: 'no relay', state: 1, parked_at: 0 });
    expect(row?.not_before_ms).toBeGreaterThanOrEqual(rejectedAt + 690);
    expect(others).toEqual([]);
    expect((await ack(only(first, 4))).results[0]?.status).toBe(ACK_STATUS_ACCEPTED);
    const again = (await subscriber.first(7)).slice(4);
    expect(Date.now()).toBeGreaterThanOrEqual(rejectedAt + 690);
    expect(again.map((one) => [numberOf(one), one.attempt])).toEqual([
      [1, 2],
      [2, 1],
      [3, 1],
    ]);
    await ack(again);
    expect(await stored(consumer)).toEqual([]);
  });

  it('backs off by attempt where no delay is named, as the consumer is set', async () => {
    const { subscribe, push, reject, consumer } = scene({
      retryBackoff: { initial: ms(50), max: ms(200), jitter: 0 },
    });
    await push(1);
    const subscriber = subscribe();
    for (const [index, delayMs] of [50, 100, 200, 200].entries()) {
      const delivery = (await subscriber.first(index + 1))[index] as Delivery;
      expect(delivery.attempt).toBe(index + 1);
      const before = Date.now();
      await reject([delivery], { verdict: VERDICT_RETRY });
      const after = Date.now();
      const notBefore = (await stored(consumer))[0]?.not_before_ms ?? 0;
      expect(notBefore).toBeGreaterThanOrEqual(before + delayMs - 5);
      expect(notBefore).toBeLessThanOrEqual(after + delayMs + 5);
    }
  });

  it('parks: the stream goes on, the reason is kept, and the offset passes', async () => {
    const { subscribe, push, reject, ack, get, consumer } = scene();
    const positions = await push(3, { stream: 'parked' });
    const subscriber = subscribe();
    const deliveries = await subscriber.first(3);
    const before = Date.now() * 1_000;
    const how = { verdict: VERDICT_PARK, reason: 'no such address:\n"nowhere" 🎉', code: 'BAD_ADDRESS' };
    expect(await reject(only(deliveries, 2), how)).toEqual([ACK_STATUS_ACCEPTED]);
    expect(await reject(only(deliveries, 2), how)).toEqual([ACK_STATUS_ALREADY]);
    const [row] = await stored(consumer);
    expect(row).toMatchObject({ attempts: 0, code: how.code, reason: how.reason, state: 2, not_before_ms: 0 });
    expect(row?.parked_at).toBeGreaterThanOrEqual(before - 5_000);
    expect(row?.parked_at).toBeLessThanOrEqual(Date.now() * 1_000 + 5_000);
    const { offset } = await ack([...only(deliveries, 1), ...only(deliveries, 3)]);
    expect(offset).toBeGreaterThanOrEqual(positions[2] ?? 0n);
    expect(await get()).toMatchObject({ parked: 1n, inFlight: 0, pending: 0n });
    const listed = await suite.client.consumers.listConsumers({ namePrefix: consumer });
    expect(listed.consumers.find(({ name }) => name === consumer)?.parked).toBe(1n);
  });

  it('skips: the event is done, and nothing is kept of it', async () => {
    const { subscribe, push, reject, get, consumer } = scene();
    const [position = 0n] = await push(1);
    const deliveries = await subscribe().first(1);
    expect(await reject(deliveries, { verdict: VERDICT_SKIP, reason: 'old' })).toEqual([ACK_STATUS_ACCEPTED]);
    expect((await get()).offset).toBeGreaterThanOrEqual(position);
    expect(await get()).toMatchObject({ parked: 0n, pending: 0n });
    expect(await stored(consumer)).toEqual([]);
    expect(await reject(deliveries, { verdict: VERDICT_RETRY })).toEqual([ACK_STATUS_ALREADY]);
  });

  it('answers as Acknowledge: accepted, already, stale, unknown; and takes lease 0 for what is current', async () => {
    const { subscribe, push, reject, consumer } = scene();
    await push(3);
    const former = subscribe({ member: 'former', maxInFlight: 2 });
    const [one, two] = (await former.first(2)) as [Delivery, Delivery];
    const [strange = 0n] = await push(1, { topic: 'of others' });
    const rejections = [
      ...acknowledgements([one, one]),
      { position: one.event?.position ?? 0n, lease: 1n << 62n },
      { position: strange, lease: 0n },
      { position: strange, lease: one.lease },
    ];
    expect(await reject([], { verdict: VERDICT_SKIP, rejections })).toEqual([
      ...[ACK_STATUS_ACCEPTED, ACK_STATUS_ALREADY, ACK_STATUS_UNKNOWN, ACK_STATUS_UNKNOWN, ACK_STATUS_UNKNOWN],
    ]);
    const next = subscribe({ member: 'next' });
    await next.opened();
    await former.cancel();
    const again = await next.first(1);
    await waitUntil(() => next.numbers.includes(2), { what: 'the second, at the next member' });
    expect(await reject([two], { verdict: VERDICT_PARK })).toEqual([ACK_STATUS_STALE]);
    const third = { position: two.event?.position ?? 0n, lease: 0n };
    expect(await reject([], { verdict: VERDICT_PARK, rejections: [third] })).toEqual([ACK_STATUS_ACCEPTED]);
    expect(again.length).toBeGreaterThan(0);
    expect((await stored(consumer))[0]).toMatchObject({ position: Number(third.position), state: 2 });
  });

  it('counts a delivery once, whoever repeats the call', async () => {
    const { subscribe, push, reject, consumer } = scene();
    await push(1);
    const subscriber = subscribe();
    const first = await subscriber.first(1);
    const how = { verdict: VERDICT_RETRY, delay: ms(400) };
    await Promise.all([reject(first, how), reject(first, how), reject(first, how)]);
    expect((await stored(consumer))[0]).toMatchObject({ attempts: 1 });
    const second = (await subscriber.first(2)).slice(1);
    expect(second[0]?.attempt).toBe(2);
    expect(await reject(first, how)).toEqual([ACK_STATUS_ALREADY]);
    expect((await stored(consumer))[0]).toMatchObject({ attempts: 1 });
  });

  it('delivers a rejected event alone where there is no order', async () => {
    const { subscribe, push, reject } = scene({ ordering: Ordering.ORDERING_NONE, ...SOON });
    await push(3, { stream: 'without order' });
    const subscriber = subscribe();
    await reject(only(await subscriber.first(3), 1), { verdict: VERDICT_RETRY });
    await subscriber.first(4);
    await push(1, { stream: 'without order' }, 4);
    expect((await subscriber.first(5)).map(numberOf)).toEqual([1, 2, 3, 1, 4]);
  });

  it('tells of verdicts and parked events in the metrics', async () => {
    const { subscribe, push, reject, consumer } = scene();
    await push(2);
    const value = (pattern: string) => metric(suite.server.httpAddress, new RegExp(`^${pattern} (\\d+)$`));
    const verdicts = () => value('madeleine_verdicts_total\\{verdict="park"\\}');
    const before = await verdicts();
    await reject(await subscribe().first(2), { verdict: VERDICT_PARK });
    expect(await verdicts()).toBe(before + 2);
    const parked = () => value(`madeleine_consumer_parked\\{context="default",consumer="${consumer}"\\}`);
    await waitUntil(async () => (await parked()) === 2, { what: 'the gauge of parked events' });
  });

  it('refuses what is wrong with a request, and changes nothing', async () => {
    const { push, subscribe, consumer, get } = scene();
    await push(1);
    const deliveries = await subscribe().first(1);
    const good = { consumer, rejections: acknowledgements(deliveries), verdict: VERDICT_RETRY };
    const refused = async (request: Partial<RejectRequest>) => {
      const { status, reason, fields } = await refusalOf(
        suite.client.consumers.reject(RejectRequest.fromPartial({ ...good, ...request })),
      );
      return `${status} ${reason} ${fields.join()}`;
    };
    const invalid = (field: string) => `INVALID_ARGUMENT FIELD_INVALID ${field}`;
    const [here] = acknowledgements(deliveries);
    const beyond = { position: 1n << 40n, lease: 1n };
    expect(await refused({ consumer: 'nobody' })).toBe('NOT_FOUND CONSUMER_UNKNOWN ');
    expect(await refused({ consumer: '' })).toBe(invalid('consumer'));
    expect(await refused({ rejections: [here as typeof beyond, beyond] })).toBe(
      'FAILED_PRECONDITION POSITION_BEYOND_HEAD rejections[1].position',
    );
    expect(await refused({ rejections: [] })).toBe(invalid('rejections'));
    expect(await refused({ rejections: Array(10_001).fill(here) })).toBe(invalid('rejections'));
    const three = Array(3).fill(here);
    expect(await refused({ rejections: [...three, { position: 0n, lease: 1n }] })).toBe(
      invalid('rejections[3].position'),
    );
    for (const verdict of [0, 4, 77]) expect(await refused({ verdict })).toBe(invalid('verdict'));
    for (const delay of [ms(86_400_001), { seconds: -1n, nanos: 0 }, { seconds: 0n, nanos: -1 }]) {
      expect(await refused({ delay })).toBe(invalid('delay'));
    }
    expect(await refused({ verdict: VERDICT_PARK, delay: AT_ONCE })).toBe(invalid('delay'));
    expect(await refused({ verdict: VERDICT_SKIP, delay: SECOND })).toBe(invalid('delay'));
    expect(await refused({ reason: 'ü'.repeat(513) })).toBe(invalid('reason'));
    expect(await refused({ code: 'x'.repeat(65) })).toBe(invalid('code'));
    expect(await refused({ code: 'A\nB' })).toBe(invalid('code'));
    expect(await stored(consumer)).toEqual([]);
    expect(await get()).toMatchObject({ inFlight: 1, parked: 0n });
    const atBounds = { delay: ms(86_400_000), reason: 'ü'.repeat(512), code: 'x'.repeat(64) };
    await suite.client.consumers.reject(RejectRequest.fromPartial({ ...good, ...atBounds }));
    expect(await stored(consumer)).toMatchObject([{ attempts: 1, reason: atBounds.reason, code: atBounds.code }]);
  });
});

describe('max_attempts', () => {
  it('parks what timed out so often', async () => {
    const { subscribe, push, get, consumer } = scene({ ackTimeout: SECOND, maxAttempts: 2 });
    await push(2, { stream: 'timed out' });
    const subscriber = subscribe();
    await subscriber.first(5);
    expect(subscriber.deliveries.map((one) => [numberOf(one), one.attempt])).toEqual([
      ...[1, 2].map((n) => [n, 1]),
      ...[
        [1, 2],
        [2, 1],
        [2, 1],
      ],
    ]);
    expect((await get()).parked).toBe(1n);
    const cause = { code: 'ACK_TIMEOUT', attempts: 2, state: 2 };
    expect((await stored(consumer))[0]).toMatchObject(cause);
    expect((await stored(consumer))[0]?.reason).toMatch(/^the member ".+" did not acknowledge it in time$/);
  });

  it('parks what was with so many lost members, which raise no attempt', async () => {
    const { subscribe, push, get, consumer } = scene({ maxAttempts: 3 });
    await push(2, { stream: 'crashes' });
    for (const member of ['a', 'b', 'c']) {
      const subscriber = subscribe({ member });
      expect((await subscriber.first(2)).map((one) => [numberOf(one), one.attempt])).toEqual([
        [1, 1],
        [2, 1],
      ]);
      await subscriber.cancel();
      await waitUntil(async () => (await get()).members.length === 0, { what: `${member} is gone` });
    }
    await waitUntil(async () => (await stored(consumer))[0]?.state === 2, { what: 'the first is parked' });
    const reason = 'the member "c" was lost while it had this event';
    expect(await stored(consumer)).toMatchObject([{ attempts: 0, losses: 3, code: 'MEMBER_LOST', reason }]);
    expect((await subscribe({ member: 'd' }).first(1)).map(numberOf)).toEqual([2]);
    expect((await get()).parked).toBe(1n);
  });

  it('parks what was rejected so often, with the last reason', async () => {
    const { subscribe, push, reject, get, consumer } = scene({ maxAttempts: 3, ...SOON });
    await push(2, { stream: 'rejected' });
    const subscriber = subscribe();
    for (const [index, at] of [0, 2, 4].entries()) {
      const delivery = (await subscriber.first(at + 1))[at] as Delivery;
      expect([numberOf(delivery), delivery.attempt]).toEqual([1, index + 1]);
      await subscriber.first(at + 2);
      await reject([delivery], { verdict: VERDICT_RETRY, reason: `no ${index + 1}` });
    }
    expect(numberOf((await subscriber.first(7))[6] as Delivery)).toBe(2);
    expect(await stored(consumer)).toMatchObject([{ attempts: 3, reason: 'no 3', state: 2 }]);
    expect((await get()).parked).toBe(1n);
  });

  it('has a poison event among ten thousand hold up its own stream only, until it is parked', async () => {
    const { subscribe, push, reject, ack, get, consumer } = scene({ maxAttempts: 3, ...SOON });
    const positions = await push(10_000, (n) => ({ stream: `poison-${n % 100}` }));
    const subscriber = subscribe({ maxInFlight: 1_000 });
    const POISON = 4_242;
    let [at, done, rejected] = [0, 0, 0];
    while (done < positions.length - 1 || rejected < 3) {
      await subscriber.first(at + 1);
      const fresh = subscriber.deliveries.slice(at);
      at += fresh.length;
      const poison = only(fresh, POISON);
      if (poison.length > 0) await reject(poison, { verdict: VERDICT_RETRY, code: 'POISON' });
      rejected += poison.length;
      // What came with the poison from its stream comes again after it.
      const others = fresh.filter((one) => numberOf(one) !== POISON);
      const { results } = await ack(others);
      done += results.filter(({ status }) => status === ACK_STATUS_ACCEPTED).length;
    }
    const attempts = only(subscriber.deliveries, POISON).map(({ attempt }) => attempt);
    expect(attempts).toEqual([1, 2, 3]);
    const view = await get();
    expect(view).toMatchObject({ parked: 1n, inFlight: 0, pending: 0n });
    expect(view.offset).toBeGreaterThanOrEqual(positions.at(-1) ?? 0n);
    const position = Number(positions[POISON - 1]);
    expect(await stored(consumer)).toMatchObject([{ position, attempts: 3, code: 'POISON', state: 2 }]);
  });
});
