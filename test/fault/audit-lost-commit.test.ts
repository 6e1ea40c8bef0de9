// The answer of the COMMIT of a management call is lost, or the database goes away for good: the change and its entry are stored together
// or not at all, and once.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import {
  CreateConsumerRequest,
  SeekConsumerRequest,
  UpdateConsumerRequest,
  Verdict,
} from '../../generated/madeleine/v1/consumer_service.js';
import { useScenes } from '../support/consumers/consumer-scene.js';
import { refusalOf } from '../support/contract/refusals.js';
import type { Statement } from '../support/database/faulty-proxy.js';
import { isCommit, isOfGroup, useProxiedServer } from '../support/database/proxied.js';

const suite = useProxiedServer();
const scene = useScenes(suite);

interface Stored {
  /** Calls that have left entries about the consumer, oldest first. */
  readonly calls: readonly string[];
  readonly generation: number | undefined;
  readonly settings:
    | { readonly maxAttempts: number; readonly filter: { readonly topics: readonly string[] } }
    | undefined;
  readonly offset: number | undefined;
  readonly deleted: boolean | undefined;
  /** States of its failure records. */
  readonly failures: readonly number[];
}

/** What is stored of a consumer, past the server and the proxy. */
async function stored(name: string): Promise<Stored> {
  const connection = await createConnection(suite.database.adminUrl);
  try {
    const [entries] = await connection.query<RowDataPacket[]>(
      `SELECT JSON_UNQUOTE(JSON_EXTRACT(json, '$.call')) AS c FROM events
       WHERE topic = 'madeleine.audit' AND JSON_UNQUOTE(JSON_EXTRACT(json, '$.consumer')) = ? ORDER BY position`,
      [name],
    );
    const [[row]] = await connection.query<RowDataPacket[]>('SELECT * FROM consumer WHERE name = ?', [name]);
    const [failures] = await connection.query<RowDataPacket[]>(
      'SELECT state FROM consumer_trouble WHERE consumer_id = ? ORDER BY position',
      [row?.['id'] ?? 0],
    );
    return {
      calls: entries.map((entry) => entry['c'] as string),
      generation: row?.['generation'] as number | undefined,
      settings: row && JSON.parse(row['settings'] as string),
      offset: row?.['acked_to'] as number | undefined,
      deleted: row && row['deleted_at'] !== null,
      failures: failures.map(({ state }) => state as number),
    };
  } finally {
    await connection.end();
  }
}

/** How many entries tell of the registration of a topic. */
async function registrations(topic: string): Promise<number> {
  const connection = await createConnection(suite.database.adminUrl);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(
      `SELECT position FROM events WHERE tag = 'RegisterTopic' AND JSON_UNQUOTE(JSON_EXTRACT(json, '$.topic')) = ?`,
      [topic],
    );
    return rows.length;
  } finally {
    await connection.end();
  }
}

const consumers = () => suite.client.consumers;
const seekTo = (name: string, position: bigint) =>
  consumers().seekConsumer(
    SeekConsumerRequest.fromPartial({ name, to: { at: { $case: 'afterPosition', value: position } } }),
  );
const updateTopics = (name: string, topics: string[]) =>
  consumers().updateConsumer(
    UpdateConsumerRequest.fromPartial({
      ...{ name, settings: { filter: { topics }, maxAttempts: 7 }, updateMask: ['filter', 'max_attempts'] },
    } as UpdateConsumerRequest),
  );

/** A consumer with three events that are parked. */
async function withParked() {
  const { fetch, push, reject, consumer } = scene();
  const positions = (await push(3)) as [bigint, bigint, bigint];
  const { deliveries } = await fetch({ limit: 3 });
  await reject(deliveries, { verdict: Verdict.VERDICT_PARK });
  return { consumer, positions };
}

describe.each(['cut after', 'cut before'] as const)('a connection %s COMMIT', (kind) => {
  const lose = () => suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1 });

  it('creates a consumer once', async () => {
    const name = `created ${kind}`;
    const lost = lose();
    await consumers().createConsumer(CreateConsumerRequest.fromPartial({ name }));
    expect(lost.hits).toBe(1);
    expect(await stored(name)).toMatchObject({ calls: ['CreateConsumer'], generation: 1 });
  });

  it('changes settings once, with one new generation', async () => {
    const name = `updated ${kind}`;
    await consumers().createConsumer(CreateConsumerRequest.fromPartial({ name }));
    const lost = lose();
    const { consumer } = await updateTopics(name, ['other']);
    expect(lost.hits).toBe(1);
    expect(consumer).toMatchObject({ generation: 2n, settings: { maxAttempts: 7, filter: { topics: ['other'] } } });
    expect(await stored(name)).toMatchObject({ calls: ['CreateConsumer', 'UpdateConsumer'], generation: 2 });
  });

  it('moves a consumer once', async () => {
    const { consumer, positions } = await withParked();
    const lost = lose();
    await seekTo(consumer, positions[1]);
    expect(lost.hits).toBe(1);
    // What is parked after the place is delivered again.
    const moved = { generation: 2, offset: Number(positions[1]), failures: [2, 2] };
    expect(await stored(consumer)).toMatchObject({ calls: ['Fetch', 'SeekConsumer'], ...moved });
  });

  it('replays and discards parked events once', async () => {
    const { consumer, positions } = await withParked();
    const lost = lose();
    expect((await consumers().replayParkedEvents({ consumer, positions: [positions[0]] })).replayed).toBe(1n);
    expect(lost.hits).toBe(1);
    expect(await stored(consumer)).toMatchObject({ calls: ['Fetch', 'ReplayParkedEvents'], failures: [3, 2, 2] });
    const again = lose();
    expect((await consumers().discardParkedEvents({ consumer, all: true })).discarded).toBe(3n);
    expect(again.hits).toBe(1);
    const { calls, failures } = await stored(consumer);
    expect(calls).toEqual(['Fetch', 'ReplayParkedEvents', 'DiscardParkedEvents']);
    expect(failures).toEqual([]);
  });

  it('deletes a consumer once', async () => {
    const name = `deleted ${kind}`;
    await consumers().createConsumer(CreateConsumerRequest.fromPartial({ name }));
    const lost = lose();
    await consumers().deleteConsumer({ name });
    expect(lost.hits).toBe(1);
    expect(await stored(name)).toMatchObject({ calls: ['CreateConsumer', 'DeleteConsumer'], deleted: true });
  });

  it('registers a topic once', async () => {
    const lost = lose();
    expect((await suite.client.topics.registerTopic({ name: `topic ${kind}` })).created).toBe(true);
    expect(lost.hits).toBe(1);
    expect(await registrations(`topic ${kind}`)).toBe(1);
  });
});

describe('a database that goes away with the COMMIT', () => {
  it.each(['cut after', 'cut before'] as const)(
    'has both the new filter and the new generation, or neither: %s',
    async (kind) => {
      const name = `gone ${kind}`;
      await consumers().createConsumer(CreateConsumerRequest.fromPartial({ name }));
      const before = await stored(name);
      suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1 });
      const lost = suite.proxy.statements.length;
      const isLater = (statement: Statement) =>
        isOfGroup(statement) && suite.proxy.statements.slice(lost).some((one) => one !== statement && isCommit(one));
      suite.proxy.inject({ harm: { kind: 'cut before' }, when: isLater, times: 1_000 });
      const refusal = await refusalOf(updateTopics(name, ['other']));
      expect(refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'STORAGE_UNAVAILABLE' });
      const after = await stored(name);
      if (kind === 'cut before') expect(after).toEqual(before);
      else expect(after).toMatchObject({ calls: ['CreateConsumer', 'UpdateConsumer'], generation: 2 });
      suite.proxy.forget();
      // What is kept in memory is what is stored.
      const { generation, settings } = (await consumers().getConsumer({ name })).consumer ?? {};
      expect([Number(generation), settings?.maxAttempts, settings?.filter?.topics ?? []]).toEqual([
        after.generation,
        after.settings?.maxAttempts,
        after.settings?.filter.topics ?? [],
      ]);
      const { consumer: changed } = await updateTopics(name, ['other']);
      expect(changed).toMatchObject({ generation: 2n, settings: { maxAttempts: 7 } });
      expect((await stored(name)).calls).toEqual(['CreateConsumer', 'UpdateConsumer']);
    },
    40_000,
  );
});
