// Consumers that people pause and resume, through gRPC and the command line; also over a restart, on two instances and over a take-over.

import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import {
  AckStatus,
  type Consumer,
  ConsumerActivity,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer({ advertise: 'first.example:50051' });
const scene = useScenes(suite);

const { CONSUMER_ACTIVITY_PAUSED: PAUSED, CONSUMER_ACTIVITY_IDLE: IDLE } = ConsumerActivity;
const { ACK_STATUS_ACCEPTED: ACCEPTED } = AckStatus;
const WHY = { reason: 'the relay moves', by: 'anna' };
const SECONDS = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });

const consumers = () => suite.client.consumers;
const pause = async (consumer: string, why: object = WHY): Promise<Consumer | undefined> =>
  (await consumers().pauseConsumer({ consumer, ...why })).consumer;
const resume = async (consumer: string): Promise<Consumer | undefined> =>
  (await consumers().resumeConsumer({ consumer, by: 'bob' })).consumer;

describe('pausing a consumer', () => {
  it('holds up what is new; its subscriber stays, is told, and goes on in order', async () => {
    const { consumer, subscribe, push, ack, get } = scene();
    await push(2);
    const subscriber = subscribe();
    await ack(await subscriber.first(2));
    const paused = await pause(consumer);
    expect(paused).toMatchObject({
      ...{ activity: PAUSED, activityCause: 'paused by anna: the relay moves', pause: WHY, memberCount: 1 },
      ...{ activitySince: paused?.pause?.pausedAt, mendCommand: `madeleine consumers resume ${consumer}` },
    });
    await push(3, {}, 3);
    await waitUntil(async () => (await get()).pending === 3n, { what: 'the events are seen' });
    expect(await get()).toMatchObject({ activity: PAUSED, inFlight: 0, pause: paused?.pause });
    expect((await subscriber.frame('heartbeat')).pause).toEqual(paused?.pause);
    const late = subscribe({ member: 'late' });
    expect((await late.opened()).consumer).toMatchObject({ activity: PAUSED, pause: paused?.pause });
    expect(subscriber.numbers).toEqual([1, 2]);
    await late.cancel();
    const resumed = await resume(consumer);
    expect(resumed?.pause).toBeUndefined();
    expect((await subscriber.first(5)).map(numberOf)).toEqual([1, 2, 3, 4, 5]);
    await waitUntil(() => subscriber.frames.filter(({ $case }) => $case === 'heartbeat').length === 2, {
      what: 'the end of the pause is told',
    });
    expect(subscriber.frames.findLast(({ $case }) => $case === 'heartbeat')).toMatchObject({
      value: { pause: undefined },
    });
  });

  it('takes acknowledgements, rejections and extensions of what is in flight, and delivers none of it again', async () => {
    const { consumer, subscribe, push, ackStatuses, reject, get } = scene({ ackTimeout: SECONDS(1) });
    const positions = await push(5);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(5);
    await pause(consumer);
    const [first, second, third, fourth] = deliveries.map((delivery) => [delivery]);
    expect(await ackStatuses(acknowledgements(first ?? []))).toEqual([ACCEPTED]);
    expect(await reject(second ?? [], { verdict: Verdict.VERDICT_RETRY, delay: SECONDS(0) })).toEqual([ACCEPTED]);
    expect(await reject(third ?? [], { verdict: Verdict.VERDICT_SKIP })).toEqual([ACCEPTED]);
    const extended = await consumers().extendAckDeadline({
      ...{ consumer, positions: acknowledgements(fourth ?? []), extension: SECONDS(5) },
    });
    expect(extended.results).toMatchObject([{ status: ACCEPTED }]);
    // The fifth one's time runs out.
    await waitUntil(async () => (await get()).inFlight === 1, { what: 'one is in flight, as it was extended' });
    expect(await ackStatuses(acknowledgements(fourth ?? []))).toEqual([ACCEPTED]);
    expect(await get()).toMatchObject({ activity: PAUSED, inFlight: 0, parked: 0n, offset: positions[0] });
    expect(subscriber.deliveries).toHaveLength(5);
    await resume(consumer);
    const again = (await subscriber.first(7)).slice(5);
    expect(again.map((delivery) => [numberOf(delivery), delivery.attempt])).toEqual([
      [2, 2],
      [5, 2],
    ]);
    expect(await ackStatuses(acknowledgements(again))).toEqual([ACCEPTED, ACCEPTED]);
  });

  it('has a fetch wait on, and answers one that does not wait with nothing', async () => {
    const { consumer, fetch, push, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    await pause(consumer);
    const waiting = fetch({ wait: SECONDS(30) });
    await push(2);
    expect((await fetch({ member: 'other' })).deliveries).toEqual([]);
    const began = performance.now();
    expect((await fetch({ member: 'short', wait: SECONDS(1) })).deliveries).toEqual([]);
    expect(performance.now() - began).toBeGreaterThan(900);
    await resume(consumer);
    expect((await waiting).deliveries.map(numberOf)).toEqual([1, 2]);
  });

  it('has parked events that are replayed wait too', async () => {
    const { consumer, subscribe, push, reject, get } = scene();
    const positions = await push(1);
    const subscriber = subscribe();
    await reject(await subscriber.first(1), { verdict: Verdict.VERDICT_PARK });
    await pause(consumer);
    expect(await consumers().replayParkedEvents({ consumer, positions })).toMatchObject({ replayed: 1n });
    expect(await get()).toMatchObject({ activity: PAUSED, parked: 0n });
    expect(subscriber.deliveries).toHaveLength(1);
    await resume(consumer);
    expect((await subscriber.first(2))[1]).toMatchObject({ replay: true, attempt: 1 });
  });

  it('stays as it was when it is asked for again; ending none is no error', async () => {
    const { consumer, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    expect((await resume(consumer))?.pause).toBeUndefined();
    const first = await pause(consumer);
    const second = await pause(consumer, { reason: 'another one', by: 'carl' });
    expect(second?.pause).toEqual(first?.pause);
    expect((await resume(consumer))?.pause).toBeUndefined();
    expect((await resume(consumer))?.pause).toBeUndefined();
    const nameless = await pause(consumer, {});
    expect(nameless).toMatchObject({ activityCause: 'nobody said why', pause: { by: '', reason: '' } });
  });

  it('leaves an entry of the audit, and its end another one; what changes nothing leaves none', async () => {
    const { consumer, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    await resume(consumer);
    await pause(consumer);
    await pause(consumer, { by: 'carl' });
    await resume(consumer);
    await resume(consumer);
    const { events } = await suite.client.events.listEvents({
      filter: { topics: ['madeleine.audit'] },
      pageSize: 1_000,
    });
    const entries = events
      .map(({ payload }) => payload?.body?.value as { consumer?: string })
      .filter((entry) => entry.consumer === consumer)
      .slice(1);
    expect(entries).toEqual([
      {
        call: 'PauseConsumer',
        by: 'anna',
        context: 'default',
        consumer,
        before: { pause: null },
        after: { pause: WHY },
      },
      {
        call: 'ResumeConsumer',
        by: 'bob',
        context: 'default',
        consumer,
        before: { pause: WHY },
        after: { pause: null },
      },
    ]);
  });

  it('leaves seek, update and delete possible', async () => {
    const { consumer, subscribe, push, get } = scene();
    const positions = await push(3);
    const subscriber = subscribe();
    await subscriber.first(3);
    await pause(consumer);
    const to = { at: { $case: 'afterPosition' as const, value: positions[1] ?? 0n } };
    await consumers().seekConsumer({ name: consumer, to });
    await consumers().updateConsumer({
      name: consumer,
      settings: { maxAttempts: 3 } as never,
      updateMask: ['max_attempts'],
    });
    expect(await get()).toMatchObject({ activity: PAUSED, offset: positions[1], settings: { maxAttempts: 3 } });
    expect(subscriber.deliveries).toHaveLength(3);
    await consumers().deleteConsumer({ name: consumer });
    expect(await refusalOf(subscriber.end().then((error) => Promise.reject(error)))).toMatchObject({
      reason: 'CONSUMER_UNKNOWN',
    });
    // One that is created anew is not paused.
    const { consumer: anew } = await consumers().createConsumer({ name: consumer });
    expect(anew?.pause).toBeUndefined();
  });

  it('is refused for what there is not, and for what is too long, and changes nothing then', async () => {
    const { consumer, settings } = scene();
    const unknown = { status: 'NOT_FOUND', reason: 'CONSUMER_UNKNOWN' };
    expect(await refusalOf(consumers().pauseConsumer({ consumer }))).toMatchObject(unknown);
    expect(await refusalOf(consumers().resumeConsumer({ consumer }))).toMatchObject(unknown);
    await consumers().createConsumer({ name: consumer, settings });
    const invalid = (field: string) => ({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] });
    const refused = async (why: object) => refusalOf(consumers().pauseConsumer({ consumer, ...why }));
    expect(await refused({ reason: 'x'.repeat(1_025) })).toMatchObject(invalid('reason'));
    expect(await refused({ by: 'ü'.repeat(128) })).toMatchObject(invalid('by'));
    expect(await refused({ by: 'an\nna' })).toMatchObject(invalid('by'));
    expect(await refusalOf(consumers().pauseConsumer({ consumer: '' }))).toMatchObject(invalid('consumer'));
    expect(await refusalOf(consumers().resumeConsumer({ consumer, by: 'x'.repeat(256) }))).toMatchObject(invalid('by'));
    expect((await consumers().getConsumer({ name: consumer })).consumer?.pause).toBeUndefined();
    const longest = { reason: `${'x'.repeat(1_020)}🎉`, by: 'ü'.repeat(127) };
    expect((await pause(consumer, longest))?.pause).toMatchObject(longest);
  });

  it('is shown, ended and explained on the command line', async () => {
    const { consumer, settings, push, get } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });
    const paused = await cli('consumers', 'pause', consumer, '--reason', 'the relay moves', '--by', 'anna');
    expect(paused).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/STATE +paused: paused by anna: the relay moves\n/),
    });
    expect(paused.stdout).toMatch(/PAUSED AT +\d{4}-\S+Z\n/);
    const { stdout: explained } = await cli('consumers', 'explain', consumer);
    const [state, ...sentences] = explained.trimEnd().split('\n');
    expect(state).toMatch(/^Consumer \S+ is paused since \S+Z: paused by anna: the relay moves\.$/);
    expect(sentences.at(-1)).toBe(`To mend it: madeleine consumers resume ${consumer}`);
    const subscribed = cli('subscribe', consumer, '--count', '1');
    await waitUntil(async () => (await get()).memberCount === 1, { what: 'the command subscribes' });
    const { stdout: list } = await cli('consumers', 'list', '--prefix', consumer);
    expect(list).toMatch(/ paused .* {2}paused by anna: the relay moves\n/);
    const json = ndjson((await cli('consumers', 'resume', consumer, '--json')).stdout);
    expect(json).toMatchObject([{ name: consumer }]);
    expect(json[0]).not.toHaveProperty('pause');
    await push(1);
    expect((await subscribed).stderr).toMatch(
      /^madeleine: the consumer is paused since \S+Z by anna: the relay moves; nothing comes .*\nmadeleine: .* resumed\n$/,
    );
  });
});

describe('a pause that is stored', () => {
  const second = useServerBeside(suite, { advertise: 'second.example:50051' });

  it('is known to other instances, and ended by the one that runs the consumer', async () => {
    const { consumer, subscribe } = scene();
    await subscribe().opened();
    const paused = await pause(consumer);
    const { consumer: elsewhere } = await second.client.consumers.getConsumer({ name: consumer });
    expect(elsewhere).toMatchObject({
      ...{ activity: PAUSED, activityCause: 'paused by anna: the relay moves', pause: paused?.pause },
      ...{ activitySince: paused?.activitySince, owner: 'first.example:50051' },
      mendCommand: `madeleine consumers resume --server first.example:50051 ${consumer}`,
    });
    const owned = { status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE', metadata: { owner: 'first.example:50051' } };
    expect(await refusalOf(second.client.consumers.pauseConsumer({ consumer }))).toMatchObject(owned);
    expect(await refusalOf(second.client.consumers.resumeConsumer({ consumer }))).toMatchObject(owned);
  });

  it('goes with the consumer when another instance takes it over', async () => {
    const { consumer, subscribe, push } = scene();
    const former = subscribe();
    await former.opened();
    await pause(consumer);
    await push(2);
    const connection = await createConnection(suite.database.url);
    const expire = 'UPDATE consumer SET lease_until = NOW(6) - INTERVAL 1 SECOND WHERE name = ?';
    await connection.query(expire, [Buffer.from(consumer)]);
    await connection.end();
    const next = subscribe({}, second.client.consumers);
    expect((await next.opened()).consumer).toMatchObject({
      activity: PAUSED,
      pause: WHY,
      owner: 'second.example:50051',
    });
    // Its former owner cannot end it any more.
    expect(await refusalOf(consumers().resumeConsumer({ consumer }))).toMatchObject({ reason: 'OWNED_ELSEWHERE' });
    expect(next.deliveries).toEqual([]);
    await second.client.consumers.resumeConsumer({ consumer });
    expect((await next.first(2)).map(numberOf)).toEqual([1, 2]);
  });

  it('outlasts the server', async () => {
    const { consumer, subscribe, push, settings } = scene();
    await push(2);
    const server = await startServer({ databaseUrl: suite.database.url });
    const client = new TestClient(server.address);
    await client.consumers.createConsumer({ name: consumer, settings });
    await client.consumers.pauseConsumer({ consumer, ...WHY });
    client.close();
    await server.stop();
    const { consumer: stored } = await consumers().getConsumer({ name: consumer });
    expect(stored).toMatchObject({ activity: PAUSED, pause: WHY, owner: '' });
    const subscriber = subscribe();
    expect((await subscriber.opened()).consumer).toMatchObject({ activity: PAUSED, pause: WHY });
    expect(subscriber.deliveries).toEqual([]);
    const resumed = await resume(consumer);
    expect(resumed?.activity).not.toBe(PAUSED);
    expect((await subscriber.first(2)).map(numberOf)).toEqual([1, 2]);
    await consumers().acknowledge({ consumer, acknowledgements: acknowledgements(subscriber.deliveries) });
    expect((await consumers().getConsumer({ name: consumer })).consumer?.activity).toBe(IDLE);
  });
});
