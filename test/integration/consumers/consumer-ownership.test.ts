import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { type Acknowledgement, AckStatus, Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer({ advertise: 'first.example:50051' });
const scene = useScenes(suite);
const DRAINING = { status: 'UNAVAILABLE', reason: 'DRAINING', retryable: true };
const ELSEWHERE = {
  status: 'UNAVAILABLE',
  reason: 'OWNED_ELSEWHERE',
  metadata: { owner: 'first.example:50051' },
  retryable: true,
};

describe('consumer ownership', () => {
  const second = useServerBeside(suite, { advertise: 'second.example:50051' });

  const run = async (sql: string, values: unknown[]) => {
    const connection = await createConnection(suite.database.url);
    const [rows] = await connection.query(sql, values);
    await connection.end();
    return rows as Record<string, unknown>[];
  };

  it('answers calls for a consumer that another instance runs with its address', async () => {
    const { subscribe, refused, consumer, push } = scene();
    await push(1);
    const [delivery] = await subscribe().first(1);
    const { consumers } = second.client;
    expect(await refused({}, consumers)).toMatchObject(ELSEWHERE);
    expect(await refusalOf(consumers.fetch({ consumer }))).toMatchObject(ELSEWHERE);
    const acknowledge = { consumer, acknowledgements: acknowledgements([delivery as never]) };
    expect(await refusalOf(consumers.acknowledge(acknowledge))).toMatchObject(ELSEWHERE);
    const seek = { name: consumer, to: { at: { $case: 'latest' as const, value: {} } } };
    expect(await refusalOf(consumers.seekConsumer(seek))).toMatchObject(ELSEWHERE);
    expect(await refusalOf(consumers.updateConsumer({ name: consumer, updateMask: ['ordering'] }))).toMatchObject(
      ELSEWHERE,
    );
    expect(await refusalOf(consumers.deleteConsumer({ name: consumer }))).toMatchObject(ELSEWHERE);
  });

  it('shows the consumers of the other instance as they are stored', async () => {
    const { subscribe, consumer, push, ack } = scene();
    await push(3);
    const deliveries = await subscribe().first(3);
    const { offset } = await ack(deliveries.slice(0, 2));
    // The second instance learns of the events by its next look at the log.
    const last = deliveries.at(-1)?.event?.position ?? 0n;
    const seen = await waitUntil(
      async () => {
        const { consumer: view } = await second.client.consumers.getConsumer({ name: consumer });
        return view !== undefined && view.head >= last && view;
      },
      { what: 'the events to be seen' },
    );
    expect(seen).toMatchObject({ offset, pending: 1n, owner: 'first.example:50051' });
    expect(seen.activityCause).toContain('first.example:50051');
    const { consumers } = await second.client.consumers.listConsumers({ namePrefix: consumer });
    expect(consumers.find(({ name }) => name === consumer)).toMatchObject({ offset, owner: 'first.example:50051' });
  });

  it('goes to another instance when its lease ran out, and its former owner ends its members', async () => {
    const { subscribe, consumer, push, ack } = scene();
    await push(3);
    const former = subscribe();
    const deliveries = await former.first(3);
    await ack(deliveries.slice(0, 1));
    await run('UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 SECOND WHERE name = ?', [Buffer.from(consumer)]);
    const next = subscribe({}, second.client.consumers);
    expect((await next.first(2)).map(numberOf)).toEqual([2, 3]);
    expect((await next.opened()).consumer?.owner).toBe('second.example:50051');
    // The zombie learns it from its next write, and cannot move the offset.
    const zombie = await refusalOf(ack(deliveries.slice(1)));
    expect(zombie).toMatchObject({ status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE' });
    const ended = await refusalOf(former.end().then((error) => Promise.reject(error)));
    expect(ended).toMatchObject({ status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE', retryable: true });
    expect((await second.client.consumers.getConsumer({ name: consumer })).consumer).toMatchObject({ inFlight: 2 });
    const answer = await second.client.consumers.acknowledge({
      consumer,
      acknowledgements: acknowledgements(next.deliveries),
    });
    expect(answer.results.map(({ status }) => status)).toEqual(Array(2).fill(AckStatus.ACK_STATUS_ACCEPTED));
  });

  it('learns by renewing that it lost a consumer', async () => {
    const { subscribe, consumer } = scene();
    const former = subscribe();
    await former.opened();
    await run("UPDATE consumer SET owner = 'somebody', owner_epoch = owner_epoch + 1 WHERE name = ?", [
      Buffer.from(consumer),
    ]);
    const ended = await refusalOf(former.end().then((error) => Promise.reject(error)));
    expect(ended).toMatchObject({ reason: 'OWNED_ELSEWHERE' });
  });

  it('is renewed while it is run', async () => {
    const { subscribe, consumer } = scene();
    await subscribe().opened();
    const name = [Buffer.from(consumer)];
    const [before] = await run('SELECT lease_until FROM consumer WHERE name = ?', name);
    await waitUntil(
      async () =>
        (await run('SELECT lease_until > ? AS later FROM consumer WHERE name = ?', [before?.lease_until, ...name]))[0]
          ?.later,
      { what: 'a later end of the lease' },
    );
  });

  it('creates one consumer when two instances create it at once', async () => {
    const { consumer } = scene();
    const request = { name: consumer };
    const answers = await Promise.all([
      suite.client.consumers.createConsumer(request),
      second.client.consumers.createConsumer(request),
    ]);
    expect(answers[0].consumer?.createdAt).toEqual(answers[1].consumer?.createdAt);
  });
});

describe('draining', () => {
  it('tells members to go, takes their last acknowledgements, and lets go of the consumers at once', async () => {
    const { subscribe, push, consumer } = scene();
    await push(3);
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '4000' });
    const client = new TestClient(server.address);
    const subscriber = subscribe({ maxInFlight: 2 }, client.consumers);
    const deliveries = await subscriber.first(2);
    const stopped = server.stop();
    await subscriber.frame('goingAway');
    expect(await refusalOf(subscriber.end().then((error) => Promise.reject(error)))).toMatchObject(DRAINING);
    for (const delivery of deliveries) {
      const { results } = await client.consumers.acknowledge({
        consumer,
        acknowledgements: acknowledgements([delivery]),
      });
      expect(results.map(({ status }) => status)).toEqual([AckStatus.ACK_STATUS_ACCEPTED]);
    }
    await stopped;
    client.close();
    const next = subscribe();
    expect((await next.first(1)).map(numberOf)).toEqual([3]);
    expect(next.numbers).toEqual([3]);
  });

  it('takes rejections and extensions in its last seconds, and waits for nothing that was given back', async () => {
    const { push, subscribe, consumer } = scene();
    await push(3);
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '5000' });
    const client = new TestClient(server.address);
    const subscriber = subscribe({}, client.consumers);
    const [first, second, third] = acknowledgements(await subscriber.first(3)) as [
      Acknowledgement,
      Acknowledgement,
      Acknowledgement,
    ];
    const startedAt = performance.now();
    const stopped = server.stop();
    await subscriber.frame('goingAway');
    const reject = async (rejections: Acknowledgement[], verdict: Verdict) =>
      (await client.consumers.reject({ consumer, rejections, verdict })).results.map(({ status }) => status);
    expect(await reject([first], Verdict.VERDICT_RETRY)).toEqual([AckStatus.ACK_STATUS_ACCEPTED]);
    const extension = { seconds: 30n, nanos: 0 };
    const { results } = await client.consumers.extendAckDeadline({ consumer, positions: [second], extension });
    expect(results.map(({ status }) => status)).toEqual([AckStatus.ACK_STATUS_ACCEPTED]);
    const unknown = client.consumers.reject({ consumer: 'not here', rejections: [first], verdict: 1 });
    expect(await refusalOf(unknown)).toMatchObject({ reason: 'DRAINING' });
    expect(await reject([second], Verdict.VERDICT_SKIP)).toEqual([AckStatus.ACK_STATUS_ACCEPTED]);
    expect(await reject([third], Verdict.VERDICT_PARK)).toEqual([AckStatus.ACK_STATUS_ACCEPTED]);
    await stopped;
    expect(performance.now() - startedAt).toBeLessThan(4_500);
    client.close();
    expect((await subscribe().first(1)).map(({ attempt, event }) => [event?.position, attempt])).toEqual([
      [first.position, 2],
    ]);
  });

  it('leaves events the time that their member asked for: it goes on working', async () => {
    const { push, subscribe, consumer, ackStatuses } = scene();
    await push(2);
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '200' });
    const client = new TestClient(server.address);
    const subscriber = subscribe({}, client.consumers);
    const [extended] = acknowledgements(await subscriber.first(2)) as [Acknowledgement];
    const extension = { seconds: 300n, nanos: 0 };
    await client.consumers.extendAckDeadline({ consumer, positions: [extended], extension });
    await server.stop();
    client.close();
    const next = subscribe();
    expect((await next.first(1)).map(numberOf)).toEqual([2]);
    await push(1, {}, 3);
    expect((await next.first(2)).map(numberOf)).toEqual([2, 3]);
    expect(await ackStatuses([extended])).toEqual([AckStatus.ACK_STATUS_ACCEPTED]);
  });

  it('takes the last acknowledgements of callers of Fetch too, and sends those who wait away', async () => {
    const { push, consumer, settings, subscribe } = scene();
    await push(3);
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '4000' });
    const client = new TestClient(server.address);
    const { deliveries } = await client.consumers.fetch({ consumer, settings, limit: 2 });
    const idle = client.consumers.fetch({
      consumer: `${consumer}-idle`,
      settings: { filter: { topics: ['never pushed'] } },
      wait: { seconds: 30n, nanos: 0 },
    });
    const waiting = refusalOf(idle);
    await waitUntil(
      async () => {
        const { consumers } = await client.consumers.listConsumers({ namePrefix: `${consumer}-idle` });
        return (consumers[0]?.owner ?? '') !== '';
      },
      { what: 'the consumer is run' },
    );
    const stopped = server.stop();
    expect(await waiting).toMatchObject(DRAINING);
    const { results } = await client.consumers.acknowledge({
      consumer,
      acknowledgements: acknowledgements(deliveries),
    });
    expect(results.map(({ status }) => status)).toEqual(Array(2).fill(AckStatus.ACK_STATUS_ACCEPTED));
    await stopped;
    client.close();
    expect((await subscribe().first(1)).map(numberOf)).toEqual([3]);
  });

  it('takes no new members and keeps ephemeral consumers for whoever comes back', async () => {
    const { subscribe, refused, get, push } = scene({ ephemeral: true });
    await push(1);
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '3000' });
    const client = new TestClient(server.address);
    const subscriber = subscribe({}, client.consumers);
    await subscriber.first(1);
    const stopped = server.stop();
    await subscriber.frame('goingAway');
    expect(await refused({ member: 'late' }, client.consumers)).toMatchObject({ reason: 'DRAINING', retryable: true });
    await subscriber.cancel();
    await stopped;
    client.close();
    expect((await get()).owner).toBe('');
    await subscribe().first(1);
  });
});
