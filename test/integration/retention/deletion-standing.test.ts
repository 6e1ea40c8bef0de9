// That the deletion stands, and why: in GetServerInfo, in what doctor says and in the metrics, on the instance that deletes and on others.

import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ComponentState } from '../../../generated/madeleine/v1/admin_service.js';
import { CreateConsumerRequest, FetchRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { RetentionMode } from '../../../generated/madeleine/v1/topic_service.js';
import { inspectServerSide } from '../../../src/app/migrate-and-doctor.js';
import { readConfig } from '../../../src/config.js';
import { Database } from '../../../src/storage/mysql/sql/database.js';
import { eventCalls, newTopic } from '../../support/events/event-calls.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const beside = useServerBeside(suite);
const both = [suite, beside];
const { occur, list } = eventCalls(suite);
const { COMPONENT_STATE_UP: UP, COMPONENT_STATE_DOWN: DOWN, COMPONENT_STATE_IDLE: IDLE } = ComponentState;

let database: Database;
beforeAll(() => {
  database = new Database({ url: suite.database.url, poolSize: 1, random: Math.random });
});
afterAll(() => database.close());

/** What the instances say of the deletion; that which deletes has something to say of its topics. */
async function deletion() {
  const found = await Promise.all(
    both.map(async ({ client }) => {
      const { components } = await client.admin.getServerInfo({});
      return components.find(({ name }) => name === 'deletion');
    }),
  );
  return found.map((one) => ({ state: one?.state, detail: one?.detail ?? '', since: one?.since }));
}

const become = (isSo: (found: Awaited<ReturnType<typeof deletion>>) => boolean, what: string) =>
  waitUntil(
    async () => {
      const found = await deletion();
      return isSo(found) ? found : undefined;
    },
    { what, timeoutMs: 40_000 },
  );

/** The lines of the metric, of both instances. */
async function lines(metric: string): Promise<string[]> {
  const texts = await Promise.all(
    both.map(async ({ server }) => (await fetch(`http://${server.httpAddress}/metrics`)).text()),
  );
  return texts.flatMap((text) => text.split('\n').filter((line) => line.startsWith(metric)));
}

/** What doctor finds of the deletion: as the servers say it, and in the database without one. */
async function doctor() {
  const servers = both.map(({ server }) => server.httpAddress);
  const findings = await Promise.all(
    [...servers, '127.0.0.1:9'].map((httpListen) => {
      const config = readConfig({ databaseUrl: suite.database.url, httpListen }, {});
      return inspectServerSide({ config, logger: pino({ level: 'silent' }), nowMs: () => Date.now() });
    }),
  );
  return findings.map((found) => found.find(({ check }) => check === 'deletion'));
}

describe('the deletion', { timeout: 90_000 }, () => {
  it('is idle while every topic keeps everything, on the instance that would delete', async () => {
    const found = await become((all) => all.some(({ state }) => state === IDLE), 'one to be idle');
    expect(found.map(({ state }) => state).sort()).toEqual([UP, IDLE].sort());
    expect(found.find(({ state }) => state === UP)?.detail).toBe('another instance deletes');
    expect(await lines('madeleine_retention_stopped')).toEqual(Array(2).fill('madeleine_retention_stopped 0'));
    expect(await lines('madeleine_retention_lag_seconds{')).toEqual([]);
  });

  it('says who holds what and for how long, until it is passed', async () => {
    const [topic, free] = [newTopic(), newTopic()];
    const consumer = `slow ${topic}`;
    const settings = { ttl: '1h', retentionMode: RetentionMode.RETENTION_MODE_HOLD };
    for (const name of [topic, free]) await suite.client.topics.registerTopic({ name, settings });
    const request = { name: consumer, settings: { filter: { topics: [topic] } } };
    await suite.client.consumers.createConsumer(CreateConsumerRequest.fromPartial(request));
    for (const name of [topic, free]) await occur(name, { n: 1 });
    await database.query('UPDATE log SET created_at = created_at - 10800000000');
    await occur(newTopic(), { n: 2 });
    const held = new RegExp(`"${topic}" in "default" is held by consumer "${consumer}", for 2 h by now$`);
    const found = await become((all) => all.some(({ detail }) => held.test(detail)), 'it to be held');
    expect(found.map(({ state }) => state)).toEqual([UP, UP]);
    const [line = '', ...others] = await lines('madeleine_retention_held_seconds{');
    expect(others).toEqual([]);
    expect(line).toContain(`{context="default",topic="${topic}",consumer_context="default",consumer="${consumer}"}`);
    expect(Number(line.split(' ').at(-1))).toBeGreaterThan(7_199);
    await waitUntil(async () => (await list({ topics: [free] })).length === 0, { what: 'the other topic to go' });
    const lags = async () => (await lines('madeleine_retention_lag_seconds{')).map((one) => one.split(' ').at(-1));
    await waitUntil(
      async () => {
        const [first, second, ...rest] = await lags();
        return Number(first) > 7_199 && second === '0' && rest.length === 0;
      },
      { what: 'one topic to lag', timeoutMs: 20_000 },
    );
    expect((await doctor()).map((one) => one?.state)).toEqual(['ok', 'ok', undefined]);

    const { deliveries } = await suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer }));
    const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    await suite.client.consumers.acknowledge({ consumer, acknowledgements });
    await become((all) => all.some(({ detail }) => detail === 'deletes what is due'), 'nothing to be held');
    await waitUntil(async () => (await list({ topics: [topic] })).length === 0, {
      ...{ what: 'what was held to go', timeoutMs: 20_000 },
    });
    expect(await lines('madeleine_retention_held_seconds{')).toEqual([]);
  });

  it('says on every instance that the clock leapt, and what mends it, until somebody resumes', async () => {
    await database.query(
      'UPDATE retention_cursor SET stopped_at = 1700000000000000, leapt_by = 34560000000000 WHERE id = 1',
    );
    const detail = 'nothing is deleted: the clock of the database leapt by 400 days';
    const found = await become((all) => all.every(({ state }) => state === DOWN), 'both to say so');
    for (const one of found) expect(one).toMatchObject({ detail, since: { seconds: 1_700_000_000n } });
    const problem = { check: 'deletion', state: 'problem', detail, mend: expect.stringContaining('retention resume') };
    expect(await doctor()).toEqual([problem, problem, problem]);
    expect(await lines('madeleine_retention_stopped')).toEqual(Array(2).fill('madeleine_retention_stopped 1'));
    const { stdout } = await runToEnd(['info'], { server: beside.server.address });
    expect(stdout).toMatch(
      /^deletion +down +2023\S+ +nothing is deleted: the clock of the database leapt by 400 days/m,
    );
    await suite.client.topics.resumeRetention({});
    expect((await deletion())[0]?.state).not.toBe(DOWN);
    const [here, , inDatabase] = await doctor();
    expect([here?.state, inDatabase]).toEqual(['ok', undefined]);
    expect(await lines('madeleine_retention_stopped')).toContain('madeleine_retention_stopped 0');
  });

  it('says that it waits as nobody had looked for long', async () => {
    await database.query('UPDATE retention_cursor SET waits_until = 4102444800000000 WHERE id = 1');
    const said = 'nothing is deleted until 2100-01-01T00:00:00Z, as no instance had run for more than a day';
    const found = await become((all) => all.every(({ detail }) => detail === said), 'both to say so');
    expect(found.map(({ state }) => state)).toEqual([DOWN, DOWN]);
    await beside.client.topics.resumeRetention({});
    await become((all) => all.every(({ state }) => state !== DOWN), 'both to go on');
  });

  it('says that it fails, since when, and that it goes on', async () => {
    const before = Date.now() / 1_000;
    await database.query('RENAME TABLE retention_cursor TO retention_cursor_away');
    const found = await become((all) => all.every(({ state }) => state === DOWN), 'both to fail');
    for (const { detail, since } of found) {
      expect(detail).toBe('nothing is deleted: it fails, and is tried again');
      expect(Number(since?.seconds)).toBeGreaterThanOrEqual(Math.floor(before));
    }
    expect((await doctor()).filter((one) => one?.state === 'problem')).toHaveLength(2);
    await database.query('RENAME TABLE retention_cursor_away TO retention_cursor');
    await become((all) => all.every(({ state }) => state === UP), 'both to go on');
  });
});
