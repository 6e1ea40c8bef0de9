// Parked events whose events are deleted or erased: what is left of them for people, on the instance that runs their consumer, which is told
// of a deletion by nobody, and on another.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ParkedStatus,
  type ReplayEditedEventRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload } from '../../support/events/builders.js';
import { TestDeletion } from '../../support/events/deletion.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const beside = useServerBeside(suite);
const scene = useScenes(suite);
const { PARKED_STATUS_DONE: DONE, PARKED_STATUS_NOT_PARKED: NOT_PARKED } = ParkedStatus;
const EVENTS = 4;
const UNKNOWN = { status: 'NOT_FOUND', reason: 'PARKED_UNKNOWN' };
let deletion: TestDeletion;

beforeAll(() => {
  deletion = new TestDeletion(suite.database.url);
});
afterAll(() => deletion.close());

/** A consumer that has parked its events, and whose subscriber stays: if the consumer's session ended, it would end. */
async function parkedScene() {
  const made = scene();
  const { consumer, subscribe, push, reject } = made;
  const [stream, dataSubject] = [`stream ${randomUUID()}`, `person ${randomUUID()}`];
  const about = (n: number) => (n <= EVENTS / 2 ? { dataSubject } : {});
  const positions = await push(EVENTS, (n) => ({ stream, issuer: 'shop', ...about(n) }));
  const subscriber = subscribe({ maxInFlight: 100 });
  // One by one: the rest of a stream waits for what is before it.
  for (let n = 1; n <= EVENTS; n += 1) {
    const deliveries = await subscriber.first(n);
    await reject(deliveries.slice(-1), { verdict: Verdict.VERDICT_PARK, reason: 'cannot' });
  }
  const calls = (client = suite.client) => ({
    list: async () =>
      (await client.consumers.listParkedEvents({ consumer })).events.map(({ event }) => event?.position),
    replay: (...some: bigint[]) => client.consumers.replayParkedEvents({ consumer, positions: some }),
    replayAll: () => client.consumers.replayParkedEvents({ consumer, all: true }),
    discard: (...some: bigint[]) => client.consumers.discardParkedEvents({ consumer, positions: some }),
    discardAll: () => client.consumers.discardParkedEvents({ consumer, all: true }),
    edit: (position: bigint) =>
      client.consumers.replayEditedEvent({
        ...{ consumer, position },
        event: NewEvent.fromPartial({ issuer: 'ann', payload: jsonPayload({ n: 100 }) } as NewEvent),
      } as ReplayEditedEventRequest),
  });
  return { ...made, stream, dataSubject, positions, subscriber, calls };
}

type ParkedScene = Awaited<ReturnType<typeof parkedScene>>;

async function truncate({ stream }: ParkedScene): Promise<void> {
  await suite.client.streams.truncateStream({ stream, upToSequence: BigInt(EVENTS / 2), by: 'ann', force: true });
}

const expire = ({ positions }: ParkedScene) => deletion.remove(positions.slice(0, EVENTS / 2));

describe.each([
  ['a truncation', truncate],
  ['retention', expire],
])('a parked event that %s has taken', (_, take) => {
  /** A scene of which the first half is gone, and the owner does not know. */
  async function taken() {
    const made = await parkedScene();
    const own = made.calls();
    await take(made);
    const left = made.positions.slice(EVENTS / 2);
    await waitUntil(async () => (await own.list()).length === left.length, { what: 'the deletion', timeoutMs: 15_000 });
    const [gone = 0n, alsoGone = 0n] = made.positions;
    return { ...made, own, there: made.calls(beside.client), left, gone, alsoGone };
  }

  it('is in no list, and nobody’s to replay, discard or edit', async () => {
    const { own, there, left, gone, alsoGone, subscriber, get } = await taken();
    const [third = 0n, fourth = 0n] = left;
    expect(await there.list()).toEqual(left);
    expect(await refusalOf(own.replay(gone))).toMatchObject(UNKNOWN);
    expect(await refusalOf(own.discard(gone))).toMatchObject(UNKNOWN);
    expect(await refusalOf(own.edit(alsoGone))).toMatchObject(UNKNOWN);
    for (const call of [there.replay, there.discard]) {
      expect(await refusalOf(call(gone))).toMatchObject({ reason: 'OWNED_ELSEWHERE' });
    }
    // It has the event itself until it looks at the log next.
    await waitUntil(async () => (await refusalOf(there.edit(gone))).reason === UNKNOWN.reason, {
      what: 'it is gone there',
    });
    const discarded = await own.discard(alsoGone, third);
    expect(discarded.results.map(({ status }) => status)).toEqual([NOT_PARKED, DONE]);
    const replayed = await own.replay(fourth, gone);
    expect(replayed.results.map(({ status }) => status)).toEqual([DONE, NOT_PARKED]);
    expect((await subscriber.first(EVENTS + 1)).slice(EVENTS).map(numberOf)).toEqual([4]);
    expect(subscriber.ended).toBeUndefined();
    expect((await get()).parked).toBe(0n);
  });

  it('is not among all that are replayed or discarded', async () => {
    const { own, left, subscriber } = await taken();
    expect((await own.replayAll()).replayed).toBe(BigInt(left.length));
    const again = (await subscriber.first(EVENTS + left.length)).slice(EVENTS);
    expect(again.map(({ event }) => event?.position)).toEqual(left);
    expect((await own.discardAll()).discarded).toBe(BigInt(left.length));
    expect((await own.discardAll()).discarded).toBe(0n);
    expect(await own.list()).toEqual([]);
    expect(subscriber.ended).toBeUndefined();
  });

  it('that was asked for again is not delivered any more', async () => {
    const { own, gone, subscriber, ack, push } = await taken();
    await refusalOf(own.replay(gone));
    await push(1, {}, 50);
    const next = (await subscriber.first(EVENTS + 1)).slice(EVENTS);
    expect(next.map(numberOf)).toEqual([50]);
    await ack(next);
    expect(subscriber.ended).toBeUndefined();
  });
});

it('a parked event that is erased stays parked, says nothing any more, and is replayed so', async () => {
  const made = await parkedScene();
  const { dataSubject, positions, subscriber, calls } = made;
  const own = calls();
  await suite.client.events.eraseEvents({ target: { $case: 'dataSubject', value: dataSubject }, by: 'ann' });
  await waitUntil(
    async () => {
      const { events } = await beside.client.consumers.listParkedEvents({ consumer: made.consumer });
      return events.filter(({ event }) => event?.erasedAt !== undefined).length === EVENTS / 2;
    },
    { what: 'the erasure' },
  );
  expect(await own.list()).toEqual(positions);
  const [first = 0n, second = 0n] = positions;
  expect((await own.replay(first)).results.map(({ status }) => status)).toEqual([DONE]);
  const [again] = (await subscriber.first(EVENTS + 1)).slice(EVENTS);
  expect(again?.event).toMatchObject({ position: first, payload: undefined });
  expect((await own.discard(second)).results.map(({ status }) => status)).toEqual([DONE]);
  expect((await own.discardAll()).discarded).toBe(BigInt(EVENTS - 1));
  expect(subscriber.ended).toBeUndefined();
});
