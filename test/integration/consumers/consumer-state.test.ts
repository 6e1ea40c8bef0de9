// Why a consumer does or does not deliver: each state with since when, its cause and the command that mends it, wherever a consumer is
// shown. The commands are run as they are shown.

import { describe, expect, it } from 'vitest';
import { type Consumer, ConsumerActivity, Verdict } from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements, type ConsumerClient, pushNumbers } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from '../cli/cli-run.js';

const suite = useServer({ advertise: 'first.example:50051' });
const scene = useScenes(suite);

const {
  CONSUMER_ACTIVITY_IDLE: IDLE,
  CONSUMER_ACTIVITY_DELIVERING: DELIVERING,
  CONSUMER_ACTIVITY_WAITING_FOR_ACKS: WAITING_FOR_ACKS,
  CONSUMER_ACTIVITY_BLOCKED_BY_RETRY: BLOCKED_BY_RETRY,
  CONSUMER_ACTIVITY_NO_MEMBER: NO_MEMBER,
  CONSUMER_ACTIVITY_DRAINING: DRAINING,
  CONSUMER_ACTIVITY_OWNED_ELSEWHERE: OWNED_ELSEWHERE,
} = ConsumerActivity;

/** What is said of a consumer's state; without how old things are, which differs from look to look. */
function stateOf(consumer: Consumer | undefined) {
  const { activity, activityCause, activitySince, blockedPosition, blockedUntil, mendCommand } = consumer ?? {};
  return { activity, activityCause, activitySince, blockedPosition, blockedUntil, mendCommand };
}

/** The consumer as GetConsumer shows it, which ListConsumers does alike. */
async function shown(name: string, consumers: ConsumerClient = suite.client.consumers): Promise<Consumer> {
  const { consumer } = await consumers.getConsumer({ name });
  const { consumers: listed } = await consumers.listConsumers({ namePrefix: name });
  const ofList = listed.find((one) => one.name === name);
  expect(stateOf(ofList)).toEqual(stateOf(consumer));
  expect(ofList?.lagTime).toBeDefined();
  expect(consumer?.lagTime).toBeDefined();
  if (consumer === undefined) throw new Error('an answer without a consumer');
  return consumer;
}

function until(name: string, activity: ConsumerActivity, consumers?: ConsumerClient): Promise<Consumer> {
  return waitUntil(
    async () => {
      const consumer = await shown(name, consumers);
      return consumer.activity === activity && consumer;
    },
    { what: `${name} is in state ${ConsumerActivity[activity]}` },
  );
}

const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

/** What the command line says: the cell of the list, the field of `get`, and the sentences. */
async function told(name: string, server = suite.server.address) {
  const { stdout: list } = await runToEnd(['consumers', 'list', '--prefix', name], { server });
  const { stdout: get } = await runToEnd(['consumers', 'get', name], { server });
  const { stdout: explained, code } = await runToEnd(['consumers', 'explain', name], { server });
  expect(code).toBe(0);
  const { stdout: json } = await runToEnd(['consumers', 'explain', name, '--json'], { server });
  expect(ndjson(json)[0]).toMatchObject({ consumer: { name }, explanation: expect.any(Array) });
  return {
    list: list.split('\n').find((line) => line.split(/ +/)[1] === name) ?? '',
    get: Object.fromEntries(get.split('\n').map((line) => line.split(/ {2,}/))) as Record<string, string>,
    sentences: explained.trimEnd().split('\n'),
  };
}

/** Runs the command that mends a consumer, as it is shown. */
async function mend({ mendCommand }: Consumer): Promise<void> {
  const [program, ...argv] = mendCommand.split(' ');
  expect(program).toBe('madeleine');
  expect(await cli(...argv)).toMatchObject({ code: 0 });
}

const msOf = (time: { readonly seconds: bigint; readonly nanos: number } | undefined) =>
  Number(time?.seconds ?? Number.NaN) * 1_000 + (time?.nanos ?? 0) / 1e6;

describe('the state of a consumer', () => {
  it('is idle while there is nothing new', async () => {
    const beganMs = Date.now();
    const { consumer, subscribe, push } = scene();
    await subscribe({ member: 'ada' }).opened();
    await waitUntil(async () => (await shown(consumer)).lag === 0n, { what: 'the entry of the audit is passed' });
    const subscriber = subscribe({ member: 'ada' });
    const { consumer: opened } = await subscriber.opened();
    expect(opened).toMatchObject({ activity: IDLE, mendCommand: '', lagTime: { seconds: 0n, nanos: 0 } });
    const idle = await shown(consumer);
    expect(idle).toMatchObject({ activity: IDLE, blockedPosition: 0n, lagTime: { seconds: 0n, nanos: 0 } });
    expect(idle.blockedUntil).toBeUndefined();
    expect(msOf(idle.activitySince)).toBeGreaterThanOrEqual(beganMs);
    // It is the same however often one looks, and whatever comes that does not concern it.
    await push(5, { topic: 'of others' });
    await waitUntil(async () => (await shown(consumer)).lag === 0n, { what: 'the others are passed' });
    expect((await shown(consumer)).activitySince).toEqual(idle.activitySince);
    const [member] = idle.members;
    expect(member).toMatchObject({ name: 'ada', address: expect.stringMatching(/^(127\.0\.0\.1|\[::1\]):\d+$/) });
    expect(member?.answeredAt).toBeUndefined();
    const { list, get, sentences } = await told(consumer);
    expect(list).toMatch(/ idle .* {2}everything is acknowledged and there is nothing new$/);
    expect(get).toMatchObject({ STATE: 'idle: everything is acknowledged and there is nothing new', 'MENDED BY': '-' });
    expect(sentences[0]).toMatch(
      /^Consumer \S+ is idle since \S+Z: everything is acknowledged and there is nothing new\.$/,
    );
    expect(sentences[2]).toMatch(/^Member ada at \S+:\d+ has 0 of 100 events in flight, and has not answered yet\.$/);
    expect(sentences).toHaveLength(3);
  });

  it('is delivering while events are on their way, and says when members answered', async () => {
    const { consumer, subscribe, push, ack } = scene();
    const [first] = await push(2);
    const subscriber = subscribe({ member: 'ada' });
    const deliveries = await subscriber.first(2);
    const delivering = await shown(consumer);
    const cause = '2 events are in flight';
    expect(delivering).toMatchObject({ activity: DELIVERING, activityCause: cause, oldestUnacknowledged: first });
    expect(msOf(delivering.lagTime)).toBeGreaterThan(0);
    expect((await subscribe({ member: 'bob' }).opened()).consumer).toMatchObject({
      ...{ activity: DELIVERING, mendCommand: '', activitySince: delivering.activitySince },
    });
    const { list, sentences } = await told(consumer);
    expect(list).toMatch(/ delivering /);
    expect(sentences[0]).toMatch(/ is delivering since \S+Z: 2 events are in flight\.$/);
    expect(sentences[1]).toMatch(/: 2 matching events are left; the next event is \d+s old\.$/);
    expect(sentences[2]).toBe(`2 events are in flight; position ${first} is the oldest that is not acknowledged.`);
    const answeredMs = Date.now();
    await ack(deliveries);
    const idle = await until(consumer, IDLE);
    expect(msOf(idle.activitySince)).toBeGreaterThanOrEqual(Math.floor(answeredMs));
    expect(Math.abs(msOf(idle.members[0]?.answeredAt) - msOf(idle.activitySince))).toBeLessThan(1_000);
    expect(idle.members[1]?.answeredAt).toBeUndefined();
  });

  it('waits for acknowledgements when all credit is used; acknowledging mends it', async () => {
    const { consumer, subscribe, push } = scene();
    const [first = 0n] = await push(2);
    const subscriber = subscribe({ maxInFlight: 1 });
    await subscriber.first(1);
    const waiting = await shown(consumer);
    expect(waiting).toMatchObject({
      ...{ activity: WAITING_FOR_ACKS, activityCause: 'all credit is used by 1 event in flight' },
      ...{ mendCommand: `madeleine ack ${consumer} ${first}`, blockedPosition: 0n },
    });
    const { get, sentences } = await told(consumer);
    expect(get).toMatchObject({
      STATE: expect.stringMatching(/^waiting-for-acks: /),
      'MENDED BY': waiting.mendCommand,
    });
    expect(sentences.at(-1)).toBe(`To mend it: madeleine ack ${consumer} ${first}`);
    await mend(waiting);
    await subscriber.first(2);
  });

  it('waits for acknowledgements while callers of Fetch hold events and nobody asks for more; a subscriber mends it', async () => {
    const { consumer, fetch, push } = scene();
    const positions = await push(2);
    const { deliveries } = await fetch({ limit: 2 });
    await suite.client.consumers.acknowledge({ consumer, acknowledgements: acknowledgements(deliveries) });
    await push(1);
    const waiting = await until(consumer, WAITING_FOR_ACKS);
    expect(waiting).toMatchObject({
      ...{ activityCause: 'no member asks for events', mendCommand: `madeleine subscribe ${consumer}` },
      ...{ offset: positions[1], members: [{ address: expect.stringMatching(/:\d+$/) }] },
    });
    const [, ...argv] = waiting.mendCommand.split(' ');
    const mending = new RunningCli(argv, { server: suite.server.address });
    await waitUntil(() => mending.lines.length === 1, { what: 'the event is delivered' });
    mending.interrupt();
    await mending.ended();
  });

  it('is blocked by a retry until its time; parking the event mends it', async () => {
    const { consumer, subscribe, push, reject } = scene();
    const [position = 0n] = await push(1);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(1);
    const rejectedMs = Date.now();
    await reject(deliveries, { verdict: Verdict.VERDICT_RETRY, delay: { seconds: 600n, nanos: 0 } });
    const blocked = await until(consumer, BLOCKED_BY_RETRY);
    expect(blocked).toMatchObject({
      ...{ blockedPosition: position, mendCommand: `madeleine reject ${consumer} ${position} --park` },
      activityCause: expect.stringMatching(new RegExp(`^position ${position} is tried again in (599|600) s$`)),
    });
    expect(msOf(blocked.activitySince)).toBeGreaterThanOrEqual(Math.floor(rejectedMs));
    expect(Math.abs(msOf(blocked.blockedUntil) - msOf(blocked.activitySince) - 600_000)).toBeLessThan(1_000);
    expect((await shown(consumer)).blockedUntil).toEqual(blocked.blockedUntil);
    const { consumer: opened } = await subscribe({ member: 'bob' }).opened();
    expect(opened).toMatchObject({ ...stateOf(blocked), activityCause: expect.stringContaining('is tried again in') });
    const { list, get, sentences } = await told(consumer);
    expect(list).toMatch(/ blocked-by-retry .* {2}position \d+ is tried again in \d+ s$/);
    expect(get['BLOCKED UNTIL']).toMatch(/Z$/);
    expect(sentences[0]).toMatch(/ is blocked since \S+Z: position \d+ is tried again in \d+ s\.$/);
    expect(sentences[1]).toBe(`Position ${position} is delivered again at ${get['BLOCKED UNTIL']}.`);
    await mend(blocked);
    expect(await until(consumer, IDLE)).toMatchObject({ parked: 1n });
    expect((await told(consumer)).sentences).toContain('1 event is parked.');
  });

  it('is blocked by a position after which too much is acknowledged', async () => {
    const { consumer, subscribe, push } = scene();
    const positions = await push(20_010);
    const subscriber = subscribe({ maxInFlight: 65_536, maxInFlightBytes: 64n * 1024n * 1024n });
    const deliveries = await subscriber.first(20_010);
    // Every other one: 10,004 ranges above the offset.
    const others = deliveries.filter((_, n) => n % 2 === 1).slice(0, 10_004);
    for (let at = 0; at < others.length; at += 5_000) {
      const some = acknowledgements(others.slice(at, at + 5_000));
      await suite.client.consumers.acknowledge({ consumer, acknowledgements: some });
    }
    const blocked = await until(consumer, BLOCKED_BY_RETRY);
    expect(blocked).toMatchObject({
      activityCause: `too much is acknowledged after position ${positions[0]}, which is not`,
      ...{ blockedPosition: positions[0], mendCommand: `madeleine reject ${consumer} ${positions[0]} --park` },
    });
    expect(blocked.blockedUntil).toBeUndefined();
    expect((await subscribe({ member: 'bob' }).opened()).consumer).toMatchObject(stateOf(blocked));
    expect((await told(consumer)).sentences[0]).toMatch(
      / is blocked since \S+Z: too much is acknowledged after position /,
    );
    // It is no longer the first one then, but the next one is.
    await mend(blocked);
    expect(await shown(consumer)).toMatchObject({ offset: positions[1], blockedPosition: positions[2] });
    await suite.client.consumers.acknowledge({ consumer, upTo: positions.at(-1) });
    await until(consumer, IDLE);
  });

  it('has no member: nobody subscribed ever, or any more; subscribing mends it', async () => {
    const { consumer, settings, subscribe, push } = scene();
    await suite.client.consumers.createConsumer({ name: consumer, settings });
    const never = await shown(consumer);
    const mendCommand = `madeleine subscribe ${consumer}`;
    expect(never).toMatchObject({ activity: NO_MEMBER, activityCause: 'nobody is subscribed', mendCommand, owner: '' });
    expect(never.activitySince).toBeUndefined();
    await push(1);
    // Of one that nobody runs, the age is told by what is stored.
    expect(msOf((await shown(consumer)).lagTime)).toBeGreaterThan(0);
    const subscriber = subscribe();
    await subscriber.first(1);
    const leftMs = Date.now();
    await subscriber.cancel();
    const left = await until(consumer, NO_MEMBER);
    expect(left).toMatchObject({ activityCause: 'nobody is subscribed', mendCommand, owner: 'first.example:50051' });
    expect(msOf(left.activitySince)).toBeGreaterThanOrEqual(Math.floor(leftMs));
    const { list, sentences } = await told(consumer);
    expect(list).toMatch(/ no-member .* {2}nobody is subscribed$/);
    expect(sentences[0]).toMatch(/ has no member since \S+Z: nobody is subscribed\.$/);
    const mending = new RunningCli(left.mendCommand.split(' ').slice(1), { server: suite.server.address });
    await waitUntil(() => mending.lines.length === 1, { what: 'the event is delivered' });
    mending.interrupt();
    await mending.ended();
  });

  it('drains while its server stops', async () => {
    const { subscribe, push, consumer } = scene();
    await push(2);
    const server = await startServer({
      ...{ databaseUrl: suite.database.url, drainMs: '4000', advertise: 'leaving.example:1' },
    });
    const client = new TestClient(server.address);
    const subscriber = subscribe({}, client.consumers);
    const deliveries = await subscriber.first(2);
    const stopped = server.stop();
    await subscriber.frame('goingAway');
    const draining = await shown(consumer, client.consumers);
    expect(draining).toMatchObject({
      ...{ activity: DRAINING, mendCommand: '', owner: 'leaving.example:1' },
      activityCause: 'leaving.example:1, which runs it, is stopping: members subscribe elsewhere',
    });
    expect(draining.activitySince).toBeDefined();
    expect((await told(consumer, server.address)).sentences[0]).toMatch(/ is drained since \S+Z: leaving\.example:1, /);
    await client.consumers.acknowledge({ consumer, acknowledgements: acknowledgements(deliveries) });
    await stopped;
    client.close();
    expect(await shown(consumer)).toMatchObject({ activity: NO_MEMBER });
  });
});

describe('the state of a consumer that another instance runs', () => {
  const second = useServerBeside(suite, { advertise: 'second.example:50051' });

  it('is told by what is stored, with who knows more', async () => {
    const { subscribe, consumer, push, ack } = scene();
    await push(3);
    const deliveries = await subscribe().first(3);
    const { offset } = await ack(deliveries.slice(0, 2));
    const last = deliveries.at(-1)?.event?.position ?? 0n;
    const { consumers } = second.client;
    const elsewhere = await waitUntil(
      async () => {
        const view = await shown(consumer, consumers);
        return view.head >= last && view;
      },
      { what: 'the second instance has seen the events' },
    );
    expect(elsewhere).toMatchObject({
      ...{ activity: OWNED_ELSEWHERE, activityCause: 'run by first.example:50051, which knows more' },
      ...{ owner: 'first.example:50051', offset, pending: 1n, members: [], inFlight: 0 },
      mendCommand: `madeleine consumers explain --server first.example:50051 ${consumer}`,
    });
    expect(elsewhere.activitySince).toBeUndefined();
    expect(msOf(elsewhere.lagTime)).toBeGreaterThan(0);
    const { list, sentences } = await told(consumer, second.server.address);
    expect(list).toMatch(/ owned-elsewhere .* {2}run by first\.example:50051, which knows more$/);
    expect(sentences.at(-1)).toBe(`To ask who runs it: ${elsewhere.mendCommand}`);
    // The name of the example leads nowhere; the command itself is one that there is.
    const argv = elsewhere.mendCommand.replace('first.example:50051', suite.server.address).split(' ').slice(1);
    expect((await runToEnd(argv, { server: 'nowhere:1' })).stdout).toMatch(/ is delivering since /);
  });
});

describe('the age of what a consumer has still to do', () => {
  it('is that of the event right after the offset, also where that is not in memory', async () => {
    const { subscribe, push, consumer, settings } = scene();
    await push(1);
    // Nothing is in the memory of a server that has just begun.
    const server = await startServer({ databaseUrl: suite.database.url });
    const client = new TestClient(server.address);
    await client.consumers.createConsumer({ name: consumer, settings });
    const subscriber = subscribe({ maxInFlight: 1 }, client.consumers);
    await subscriber.first(1);
    const { createdAt } = subscriber.deliveries[0]?.event ?? {};
    const age = Date.now() - msOf(createdAt);
    const lag = msOf((await shown(consumer, client.consumers)).lagTime);
    expect(lag).toBeGreaterThanOrEqual(age - 50);
    expect(lag).toBeLessThan(age + 10_000);
    await subscriber.cancel();
    client.close();
    await server.stop();
    await pushNumbers(suite.client.events, 1);
  });
});
