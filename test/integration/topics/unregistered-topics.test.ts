// Pushes to topics that nobody registered: taken, discarded or refused, as their context or the server says, with the same answer to a
// retry, on every instance; and the samples of what was discarded.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { EventStatus, type NewEvent, Subject } from '../../../generated/madeleine/v1/event.js';
import { Outcome, PushEventStreamRequest } from '../../../generated/madeleine/v1/event_service.js';
import { UnregisteredTopics } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { metric } from '../../support/server/metrics.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);
/** An instance that is told to refuse where a context says nothing. */
const strict = useServerBeside(suite, { unregisteredTopics: 'reject' });

/** An instance that is told to discard. */
const lax = useServerBeside(suite, { unregisteredTopics: 'discard' });

const { UNREGISTERED_TOPICS_ACCEPT, UNREGISTERED_TOPICS_DISCARD, UNREGISTERED_TOPICS_REJECT } = UnregisteredTopics;
const UNSET = UnregisteredTopics.UNREGISTERED_TOPICS_UNSPECIFIED;

const update = (context: string, unregisteredTopics: UnregisteredTopics, client = suite.client) =>
  client.topics.updateContext({
    context,
    settings: { unregisteredTopics },
    updateMask: ['unregistered_topics'],
    by: 'anna',
  });

/** A context with a topic that is registered, and this setting. */
async function contextOf(unregisteredTopics: UnregisteredTopics): Promise<string> {
  const context = `context ${randomUUID()}`;
  await suite.client.topics.registerTopic({ context, name: 'known' });
  await update(context, unregisteredTopics);
  return context;
}

const eventOf = (context: string, topic = 'unknown', rest: Partial<NewEvent> = {}) =>
  newEvent({ context, topic, payload: jsonPayload({ id: 1 }), ...rest });
const push = (event: NewEvent, client = suite.client) => client.events.pushEvent({ event });
const refused = (event: NewEvent, client = suite.client) => refusalOf(push(event, client));
const stored = async (context: string) =>
  (await suite.client.events.listEvents({ filter: { context } })).events.map(({ topic }) => topic);
const samplesOf = async (context: string, topic = '') =>
  (await suite.client.topics.listDiscardedSamples({ context, topic, pageSize: 1_000 })).samples;
const UNREGISTERED = { status: 'NOT_FOUND', reason: 'TOPIC_UNREGISTERED' };

describe('a push to a topic that nobody registered', () => {
  it('is refused where its context says so, on every instance, until the topic is registered', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_REJECT);
    for (const client of [suite.client, other.client]) {
      expect(await refused(eventOf(context), client)).toMatchObject({
        ...UNREGISTERED,
        metadata: { context, topic: 'unknown' },
      });
      expect(
        await refused(eventOf(context, 'unknown', { payload: undefined, description: { id: 1 } }), client),
      ).toMatchObject(UNREGISTERED);
      expect((await push(eventOf(context, 'known'), client)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    }
    const events = [eventOf(context, 'known'), eventOf(context)].map((event) => ({ event }));
    expect(await refusalOf(suite.client.events.pushEvents({ events }))).toMatchObject(UNREGISTERED);
    await suite.client.topics.registerTopic({ context, name: 'unknown' });
    expect((await push(eventOf(context), other.client)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    await other.client.topics.unregisterTopic({ context, name: 'unknown' });
    expect(await refused(eventOf(context))).toMatchObject(UNREGISTERED);
    const filter = { context, topics: ['known', 'unknown'] };
    expect((await other.client.events.listEvents({ filter })).events).toHaveLength(3);
  });

  it('is discarded where its context says so: answered, counted, kept as a sample, and not stored', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_DISCARD);
    const counted = () => metric(suite.server.httpAddress, /^madeleine_pushes_total\{outcome="discarded"\} (\d+)$/);
    const before = await counted();
    expect(await push(eventOf(context))).toMatchObject({ outcome: Outcome.OUTCOME_DISCARDED, event: undefined });
    const description = eventOf(context, 'looked', { payload: undefined, description: { id: 7 } });
    expect(await push(description, suite.client)).toMatchObject({
      outcome: Outcome.OUTCOME_DISCARDED,
      event: undefined,
    });
    const events = [eventOf(context, 'known'), eventOf(context), eventOf(context, 'known')].map((event) => ({ event }));
    const { results } = await suite.client.events.pushEvents({ events });
    expect(results.map(({ outcome }) => outcome)).toEqual([
      Outcome.OUTCOME_OCCURRED,
      Outcome.OUTCOME_DISCARDED,
      Outcome.OUTCOME_OCCURRED,
    ]);
    expect(results[1]?.event).toBeUndefined();
    expect(await counted()).toBe(before + 3);
    expect(await stored(context)).toEqual(['known', 'known']);
    expect((await suite.client.topics.listShapes({ context })).shapes).toEqual([]);
    const { topics } = await suite.client.topics.listTopics({ context });
    expect(topics.map(({ name }) => name)).toEqual(['known', 'madeleine.audit']);
    const samples = await waitUntil(
      async () => {
        const found = await samplesOf(context);
        return found.length === 3 ? found : undefined;
      },
      { what: 'samples are kept' },
    );
    expect(samples.map(({ topic }) => topic).sort()).toEqual(['looked', 'unknown', 'unknown']);
    expect(samples.find(({ topic }) => topic === 'looked')).toMatchObject({ payloadBytes: 0, description: '{"id":7}' });
    const sample = samples.find(({ topic }) => topic === 'unknown');
    expect(sample).toMatchObject({ context, issuer: 'shop', payloadBytes: 8, messageId: '' });
    expect(Buffer.from(sample?.payload ?? []).toString()).toBe('{"id":1}');
    expect(await samplesOf(context, 'looked')).toHaveLength(1);
  });

  it('is discarded one by one in a stream of batches', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_DISCARD);
    const batches = [0, 1].map((n) =>
      PushEventStreamRequest.fromPartial({
        ...{ batchId: BigInt(n), atomic: n === 1 },
        events: ['unknown', 'known'].map((topic) => ({ event: eventOf(context, topic) })),
      }),
    );
    const outcomes: unknown[] = [];
    for await (const { results } of suite.client.events.pushEventStream(requests(batches))) {
      for (const { result } of results) {
        outcomes.push(result?.$case === 'receipt' ? [result.value.outcome, result.value.id > 0n] : result);
      }
    }
    const [discarded, occurred] = [Outcome.OUTCOME_DISCARDED, Outcome.OUTCOME_OCCURRED];
    expect(outcomes).toEqual([
      [discarded, false],
      [occurred, true],
      [discarded, false],
      [occurred, true],
    ]);
  });

  it('is answered alike when it is repeated, whatever is registered meanwhile, and its id stands for it', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_DISCARD);
    const event = eventOf(context, 'unknown', { messageId: randomUUID() });
    expect((await push(event)).outcome).toBe(Outcome.OUTCOME_DISCARDED);
    for (const client of [suite.client, other.client]) {
      expect(await push(event, client)).toMatchObject({ outcome: Outcome.OUTCOME_DISCARDED, event: undefined });
    }
    expect((await refused({ ...event, payload: jsonPayload({ id: 2 }) })).reason).toBe('MESSAGE_ID_REUSED');
    expect(
      (await refusalOf(suite.client.events.getEvent({ context, key: { $case: 'messageId', value: event.messageId } })))
        .reason,
    ).toBe('EVENT_UNKNOWN');
    await suite.client.topics.registerTopic({ context, name: 'unknown' });
    expect((await push(event, other.client)).outcome).toBe(Outcome.OUTCOME_DISCARDED);
    expect((await push(eventOf(context))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    // What was stored before stays what it is, also once its topic is none any more.
    const kept = eventOf(context, 'unknown', { messageId: randomUUID() });
    const { event: first } = await push(kept);
    await suite.client.topics.unregisterTopic({ context, name: 'unknown' });
    expect(await push(kept)).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { id: first?.id } });
    await update(context, UNREGISTERED_TOPICS_REJECT);
    expect((await push(kept, other.client)).outcome).toBe(Outcome.OUTCOME_DUPLICATE);
    expect((await push(event, other.client)).outcome).toBe(Outcome.OUTCOME_DISCARDED);
  });

  it('is discarded in a context that nobody has heard of', async () => {
    const context = `context ${randomUUID()}`;
    const event = eventOf(context, 'unknown', { messageId: randomUUID() });
    for (const client of [lax.client, lax.client, suite.client]) {
      expect((await push(event, client)).outcome).toBe(Outcome.OUTCOME_DISCARDED);
    }
    expect((await push(eventOf(context), lax.client)).outcome).toBe(Outcome.OUTCOME_DISCARDED);
    await push(eventOf(context));
    expect((await push(eventOf(context))).event?.context).toBe(context);
  });

  it('is refused where somebody would wait for nothing', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_DISCARD);
    const call = suite.client.cawins.checkOrWait({
      ...{ context, topic: 'unknown', issuer: 'shop', description: { id: 1 } },
      callback: { url: 'https://93.184.215.14/' },
    });
    expect(await refusalOf(call)).toMatchObject(UNREGISTERED);
  });

  it('is as the server says where its context says nothing; its own topics are exempt', async () => {
    const context = `context ${randomUUID()}`;
    expect(await refused(eventOf(context), strict.client)).toMatchObject(UNREGISTERED);
    expect((await push(eventOf(context))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    const told = (await strict.client.topics.getContext({ context })).context;
    expect(told).toEqual({
      ...{ name: context, settings: { unregisteredTopics: UNSET }, unregisteredTopics: UNREGISTERED_TOPICS_REJECT },
    });
    await update(context, UNREGISTERED_TOPICS_ACCEPT, strict.client);
    expect((await push(eventOf(context), strict.client)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    // The entry of the audit was stored by the server that refuses what nobody registered.
    const { events } = await strict.client.events.listEvents({ filter: { context, topics: ['madeleine.audit'] } });
    expect(events[0]).toMatchObject({ status: EventStatus.EVENT_STATUS_OCCURRED, tag: 'UpdateContext' });
  });
});

async function* requests(batches: readonly PushEventStreamRequest[]) {
  yield* batches;
}

describe('samples of what was discarded', () => {
  it('are the newest of each topic, of a bounded size, in pages', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_DISCARD);
    for (let n = 0; n < 15; n += 1) await push(eventOf(context, 'many', { issuer: `issuer ${n}` }));
    const long = bytesPayload('x'.repeat(10_000), 'text/plain');
    await push(eventOf(context, 'long', { payload: long }), other.client);
    await push(eventOf(context, 'about', { dataSubject: 'anna' }), other.client);
    const samples = await waitUntil(
      async () => {
        const found = await samplesOf(context);
        return found.length >= 12 && found.some(({ issuer }) => issuer === 'issuer 14') ? found : undefined;
      },
      { what: 'samples are kept' },
    );
    const many = samples.filter(({ topic }) => topic === 'many').map(({ issuer }) => issuer);
    expect(many).toEqual(Array.from({ length: 10 }, (_, n) => `issuer ${14 - n}`));
    expect(samples.find(({ topic }) => topic === 'long')).toMatchObject({ payloadBytes: 10_000 });
    expect(samples.find(({ topic }) => topic === 'long')?.payload).toHaveLength(4_096);
    expect(samples.find(({ topic }) => topic === 'about')).toMatchObject({ payloadBytes: 8, payload: Buffer.alloc(0) });
    const ids: bigint[] = [];
    for (let pageToken = ''; ; ) {
      const page = await suite.client.topics.listDiscardedSamples({ context, pageSize: 4, pageToken });
      ids.push(...page.samples.map(({ id }) => id));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(ids).toEqual(samples.map(({ id }) => id));
  });
});

describe('a context', () => {
  it('is told of once it is there, and changed with an entry of the audit', async () => {
    const context = `context ${randomUUID()}`;
    const { topics } = suite.client;
    expect(await refusalOf(topics.getContext({ context }))).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'CONTEXT_UNKNOWN',
    });
    expect((await topics.getContext({})).context?.name).toBe('default');
    await update(context, UNREGISTERED_TOPICS_DISCARD);
    expect((await update(context, UNREGISTERED_TOPICS_DISCARD, other.client)).context).toEqual({
      ...{ name: context, settings: { unregisteredTopics: UNREGISTERED_TOPICS_DISCARD } },
      unregisteredTopics: UNREGISTERED_TOPICS_DISCARD,
    });
    await topics.updateContext({ context, updateMask: ['unregistered_topics'] });
    expect((await other.client.topics.getContext({ context })).context).toMatchObject({
      ...{ settings: { unregisteredTopics: UNSET }, unregisteredTopics: UNREGISTERED_TOPICS_ACCEPT },
    });
    const { events } = await suite.client.events.listEvents({ filter: { context, topics: ['madeleine.audit'] } });
    expect(events.map(({ payload, subject }) => [payload?.body?.value, subject])).toMatchObject([
      [
        {
          call: 'UpdateContext',
          by: 'anna',
          context,
          before: { unregistered_topics: null },
          after: { unregistered_topics: 'discard' },
        },
        Subject.SUBJECT_UPDATED,
      ],
      [
        {
          call: 'UpdateContext',
          by: '',
          before: { unregistered_topics: 'discard' },
          after: { unregistered_topics: null },
        },
        Subject.SUBJECT_UPDATED,
      ],
    ]);
  });

  it.each([
    [{ context: 'all', updateMask: ['unregistered_topics'] }, 'context'],
    [{ updateMask: [] }, 'update_mask'],
    [{ updateMask: ['unregistered_topics', 'name'] }, 'update_mask.paths[1]'],
    [
      { settings: { unregisteredTopics: 9 as UnregisteredTopics }, updateMask: ['unregistered_topics'] },
      'settings.unregistered_topics',
    ],
  ])('is not changed by %j: %s', async (bad, field) => {
    const call = suite.client.topics.updateContext(bad);
    expect(await refusalOf(call)).toMatchObject({ reason: 'FIELD_INVALID', fields: [field] });
    expect((await suite.client.topics.getContext({})).context?.settings).toEqual({ unregisteredTopics: UNSET });
  });

  it('under changes of every instance lets each push meet one setting', async () => {
    const context = await contextOf(UNREGISTERED_TOPICS_DISCARD);
    let isOver = false;
    const outcomes = { occurred: 0, discarded: 0, refused: 0 };
    const pushing = [suite.client, other.client].map(async (client) => {
      while (!isOver) {
        await push(eventOf(context, 'unknown', { messageId: randomUUID() }), client).then(
          ({ outcome, event }) => {
            expect(event === undefined).toBe(outcome === Outcome.OUTCOME_DISCARDED);
            outcomes[outcome === Outcome.OUTCOME_DISCARDED ? 'discarded' : 'occurred'] += 1;
          },
          () => {
            outcomes.refused += 1;
          },
        );
      }
    });
    for (let round = 0; round < 5; round += 1) {
      for (const setting of [UNREGISTERED_TOPICS_ACCEPT, UNREGISTERED_TOPICS_REJECT, UNREGISTERED_TOPICS_DISCARD]) {
        await update(context, setting, round % 2 === 0 ? suite.client : other.client);
        // Whoever pushes after the change has been answered meets it, also elsewhere.
        const call = push(eventOf(context), round % 2 === 0 ? other.client : suite.client);
        if (setting === UNREGISTERED_TOPICS_REJECT) expect(await refusalOf(call)).toMatchObject(UNREGISTERED);
        else {
          const expected =
            setting === UNREGISTERED_TOPICS_ACCEPT ? Outcome.OUTCOME_OCCURRED : Outcome.OUTCOME_DISCARDED;
          expect((await call).outcome).toBe(expected);
        }
      }
    }
    isOver = true;
    await Promise.all(pushing);
    const { events } = await other.client.events.listEvents({
      filter: { context, topics: ['unknown'] },
      pageSize: 1_000,
    });
    if (events.length < 1_000) expect(events).toHaveLength(outcomes.occurred + 5);
  });
});
