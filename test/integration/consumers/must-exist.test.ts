// Subscribe and Fetch with must_exist: a mistyped name of a consumer or of a stream is refused, and nothing comes of it.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Scene, useScenes } from '../../support/consumers/consumer-scene.js';
import { type Refusal, refusalOf } from '../../support/contract/refusals.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
const scene = useScenes(suite);

const CONSUMER_UNKNOWN = { status: 'NOT_FOUND', reason: 'CONSUMER_UNKNOWN', fields: [] };
const STREAM_UNKNOWN = { status: 'NOT_FOUND', reason: 'STREAM_UNKNOWN' };

interface Changes {
  readonly consumer?: string;
  readonly context?: string;
  readonly settings?: ConsumerSettings;
}

const CALLS = [
  {
    call: 'Subscribe',
    refused: ({ refused }: Scene, changes: Changes = {}): Promise<Refusal> => refused({ mustExist: true, ...changes }),
  },
  {
    call: 'Fetch',
    refused: ({ fetch }: Scene, changes: Changes = {}): Promise<Refusal> =>
      refusalOf(fetch({ mustExist: true, ...changes })),
  },
] as const;

const byStreams = (...streams: string[]) => ConsumerSettings.fromPartial({ filter: { streams } });

/** Every consumer that is or was there, and the names that are known. */
async function stored(): Promise<unknown> {
  const connection = await createConnection(suite.database.adminUrl);
  const tables = ['consumer', 'context', 'topic', 'stream'];
  const counts = tables.map((table) => `(SELECT COUNT(*) FROM ${table}) AS ${table}`).join(', ');
  const [[rows]] = await connection.query<RowDataPacket[]>(`SELECT ${counts}`);
  await connection.end();
  return rows;
}

describe.each(CALLS)('$call with must_exist', ({ refused }) => {
  it('makes no consumer where there is none, and goes on with one that is there', async () => {
    const test = scene();
    const before = await stored();
    expect(await refused(test)).toMatchObject(CONSUMER_UNKNOWN);
    expect(await refused(test, { context: 'never used' })).toMatchObject(CONSUMER_UNKNOWN);
    expect(await stored()).toEqual(before);
    expect(await refusalOf(test.get())).toMatchObject(CONSUMER_UNKNOWN);
    await suite.client.consumers.createConsumer({ name: test.consumer, settings: test.settings });
    await test.push(2);
    const { deliveries } = await test.fetch({ mustExist: true, limit: 1 });
    expect(deliveries).toHaveLength(1);
    await test.subscribe({ mustExist: true }).first(1);
    await suite.client.consumers.deleteConsumer({ name: test.consumer });
    expect(await refused(test)).toMatchObject(CONSUMER_UNKNOWN);
  });

  it('refuses a filter by streams to which nobody ever pushed, and names each', async () => {
    const test = scene();
    const { consumer, push } = test;
    const stream = `${consumer} stream`;
    await push(1, { stream });
    const settings = byStreams('no such b', stream, 'no such a');
    await suite.client.consumers.createConsumer({ name: consumer, settings });
    const before = await stored();
    const refusal = await refused(test, { settings });
    expect(refusal).toMatchObject({
      ...STREAM_UNKNOWN,
      fields: ['settings.filter.streams[0]', 'settings.filter.streams[2]'],
    });
    expect(refusal.message).toContain('"no such b"');
    // Also before the consumer is looked for, and before its other settings are.
    expect(await refused(test, { consumer: `${consumer}-x`, settings })).toMatchObject(STREAM_UNKNOWN);
    expect(await refused(test, { settings: byStreams(`${stream} mistyped`) })).toMatchObject({
      ...STREAM_UNKNOWN,
      fields: ['settings.filter.streams[0]'],
    });
    expect(await stored()).toEqual(before);
    expect(await refused(test, { settings: byStreams(stream) })).toMatchObject({
      status: 'FAILED_PRECONDITION',
      reason: 'SETTINGS_DIFFER',
    });
    // What is stored was not typed now.
    await test.subscribe({ mustExist: true, settings: undefined }).opened();
  });

  it('knows a stream from its first event on', async () => {
    const test = scene();
    const { consumer, push } = test;
    const stream = `${consumer} later`;
    const settings = byStreams(stream);
    await suite.client.consumers.createConsumer({ name: consumer, settings });
    expect(await refused(test, { settings })).toMatchObject(STREAM_UNKNOWN);
    await push(1, { stream });
    await test.subscribe({ mustExist: true, settings }).first(1);
  });

  it('looks for streams in the context of the consumer, and of one of all in every context', async () => {
    const test = scene();
    const { consumer, push } = test;
    const [here, there] = [`${consumer} here`, `${consumer} there`];
    await push(1, { stream: here });
    await push(1, { stream: there, context: 'elsewhere' });
    const both = byStreams(here, there);
    for (const context of ['default', 'elsewhere', 'all']) {
      await suite.client.consumers.createConsumer({ context, name: consumer, settings: both });
    }
    const fields = (index: number) => ({ ...STREAM_UNKNOWN, fields: [`settings.filter.streams[${index}]`] });
    expect(await refused(test, { settings: both })).toMatchObject(fields(1));
    expect(await refused(test, { context: 'elsewhere', settings: both })).toMatchObject(fields(0));
    const mixed = byStreams(there, 'nowhere', here);
    expect(await refused(test, { context: 'all', settings: mixed })).toMatchObject(fields(1));
    await test.subscribe({ context: 'all', mustExist: true, settings: both }).first(2);
  });

  it('refuses first what is wrong with the request', async () => {
    const test = scene();
    const invalid = { status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID' };
    expect(await refused(test, { consumer: '' })).toMatchObject({ ...invalid, fields: ['consumer'] });
    expect(await refused(test, { settings: byStreams('x', ' y') })).toMatchObject({
      ...invalid,
      fields: ['settings.filter.streams[1]'],
    });
    const many = Array.from({ length: 101 }, (_, n) => `stream ${n}`);
    expect(await refused(test, { settings: byStreams(...many) })).toMatchObject({
      ...invalid,
      fields: ['settings.filter.streams'],
    });
    // As many as a filter has, of which the answer names as many as fit.
    for (const context of ['default', 'all']) {
      const refusal = await refused(test, { context, settings: byStreams(...many.slice(0, 100)) });
      expect(refusal).toMatchObject(STREAM_UNKNOWN);
      expect(refusal.fields.length).toBeGreaterThan(10);
    }
  });
});

describe('CreateConsumer', () => {
  it('goes on making a consumer of streams that nobody has pushed to yet', async () => {
    const { consumer } = scene();
    const settings = byStreams('not yet');
    const made = await suite.client.consumers.createConsumer({ name: consumer, settings });
    expect(made.consumer?.settings?.filter?.streams).toEqual(['not yet']);
  });
});
