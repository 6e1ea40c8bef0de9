// What a consumer gets, said by `where` or by the `filter` of before: one selection, stored in one form.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventFilter, EventStatus } from '../../../generated/madeleine/v1/event.js';
import { type Scene, useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
const scene = useScenes(suite);
const { push } = eventCalls(suite);

const INVALID = { status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID' };
const DIFFERS = { status: 'FAILED_PRECONDITION', reason: 'SETTINGS_DIFFER' };
const { EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED } = EventStatus;

const settingsOf = (settings: object) => ConsumerSettings.fromPartial(settings as ConsumerSettings);
const where = (filter: Partial<EventFilter>) => settingsOf({ where: filter });

/** The stored settings of a consumer. */
async function stored({ consumer }: Scene): Promise<Record<string, unknown>> {
  const connection = await createConnection(suite.database.adminUrl);
  const [[row]] = await connection.query<RowDataPacket[]>('SELECT settings FROM consumer WHERE name = ?', [consumer]);
  await connection.end();
  return JSON.parse(row?.settings as string) as Record<string, unknown>;
}

const create = ({ consumer }: Scene, settings: ConsumerSettings) =>
  suite.client.consumers.createConsumer({ name: consumer, settings });
const update = ({ consumer }: Scene, settings: object, ...updateMask: string[]) =>
  suite.client.consumers.updateConsumer({ name: consumer, settings: settingsOf(settings), updateMask });

/** A selection that either field can say. */
const BOTH = {
  ...{ topics: ['b', 'a', 'b'], streams: ['s'], issuers: ['i'], subjects: [5, 4], tags: ['y', 'x'] },
  ...{ entityTypes: ['e'], statuses: [EVENT_STATUS_INVALIDATED, EVENT_STATUS_OCCURRED] },
  description: { b: 1, a: { c: [2] } },
};
/** The same in other words of `where`. */
const REWORDED = {
  ...{ topics: ['a', 'b'], stream: 's', issuer: 'i', issuers: ['i'], subject: 4, subjects: [5], tag: 'x' },
  ...{ tags: ['y'], entityType: 'e', statuses: [EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED] },
  description: { a: { c: [2] }, b: 1 },
};

describe('a selection', () => {
  it.each([
    ['filter', 'where', { filter: BOTH }, { where: REWORDED }],
    ['where', 'filter', { where: REWORDED }, { filter: BOTH }],
  ])('that %s said is the same as one that %s says', async (_, __, one, other) => {
    const test = scene();
    const { consumer: made } = await create(test, settingsOf(one));
    const { consumer: same } = await create(test, settingsOf(other));
    expect(same?.settings).toEqual(made?.settings);
    const { generation, settings } = await test.get();
    await update(test, other, ...Object.keys(other));
    expect((await test.get()).generation).toBe(generation);
    await test.fetch({ settings: settingsOf(other) });
    // Both fields tell it, in the one form.
    const told = { ...BOTH, topics: ['a', 'b'], subjects: [4, 5], tags: ['x', 'y'] };
    const statuses = [EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED];
    expect(settings?.filter).toEqual({ ...told, statuses });
    expect(settings?.where).toEqual({ ...EventFilter.create(), ...told, statuses });
  });

  it('is stored in one form', async () => {
    const [one, other] = [scene(), scene()];
    await create(one, settingsOf({ filter: BOTH }));
    await create(other, settingsOf({ where: REWORDED }));
    expect((await stored(one)).filter).toEqual((await stored(other)).filter);
  });

  it('that is told can be given back, by either field', async () => {
    const test = scene();
    const { consumer: made } = await create(test, where(REWORDED));
    const { generation } = await test.get();
    for (const field of ['filter', 'where'] as const) {
      const settings = { [field]: made?.settings?.[field] };
      await create(test, settingsOf(settings));
      await update(test, settings, field);
    }
    expect((await test.get()).generation).toBe(generation);
  });

  it('of every event is told by both fields', async () => {
    const test = scene();
    const { consumer } = await create(test, settingsOf({}));
    const every = EventFilter.create();
    expect(consumer?.settings?.where).toEqual(every);
    expect(consumer?.settings?.filter).toMatchObject({ topics: [], streams: [], description: undefined });
    await create(test, where(every));
    await create(test, settingsOf({ filter: {} }));
  });
});

describe('a selection that only where can say', () => {
  const MORE: readonly (readonly [string, Partial<EventFilter>])[] = [
    ['session_ids', { sessionIds: ['s'] }],
    ['correlation_ids', { correlationId: 'c' }],
    ['reply_to_names', { replyToNames: ['r'] }],
    ['organizations', { organization: 'o' }],
    ['units', { units: ['u'] }],
    ['properties', { properties: { a: '1' } }],
  ];

  it.each(MORE)('is not told by filter, which cannot change it: %s', async (name, more) => {
    const test = scene();
    const said = { topics: [test.topic], ...more };
    const { consumer } = await create(test, where(said));
    expect(consumer?.settings?.filter).toBeUndefined();
    const { generation } = await test.get();
    const refusal = { ...DIFFERS, fields: ['settings.filter'] };
    for (const filter of [{ topics: ['other'] }, { topics: [test.topic] }, undefined]) {
      expect(await refusalOf(update(test, { filter }, 'filter'))).toMatchObject(refusal);
    }
    // Who says less by either field is told what is stored.
    for (const settings of [settingsOf({ filter: { topics: [test.topic] } }), where({ topics: [test.topic] })]) {
      const fields = [`settings.where.${name}`];
      expect(await refusalOf(test.fetch({ settings }))).toMatchObject({ ...DIFFERS, fields });
      expect(await refusalOf(create(test, settings))).toMatchObject({ ...DIFFERS, fields });
      expect(await test.refused({ settings })).toMatchObject({ ...DIFFERS, fields });
    }
    expect(await test.get()).toMatchObject({ generation, settings: consumer?.settings });
    // By where it can, and then filter tells it again.
    await update(test, { where: { topics: ['x'] } }, 'where');
    const after = await test.get();
    expect(after.settings?.filter?.topics).toEqual(['x']);
    expect(after.generation).toBe(generation + 1n);
    await update(test, { filter: { topics: ['y'] } }, 'filter');
  });

  it('goes with an update of where without a value', async () => {
    const test = scene();
    await create(test, where({ units: ['u'] }));
    const { consumer } = await update(test, {}, 'where');
    expect(consumer?.settings?.where).toEqual(EventFilter.create());
  });
});

describe('both fields together', () => {
  const both = settingsOf({ filter: { topics: ['a'] }, where: { topics: ['a'] } });
  const refusal = { ...INVALID, fields: ['settings.filter', 'settings.where'] };

  it('are refused by each call, and nothing comes of it', async () => {
    const test = scene();
    expect(await test.refused({ settings: both })).toMatchObject(refusal);
    expect(await refusalOf(test.fetch({ settings: both }))).toMatchObject(refusal);
    expect(await refusalOf(create(test, both))).toMatchObject(refusal);
    expect(await refusalOf(test.get())).toMatchObject({ reason: 'CONSUMER_UNKNOWN' });
    await create(test, settingsOf({}));
    const { settings, generation } = await test.get();
    expect(await refusalOf(update(test, both, 'max_attempts'))).toMatchObject(refusal);
    expect(await refusalOf(update(test, {}, 'filter', 'max_attempts', 'where'))).toMatchObject({
      ...INVALID,
      fields: ['update_mask.paths[0]', 'update_mask.paths[2]'],
    });
    expect(await test.get()).toMatchObject({ settings, generation });
  });

  it('are not mixed up by an update that names one and gives the other', async () => {
    const test = scene();
    await create(test, where({ topics: ['a'] }));
    const fields = ['update_mask.paths[1]'];
    for (const [mask, given] of [
      ['filter', 'where'],
      ['where', 'filter'],
    ] as const) {
      const settings = { maxAttempts: 2, [given]: { topics: ['b'] } };
      expect(await refusalOf(update(test, settings, 'max_attempts', mask))).toMatchObject({ ...INVALID, fields });
    }
    expect((await test.get()).settings).toMatchObject({ maxAttempts: 10, where: { topics: ['a'] } });
  });
});

describe('where', () => {
  it('takes the context of the consumer alone', async () => {
    const test = scene();
    const { consumer } = test;
    const call = (context: string, of: string) =>
      suite.client.consumers.createConsumer({ context, name: consumer, settings: where({ context: of }) });
    const refusal = { ...INVALID, fields: ['settings.where.context'] };
    for (const [context, of] of [
      ['', 'other'],
      ['', 'all'],
      ['north', 'default'],
      ['all', 'default'],
    ] as const) {
      expect(await refusalOf(call(context, of))).toMatchObject(refusal);
    }
    for (const [context, of] of [
      ['', 'default'],
      ['', ''],
      ['north', 'north'],
      ['all', 'all'],
      ['all', ''],
    ] as const) {
      const { consumer: made } = await call(context, of);
      expect(made?.settings?.where).toEqual(EventFilter.create());
    }
  });

  it('takes as addressees the consumer, whom nothing else reaches', async () => {
    const test = scene();
    const { consumer, topic } = test;
    expect(await refusalOf(create(test, where({ to: 'other' })))).toMatchObject({
      ...INVALID,
      fields: ['settings.where.to'],
    });
    expect(await refusalOf(create(test, where({ toNames: ['x', 'y'] })))).toMatchObject({
      ...INVALID,
      fields: ['settings.where.to_names'],
    });
    const settings = where({ topics: [topic], to: consumer, toNames: ['other'] });
    await push({ topic });
    const { position } = await push({ topic, to: consumer });
    await push({ topic, to: 'other' });
    const { deliveries } = await test.fetch({ settings });
    expect(deliveries.map(({ event }) => event?.position)).toEqual([position]);
  });

  it('names the streams that must_exist misses, each by its field', async () => {
    const test = scene();
    const stream = `${test.consumer} stream`;
    await test.push(1, { stream });
    await create(test, where({ streams: [stream] }));
    const settings = where({ stream: 'no such a', streams: [stream, 'no such b'] });
    expect(await refusalOf(test.fetch({ mustExist: true, settings }))).toMatchObject({
      ...{ status: 'NOT_FOUND', reason: 'STREAM_UNKNOWN' },
      fields: ['settings.where.stream', 'settings.where.streams[1]'],
    });
    await test.fetch({ mustExist: true, settings: where({ stream }) });
  });

  it('is echoed to who says it: by Fetch, and in what opens a subscription', async () => {
    const test = scene();
    const settings = where({ topics: [test.topic], units: ['b', 'a'] });
    const echo = EventFilter.fromPartial({ topics: [test.topic], units: ['a', 'b'] });
    expect((await test.fetch({ settings })).filter).toEqual(echo);
    expect((await test.fetch({ settings: undefined })).filter).toBeUndefined();
    const { consumer } = await test.subscribe({ settings: undefined }).opened();
    expect(consumer?.settings?.where).toEqual(echo);
  });

  it('begins a new generation where it selects otherwise', async () => {
    const test = scene();
    await create(test, where({ topics: [test.topic] }));
    const { generation } = await test.get();
    await update(test, { where: { topics: [test.topic, test.topic] } }, 'where');
    expect((await test.get()).generation).toBe(generation);
    await update(test, { where: { topics: [test.topic], properties: { a: '1' } } }, 'where');
    expect((await test.get()).generation).toBe(generation + 1n);
  });
});

describe('settings that were stored before', () => {
  /** As a server of before wrote them. */
  const FORMER = {
    ...{ streams: [], issuers: [], subjects: [], tags: ['x'], entityTypes: [] },
    ...{ description: '{"n":1}', kinds: [EVENT_STATUS_OCCURRED - 1, EVENT_STATUS_INVALIDATED - 1] },
  };

  it('go on selecting, are told by both fields, and are equal to the same said anew', async () => {
    const test = scene();
    const { consumer, topic } = test;
    await create(test, settingsOf({ filter: { topics: [topic] } }));
    const before = await stored(test);
    const settings = JSON.stringify({ ...before, filter: { topics: [topic], ...FORMER } });
    const connection = await createConnection(suite.database.adminUrl);
    await connection.query('UPDATE consumer SET settings = ? WHERE name = ?', [settings, consumer]);
    await connection.end();
    const { position } = await push({
      topic,
      tag: 'x',
      payload: { contentType: '', body: { $case: 'data', value: Buffer.from('{"n":1}') } },
    });
    await push({ topic, tag: 'y' });
    const said = {
      ...{ topics: [topic], tags: ['x'], description: { n: 1 } },
      statuses: [EVENT_STATUS_OCCURRED, EVENT_STATUS_INVALIDATED],
    };
    for (const same of [settingsOf({ filter: said }), where(said)]) {
      const { consumer: found } = await create(test, same);
      expect(found?.settings?.filter).toMatchObject(said);
      expect(found?.settings?.where).toMatchObject(said);
    }
    const { deliveries } = await test.fetch({ settings: where({ ...said, tag: 'x' }) });
    expect(deliveries.map(({ event }) => event?.position)).toEqual([position]);
  });
});
