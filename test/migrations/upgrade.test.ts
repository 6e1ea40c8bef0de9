// Today's server on what each earlier one wrote: it answers what was true then, knows what was pushed, and goes on from there.

import { describe, expect, it } from 'vitest';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../support/contract/refusals.js';
import { jsonPayload } from '../support/events/builders.js';
import { type Dump, listDumps } from '../support/migrations/dumps.js';
import { EVENTS } from '../support/migrations/old-events.js';
import { expectedReadings, readOne } from '../support/migrations/readings.js';
import { useUpgraded } from '../support/migrations/upgraded.js';

/** What the tests take from the readings. */
interface Recorded {
  readonly getEvents: readonly unknown[];
  readonly getByMessage: readonly { readonly id: string; readonly position: string; readonly sequence?: string }[];
  readonly readEvents: { readonly default: readonly { readonly position: string; readonly to?: string }[] };
  readonly listConsumers: { readonly default: readonly { readonly name: string; readonly offset: string }[] };
  readonly listStreams: {
    readonly [context: string]: readonly {
      readonly name: string;
      readonly owner: string;
      readonly lastSequence: string;
    }[];
  };
}

const recordedOf = (dump: Dump) => expectedReadings(dump.readings) as unknown as Recorded;
/** Four filters with these are 100 kB: more than the column of the first schema held. */
const LONG_NAMES = Array.from({ length: 100 }, (_, n) => String(n).padEnd(250, 'n'));

describe.each(listDumps())('what $name holds', (dump) => {
  const suite = useUpgraded(dump);
  const recorded = recordedOf(dump);
  /** Positions for a consumer that is not called mailer. */
  const positions = recorded.readEvents.default
    .filter(({ to }) => to === undefined)
    .map(({ position }) => BigInt(position));

  it.each(Object.keys(dump.readings))('is what %s answers', async (name) => {
    expect(await readOne(suite.client, name)).toEqual(expectedReadings(dump.readings)[name]);
  });

  it('makes a retry of each push a duplicate, and refuses its id for another', async () => {
    for (const [index, event] of EVENTS.entries()) {
      const { id, position, sequence = '0' } = recorded.getByMessage[index]!;
      const answer = await suite.client.events.pushEvent({ event });
      expect(answer).toMatchObject({
        outcome: Outcome.OUTCOME_DUPLICATE,
        event: { id: BigInt(id), position: BigInt(position), sequence: BigInt(sequence) },
      });
      const other = { event: { ...event, tag: 'another' } };
      expect(await refusalOf(suite.client.events.pushEvent(other))).toMatchObject({ reason: 'MESSAGE_ID_REUSED' });
    }
  });

  it('goes on with the next position, id and sequence of every stream', async () => {
    const { events } = suite.client;
    const streams = Object.entries(recorded.listStreams).flatMap(([context, list]) =>
      list.map((stream) => ({ context, ...stream })),
    );
    let [position, id] = [suite.head, BigInt(recorded.getEvents.length)];
    for (const { context, name: stream, owner: issuer, lastSequence } of streams) {
      const event = { context, stream, issuer, topic: 'orders', payload: jsonPayload({ later: true }) };
      const answer = await events.pushEvent({ event, expectedSequence: BigInt(lastSequence) });
      [position, id] = [position + 1n, id + 1n];
      const sequence = BigInt(lastSequence) + 1n;
      expect(answer).toMatchObject({ outcome: Outcome.OUTCOME_OCCURRED, event: { id, position, sequence } });
      const theft = { ...event, issuer: 'thief' };
      expect(await refusalOf(events.pushEvent({ event: theft }))).toMatchObject({ reason: 'STREAM_OWNED' });
    }
    const found: bigint[] = [];
    for await (const response of events.readEvents({ context: 'all', afterPosition: suite.head })) {
      found.push(...response.events.map((event) => event.position));
    }
    expect(found).toEqual(streams.map((_, index) => suite.head + 1n + BigInt(index)));
  });

  it('lets a consumer go on where it was: what was acknowledged does not come again', async () => {
    const { consumers } = suite.client;
    const acknowledged = [0, 1, 3, 5, 7, 9].map((index) => positions[index]!);
    const { deliveries } = await consumers.fetch({ consumer: 'halfway', limit: 100 });
    const old = deliveries.filter(({ event }) => event!.position <= suite.head);
    expect(old.map(({ event }) => event?.position)).toEqual(positions.filter((one) => !acknowledged.includes(one)));
    for (const { lease } of deliveries) expect(lease).toBeGreaterThan(10n);
    const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event!.position, lease }));
    const answer = await consumers.acknowledge({ consumer: 'halfway', acknowledgements });
    expect(answer.offset).toBeGreaterThan(suite.head);
  });

  it.each(['finished', 'latest'])('gives the consumer %s only what is new', async (consumer) => {
    const subscribing = new AbortController();
    const found: bigint[] = [];
    const offset = BigInt(recorded.listConsumers.default.find(({ name }) => name === consumer)!.offset);
    const pushed = recorded.listStreams['default']!.map((_, index) => suite.head + 1n + BigInt(index));
    const expected = [...positions.filter((position) => position > offset), ...pushed];
    try {
      for await (const { deliveries } of suite.client.consumers.subscribe(
        { consumer },
        { signal: subscribing.signal },
      )) {
        found.push(...deliveries.map(({ event }) => event!.position));
        if (found.length >= expected.length) subscribing.abort();
      }
    } catch (error) {
      if (!subscribing.signal.aborted) throw error;
    }
    expect(found).toEqual(expected);
  });

  it.each(['troubled', 'given-up'])('gives the consumer %s again what its lost member had', async (consumer) => {
    const { deliveries } = await suite.client.consumers.fetch({ consumer, limit: 3 });
    expect(deliveries.map(({ event }) => event?.position)).toEqual(positions.slice(0, 3));
  });

  it('lets a deleted consumer be made anew', async () => {
    const { consumer } = await suite.client.consumers.createConsumer({ name: 'deleted' });
    expect(consumer?.generation).toBeGreaterThan(1n);
  });

  it('holds the settings of a consumer with long filters', async () => {
    const filter = { topics: LONG_NAMES, streams: LONG_NAMES, issuers: LONG_NAMES, tags: LONG_NAMES };
    await suite.client.consumers.createConsumer({ name: 'long', settings: { filter } });
    const { consumer } = await suite.client.consumers.getConsumer({ name: 'long' });
    expect(consumer?.settings?.filter?.tags).toHaveLength(LONG_NAMES.length);
  });

  it('awaits what is new, and ends it', async () => {
    const { events } = suite.client;
    const event = { topic: 'orders', issuer: 'waiter' };
    const awaited = await events.pushEvent({ event: { ...event, description: { after: 'the upgrade' } } });
    expect(awaited.outcome).toBe(Outcome.OUTCOME_AWAITED);
    const payload = jsonPayload({ after: 'the upgrade', more: 1 });
    const { outcome, event: ended } = await events.pushEvent({ event: { ...event, payload } });
    expect({ outcome, id: ended?.id }).toEqual({ outcome: Outcome.OUTCOME_SATISFIED, id: awaited.event?.id });
  });
});
