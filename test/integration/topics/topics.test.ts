// Topics through a real client: registering them, and what identifies their events.

import { randomUUID } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { EventStatus, type NewEvent } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import type { Topic } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { withoutStored } from '../../support/topics/registered.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const other = useServerBeside(suite);

type Json = Record<string, unknown>;

/** Each test has its topic. */
const newTopic = () => `topic ${randomUUID()}`;
const happened = (topic: string, payload: Json, rest: Partial<NewEvent> = {}) =>
  newEvent({ topic, payload: jsonPayload(payload), ...rest });
const described = (topic: string, description: Json) => newEvent({ topic, payload: undefined, description });

async function register(name: string, ...descriptionPaths: string[]) {
  const { topic, created } = await suite.client.topics.registerTopic({ name, settings: { descriptionPaths } });
  return { topic: withoutStored(topic) as Topic, created };
}

/** A topic whose events are identified by their order and state. */
async function identified(...paths: string[]): Promise<string> {
  const topic = newTopic();
  await register(topic, ...(paths.length === 0 ? ['/order/id', '/state'] : paths));
  return topic;
}

async function push(event: NewEvent, client = suite.client) {
  const { event: stored, outcome } = await client.events.pushEvent({ event });
  return { outcome, id: stored?.id ?? 0n, event: stored };
}
const refused = (event: NewEvent, client = suite.client) => refusalOf(client.events.pushEvent({ event }));
const paid = (order: number, rest: Json = {}) => ({ order: { id: order }, state: 'paid', ...rest });

describe('registering a topic', () => {
  it('is done once, and repeated with the same settings in any order', async () => {
    const name = newTopic();
    const first = await register(name, '/state', '/order/id');
    expect(first).toMatchObject({
      created: true,
      topic: { context: 'default', name, registered: true, settings: { descriptionPaths: ['/order/id', '/state'] } },
    });
    const seconds = Number(first.topic.registeredAt?.seconds);
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
    expect(await register(name, '/order/id', '/state')).toEqual({ created: false, topic: first.topic });
    expect(withoutStored((await suite.client.topics.getTopic({ name })).topic)).toEqual(first.topic);
    const { topic, created } = await other.client.topics.registerTopic({
      name,
      settings: { descriptionPaths: ['/state', '/order/id'] },
    });
    expect({ topic: withoutStored(topic), created }).toEqual({ created: false, topic: first.topic });
  });

  it('with other settings is refused by name', async () => {
    const name = newTopic();
    const { topic } = await register(name, '/id');
    for (const paths of [[], ['/id', '/state'], ['/ID']]) {
      const call = other.client.topics.registerTopic({ name, settings: { descriptionPaths: paths } });
      expect(await refusalOf(call)).toMatchObject({
        status: 'ALREADY_EXISTS',
        reason: 'TOPIC_DIFFERS',
        fields: ['settings.description_paths'],
        metadata: { context: 'default', topic: name, differing: 'description_paths' },
      });
    }
    expect(withoutStored((await suite.client.topics.getTopic({ name })).topic)).toEqual(topic);
  });

  it('is for one context', async () => {
    const name = newTopic();
    const [one, two] = [`context ${randomUUID()}`, `context ${randomUUID()}`];
    await suite.client.topics.registerTopic({ context: one, name, settings: { descriptionPaths: ['/id'] } });
    await suite.client.topics.registerTopic({ context: two, name });
    await push(happened(name, { id: 1 }, { context: one }));
    await push(happened(name, { id: 1 }, { context: two }));
    await push(happened(name, { id: 1 }, { context: two }));
    expect((await refused(happened(name, { id: 1 }, { context: one }))).reason).toBe('ALREADY_OCCURRED');
  });

  it.each([
    [['order/id'], 'settings.description_paths[0]', 'JSON Pointer'],
    [['/a', ''], 'settings.description_paths[1]', 'whole payload'],
    [['/a~2'], 'settings.description_paths[0]', 'JSON Pointer'],
    [['/a/b', '/c', '/a'], 'settings.description_paths[2]', 'overlaps /a/b'],
    [['/a', '/a'], 'settings.description_paths[1]', 'overlaps /a'],
    [[`/${'x'.repeat(1_024)}`], 'settings.description_paths[0]', '1024 bytes'],
    [Array.from({ length: 17 }, (_, n) => `/p${n}`), 'settings.description_paths', 'more than 16'],
  ])('by %j is refused at %s', async (descriptionPaths, field, what) => {
    const name = newTopic();
    const refusal = await refusalOf(suite.client.topics.registerTopic({ name, settings: { descriptionPaths } }));
    expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] });
    expect(refusal.message).toContain(what);
    expect((await refusalOf(suite.client.topics.getTopic({ name }))).reason).toBe('TOPIC_UNKNOWN');
    await expect(suite.client.topics.getTopic({ name })).rejects.toThrow(
      `there is no topic "${name}" in context "default"`,
    );
  });

  it('needs a name and a context of its own', async () => {
    const { topics } = suite.client;
    expect((await refusalOf(topics.registerTopic({}))).fields).toEqual(['name']);
    expect((await refusalOf(topics.registerTopic({ name: 't', context: 'all' }))).fields).toEqual(['context']);
  });

  it('at the same time from everywhere makes one', async () => {
    const name = newTopic();
    const calls = Array.from({ length: 20 }, (_, n) =>
      (n % 2 === 0 ? suite.client : other.client).topics.registerTopic({
        name,
        settings: { descriptionPaths: [n < 10 ? '/a' : '/b'] },
      }),
    );
    const settled = await Promise.allSettled(calls);
    const answers = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(answers).toHaveLength(10);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ topic }) => topic?.settings?.descriptionPaths[0])).size).toBe(1);
  });
});

/** Gives the other names the registration of the first, past the server: registering each takes a while. */
async function copyTopic(context: string, [first, ...others]: readonly string[]): Promise<void> {
  const connection = await createConnection(suite.database.adminUrl);
  const scope = `FROM topic t JOIN context c ON c.id = t.context_id AND c.name = ? AND t.name = ?`;
  for (const [index, name] of others.entries()) {
    const id = 1_000_000 + index;
    await connection.query(`INSERT INTO topic SELECT ?, t.context_id, ? ${scope}`, [id, name, context, first]);
    const copied = `SELECT ?, r.registered_at, r.description_paths ${scope} JOIN registered_topic r ON r.topic_id = t.id`;
    await connection.query(`INSERT INTO registered_topic (topic_id, registered_at, description_paths) ${copied}`, [
      id,
      context,
      first,
    ]);
  }
  await connection.end();
}

describe('topics that are told of', () => {
  it('are those that were registered or used', async () => {
    const context = `context ${randomUUID()}`;
    await push(happened('used', { a: 1 }, { context }));
    await push(newEvent({ context, topic: 'awaited', payload: undefined, description: { a: 1 } }));
    await suite.client.topics.registerTopic({ context, name: 'plain' });
    await suite.client.topics.registerTopic({ context, name: 'used', settings: { descriptionPaths: ['/a'] } });
    const { topics, nextPageToken } = await other.client.topics.listTopics({ context });
    expect(nextPageToken).toBe('');
    expect(topics.map(({ name, registered, settings }) => [name, registered, settings?.descriptionPaths])).toEqual([
      ['awaited', false, undefined],
      ['madeleine.audit', false, undefined],
      ['plain', true, []],
      ['used', true, ['/a']],
    ]);
    expect(topics[0]?.registeredAt).toBeUndefined();
    const { topic } = await other.client.topics.getTopic({ context, name: 'awaited' });
    expect(withoutStored(topic)).toEqual(withoutStored(topics[0]));
  });

  it('come in pages, by prefix', async () => {
    const context = `context ${randomUUID()}`;
    const names = Array.from({ length: 7 }, (_, n) => `a%${n}`);
    for (const name of [...names, 'b', 'ab']) await suite.client.topics.registerTopic({ context, name });
    const found: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await suite.client.topics.listTopics({ context, namePrefix: 'a%', pageSize: 3, pageToken });
      expect(page.topics.length).toBeLessThanOrEqual(3);
      found.push(...page.topics.map(({ name }) => name));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    expect(found).toEqual(names);
  });

  it('fit into an answer, a page, however wide they are', async () => {
    const context = `context ${randomUUID()}`;
    const descriptionPaths = Array.from({ length: 16 }, (_, n) => `/${n}${'€'.repeat(340)}`);
    await suite.client.topics.registerTopic({ context, name: '1000', settings: { descriptionPaths } });
    const names = Array.from({ length: 290 }, (_, n) => `${1_000 + n}`);
    await copyTopic(context, names);
    const found: string[] = [];
    let pages = 0;
    for (let pageToken = ''; pages === 0 || pageToken !== ''; pages += 1) {
      const page = await suite.client.topics.listTopics({ context, namePrefix: '1', pageSize: 1_000, pageToken });
      found.push(...page.topics.map(({ name }) => name));
      pageToken = page.nextPageToken;
    }
    expect(found).toEqual(names);
    expect(pages).toBe(2);
  });

  it('are not unknown ones', async () => {
    const refusal = await refusalOf(suite.client.topics.getTopic({ name: newTopic() }));
    expect(refusal).toMatchObject({ status: 'NOT_FOUND', reason: 'TOPIC_UNKNOWN' });
  });
});

describe('an event of a topic with description paths', () => {
  it('occurs once, by equal values at the paths', async () => {
    const topic = await identified();
    const first = await push(happened(topic, paid(7, { by: 'card' })));
    expect(first).toMatchObject({
      outcome: Outcome.OUTCOME_OCCURRED,
      event: { description: { order: { id: 7 }, state: 'paid' } },
    });
    const equal = '{"state":"\\u0070aid","more":1,"order":{"items":[],"id":7.0}}';
    for (const event of [happened(topic, paid(7, { by: 'cash' })), newEvent({ topic, payload: bytesPayload(equal) })]) {
      expect(await refused(event)).toMatchObject({
        status: 'ALREADY_EXISTS',
        reason: 'ALREADY_OCCURRED',
        fields: ['event.payload'],
        metadata: { event_id: String(first.id), position: String(first.event?.position) },
      });
    }
    expect((await push(happened(topic, paid(8)))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect((await push(happened(topic, { order: { id: 7 }, state: 'sent' }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    expect(events).toHaveLength(3);
  });

  it('needs something at each path', async () => {
    const topic = await identified();
    const field = { reason: 'FIELD_INVALID', status: 'INVALID_ARGUMENT', fields: ['event.payload'] };
    for (const payload of [
      jsonPayload({ state: 'paid' }),
      jsonPayload([1]),
      jsonPayload({ order: 7, state: 'paid' }),
    ]) {
      const refusal = await refused(newEvent({ topic, payload }));
      expect(refusal).toMatchObject(field);
      expect(refusal.message).toContain('/order/id');
    }
    const text = bytesPayload(JSON.stringify(paid(7)), 'text/plain');
    expect(await refused(newEvent({ topic, payload: text }))).toMatchObject(field);
    const twice = bytesPayload('{"order":{"id":1},"state":"paid","x":1,"x":2}');
    expect(await refused(newEvent({ topic, payload: twice }))).toMatchObject(field);
    expect((await push(happened(topic, { order: { id: null }, state: [] }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect((await refused(happened(topic, { order: { id: null }, state: [] }))).reason).toBe('ALREADY_OCCURRED');
  });

  it('is identified by all that is below a path', async () => {
    const topic = await identified('/order');
    await push(happened(topic, { order: { id: 7, line: 1 }, n: 1 }));
    expect((await refused(happened(topic, { n: 2, order: { line: 1, id: 7 } }))).reason).toBe('ALREADY_OCCURRED');
    expect((await push(happened(topic, { order: { id: 7, line: 2 } }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect((await push(happened(topic, { order: { id: 7 } }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
  });

  it('may occur again once it is invalidated', async () => {
    const topic = await identified();
    const first = await push(happened(topic, paid(7)));
    await other.client.events.invalidateEvent({ id: first.id, reason: 'typo' });
    const second = await push(happened(topic, paid(7)));
    expect(second.outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect((await refused(happened(topic, paid(7)))).metadata.event_id).toBe(String(second.id));
  });

  it('is a duplicate when its own push is repeated', async () => {
    const topic = await identified();
    const event = happened(topic, paid(7), { messageId: randomUUID() });
    const first = await push(event);
    expect(await push(event)).toEqual({ ...first, outcome: Outcome.OUTCOME_DUPLICATE });
    expect((await refused(happened(topic, paid(7), { messageId: randomUUID() }))).reason).toBe('ALREADY_OCCURRED');
  });

  it('ends waits, under whose id it has occurred', async () => {
    const topic = await identified();
    const wait = await push(described(topic, paid(7)));
    const byState = await push(described(topic, { state: 'paid' }));
    const ended = await push(happened(topic, paid(7, { by: 'card' })));
    expect(ended).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
    expect(ended.event?.satisfiedIds).toEqual([byState.id]);
    expect((await refused(happened(topic, paid(7)))).metadata.event_id).toBe(String(wait.id));
    expect((await push(described(topic, paid(7)))).outcome).toBe(Outcome.OUTCOME_FOUND);
    // Another event has the description of a wait that was ended, but not its identity.
    expect((await push(happened(topic, paid(8)))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
  });

  it('may carry a description of its own, which identifies it too', async () => {
    const topic = await identified('/id');
    const first = await push(happened(topic, { id: 1, key: 'a' }, { description: { key: 'a' } }));
    expect(first.event?.description).toEqual({ key: 'a' });
    expect(await refused(happened(topic, { id: 2, key: 'a' }, { description: { key: 'a' } }))).toMatchObject({
      reason: 'ALREADY_OCCURRED',
      fields: ['event.description'],
      metadata: { event_id: String(first.id) },
    });
    expect(await refused(happened(topic, { id: 1, key: 'b' }, { description: { key: 'b' } }))).toMatchObject({
      reason: 'ALREADY_OCCURRED',
      fields: ['event.payload'],
    });
    await suite.client.events.invalidateEvent({ id: first.id });
    await push(happened(topic, { id: 1 }));
    await push(happened(topic, { id: 2, key: 'a' }, { description: { key: 'a' } }));
  });

  it('keeps a description from being free while another event has it', async () => {
    const topic = newTopic();
    const first = await push(happened(topic, { id: 1, n: 1 }, { description: { id: 1 } }));
    const since = first.event?.createdAt;
    const { event: wait } = await suite.client.events.pushEvent({ event: described(topic, { id: 1 }), since });
    const second = await push(happened(topic, { id: 1, n: 2 }));
    expect(second).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait?.id });
    await register(topic, '/id');
    const ids = [first.id, second.id];
    for (const id of ids) {
      expect((await refused(happened(topic, { id: 1 }))).metadata.event_id).toBe(String(id));
      await suite.client.events.invalidateEvent({ id });
    }
    expect((await push(happened(topic, { id: 1 }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
  });

  it('counts from the registration on, or with the description that it was pushed with', async () => {
    const topic = newTopic();
    await push(happened(topic, { id: 1 }));
    const withOwn = await push(happened(topic, { id: 2 }, { description: { id: 2 } }));
    await register(topic, '/id');
    expect((await push(happened(topic, { id: 1 }))).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect((await refused(happened(topic, { id: 1 }))).reason).toBe('ALREADY_OCCURRED');
    expect((await refused(happened(topic, { id: 2 }))).metadata.event_id).toBe(String(withOwn.id));
  });

  it('is refused by an instance that has not heard of the registration', async () => {
    for (let n = 0; n < 5; n += 1) {
      const topic = newTopic();
      // It knows the topic, and has a catalogue.
      await push(happened(topic, { a: 1 }), other.client);
      await register(topic, '/id');
      const first = await push(happened(topic, { id: 7 }));
      expect((await refused(happened(topic, { id: 7 }), other.client)).metadata.event_id).toBe(String(first.id));
      expect((await refused(happened(topic, { a: 1 }), other.client)).reason).toBe('FIELD_INVALID');
    }
  });

  it('occurs once however many push it at once, everywhere', async () => {
    const topic = await identified('/id');
    const calls = Array.from({ length: 200 }, (_, n) =>
      push(happened(topic, { id: n % 10, n }), n % 3 === 0 ? other.client : suite.client),
    );
    const settled = await Promise.allSettled(calls);
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    expect(new Set(events.map(({ description }) => description?.id)).size).toBe(10);
    expect(events).toHaveLength(10);
  });

  it('may always be looked for by the paths, however many other descriptions there are', async () => {
    const topic = await identified('/id');
    for (let n = 0; n < 16; n += 1) await push(described(topic, { [`path ${n}`]: 1 }));
    expect((await refused(described(topic, { more: 1 }))).reason).toBe('TOO_MANY_SHAPES');
    const wait = await push(described(topic, { id: 7 }));
    expect(wait.outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect(await push(happened(topic, { id: 7 }))).toMatchObject({ outcome: Outcome.OUTCOME_SATISFIED, id: wait.id });
    expect((await refused(described(topic, { more: 1 }))).reason).toBe('TOO_MANY_SHAPES');
  });
});

describe('several events of a topic with description paths', () => {
  it('of one call are all stored or none', async () => {
    const topic = await identified('/id');
    const before = await push(happened(topic, { id: 0 }));
    const call = (...ids: number[]) =>
      suite.client.events.pushEvents({ events: ids.map((id) => ({ event: happened(topic, { id }) })) });
    expect(await refusalOf(call(1, 2, 1))).toMatchObject({
      reason: 'ALREADY_OCCURRED',
      fields: ['events[2].event.payload'],
    });
    expect(await refusalOf(call(3, 0))).toMatchObject({
      fields: ['events[1].event.payload'],
      metadata: { event_id: String(before.id) },
    });
    expect((await call(1, 2, 3)).results).toHaveLength(3);
    const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    expect(events.map(({ payload }) => payload?.body?.value)).toEqual([{ id: 0 }, { id: 1 }, { id: 2 }, { id: 3 }]);
  });

  it('of a batch of a stream stand alone', async () => {
    const topic = await identified('/id');
    const payloads: Json[] = [{ id: 1 }, { id: 1 }, { no: 1 }, { id: 2 }];
    async function* requests() {
      yield { batchId: 1n, events: payloads.map((payload) => ({ event: happened(topic, payload) })) };
    }
    const results: unknown[] = [];
    for await (const answer of suite.client.events.pushEventStream(requests())) {
      for (const { result } of answer.results) {
        results.push(result?.$case === 'error' ? [result.value.reason, result.value.metadata.event_id] : 'stored');
      }
    }
    const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
    const first = String(events[0]?.id);
    expect(results).toEqual(['stored', ['ALREADY_OCCURRED', first], ['FIELD_INVALID', undefined], 'stored']);
  });
});

describe('madeleine topics', () => {
  const cli = (...argv: string[]) => runToEnd(['topics', ...argv], { server: suite.server.address });

  it('registers, shows and lists', async () => {
    const [context, name] = [`context ${randomUUID()}`, 'orders'];
    await push(happened('used', {}, { context }));
    const flags = ['--context', context, '--description-paths', '/order/id,/state', '--description-paths', '/a,b'];
    const made = await cli('register', name, ...flags);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).toMatch(/TOPIC +orders\n/);
    expect(made.stdout).toMatch(/DESCRIPTION PATHS +\/a,b,\/order\/id,\/state\n/);
    // How far the server has counted changes by itself.
    const settings = ({ stdout }: { readonly stdout: string }) => stdout.split('EVENTS')[0];
    expect(settings(await cli('register', name, ...flags))).toBe(settings(made));
    expect(settings(await cli('get', name, '--context', context))).toBe(settings(made));
    const listed = await cli('list', '--context', context, '--json');
    expect(ndjson(listed.stdout)).toMatchObject([
      { name: 'madeleine.audit' },
      { name, registered: true, settings: { descriptionPaths: ['/a,b', '/order/id', '/state'] } },
      { name: 'used' },
    ]);
    expect((await cli('--context', context)).stdout).toMatch(
      /^CONTEXT +TOPIC +REGISTERED AT +EVENTS +BYTES +RATE +NEWEST +SETTINGS\n/,
    );
  });

  it('says why it does not', async () => {
    const name = await identified('/id');
    expect(await cli('register', name)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^madeleine: TOPIC_DIFFERS: .*description_paths/),
    });
    expect(await cli('register', newTopic(), '--description-paths', 'id')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('FIELD_INVALID: settings.description_paths[0]'),
    });
    expect(await cli('get', newTopic())).toMatchObject({ code: 1, stderr: expect.stringContaining('TOPIC_UNKNOWN') });
  });
});

describe('a registration that the database lost when it crashed', () => {
  it('is not taken for the next one by an instance that had seen it', async () => {
    const connection = await createConnection(suite.database.adminUrl);
    const [[head]] = (await connection.query('SELECT catalog_version FROM log_head')) as unknown as [[Json]];
    const lost = await identified('/id');
    // The other one loads the catalogue with it.
    await push(happened(newTopic(), {}), other.client);
    const shape = 'JOIN topic t ON t.id = r.topic_id WHERE t.name = ?';
    await connection.query(`DELETE r FROM registered_topic r ${shape}`, [Buffer.from(lost)]);
    await connection.query('UPDATE log_head SET catalog_version = ?', [head?.catalog_version]);
    await connection.end();

    const topic = await identified('/id');
    await push(happened(topic, { id: 1 }), other.client);
    expect((await refusalOf(push(happened(topic, { id: 1 }), other.client))).reason).toBe('ALREADY_OCCURRED');
  });
});

describe('a topic without description paths', () => {
  it('takes equal payloads as ever, registered or not', async () => {
    const topic = newTopic();
    await register(topic);
    for (let n = 0; n < 2; n += 1) {
      const { outcome, event } = await push(happened(topic, { id: 1 }));
      expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
      expect(event).toMatchObject({ status: EventStatus.EVENT_STATUS_OCCURRED, description: undefined });
    }
    const text = newEvent({ topic, payload: bytesPayload('x', 'text/plain') });
    expect((await push(text)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
  });
});
