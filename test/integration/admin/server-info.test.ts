// GetServerInfo: what the server is, on what it runs, how it is, and what it takes at most.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ComponentState,
  Durability,
  type GetServerInfoResponse,
  GetServerInfoResponse as Message,
} from '../../../generated/madeleine/v1/admin_service.js';
import { SCHEMA_VERSION } from '../../../src/storage/mysql/sql/schema.js';
import { createTestDatabase } from '../../support/database/database.js';
import { PrivateDatabase } from '../../support/database/private-database.js';
import { newEvent } from '../../support/events/builders.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const beside = useServerBeside(suite);

const AT_ONCE = { what: 'the answer says so' };
const info = (client = suite.client) => client.admin.getServerInfo({});
const stateOf = ({ components }: GetServerInfoResponse, name: string) =>
  components.find((component) => component.name === name)?.state;

describe('GetServerInfo', () => {
  it('tells versions, instance, database, log, limits and components', async () => {
    const { event } = await suite.client.events.pushEvent({ event: newEvent({}) });
    const answer = await info();
    expect(answer).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      ...{ contract: 'madeleine.v1', schemaVersion: SCHEMA_VERSION, nodeVersion: process.version },
      database: { embedded: false, durability: Durability.DURABILITY_DURABLE, lossySettings: [] },
      log: { headPosition: event?.position, headTime: event?.createdAt },
    });
    expect(answer.log?.epoch).toBeGreaterThan(0n);
    expect(answer.database?.engine).toMatch(/^(MariaDB|MySQL)$/);
    expect(answer.database?.version).toMatch(/^\d+\.\d+/);
    expect(answer.limits).toEqual(
      expect.arrayContaining([
        { name: 'payload_bytes', value: 262_144n, unit: 'bytes' },
        { name: 'batch_events', value: 1_000n, unit: 'events' },
      ]),
    );
    expect(new Set(answer.limits.map(({ name }) => name)).size).toBe(answer.limits.length);
    expect(answer.components.map(({ name, state }) => [name, state])).toEqual([
      ['database', ComponentState.COMPONENT_STATE_UP],
      ['tail', ComponentState.COMPONENT_STATE_UP],
      ['callbacks', ComponentState.COMPONENT_STATE_UP],
      ['broker', ComponentState.COMPONENT_STATE_OFF],
      ['deletion', expect.any(Number)],
    ]);
  });

  it('goes on with the time', async () => {
    const first = (await info()).uptime;
    const later = await waitUntil(async () => {
      const { uptime } = await info();
      return uptime !== undefined && first !== undefined && uptime.nanos !== first.nanos ? uptime : undefined;
    }, AT_ONCE);
    const millis = ({ seconds, nanos }: typeof later) => Number(seconds) * 1_000 + nanos / 1_000_000;
    expect(millis(later)).toBeGreaterThan(millis(first as typeof later));
  });

  it('tells the instances on the same database, itself first', async () => {
    const [own, other] = [(await info()).instance, (await info(beside.client)).instance];
    expect(own?.name).not.toBe(other?.name);
    const both = await waitUntil(async () => {
      const { instances } = await info();
      return instances.length === 2 ? instances : undefined;
    }, AT_ONCE);
    expect(both[0]).toMatchObject({ name: own?.name, address: own?.address, startedAt: own?.startedAt });
    expect(both[1]).toMatchObject({ name: other?.name, address: other?.address });
    for (const { seenAt } of both) expect(seenAt).toBeDefined();
  });

  it('tells no secret', async () => {
    const text = JSON.stringify(Message.toJSON(await info()));
    const { username, password } = new URL(suite.database.url);
    expect(password).not.toBe('');
    for (const secret of [password, `${username}:`, '://', process.cwd()]) expect(text).not.toContain(secret);
  });

  it('reads well on the command line', async () => {
    const { code, stdout } = await runToEnd(['info', '--limits'], { server: suite.server.address });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^madeleine \d.* contract madeleine\.v1, schema \d+, on Node v/);
    expect(stdout).toMatch(/^database (MariaDB|MySQL) \d.*, durable, seen at 2/m);
    expect(stdout).toMatch(/^broker +off/m);
    expect(stdout).toMatch(/^payload_bytes +262144 +bytes$/m);
    const json = await runToEnd(['info', '--json'], { server: suite.server.address });
    expect(ndjson(json.stdout)[0]).toMatchObject({
      contract: 'madeleine.v1',
      database: { durability: 'DURABILITY_DURABLE' },
    });
  });
});

describe('a server whose database goes', { timeout: 60_000 }, () => {
  const mariadb = new PrivateDatabase({ arguments: ['--innodb-flush-log-at-trx-commit=2'] });
  let server: Awaited<ReturnType<typeof startServer>>;
  let client: TestClient;

  beforeAll(async () => {
    await mariadb.start();
    server = await startServer({ databaseUrl: (await createTestDatabase(mariadb.adminUrl)).url, allowLossy: 'true' });
    client = new TestClient(server.address);
  });
  afterAll(async () => {
    client?.close();
    await server?.stop();
    await mariadb.stop();
  });

  it('says that it is lossy and why, and goes on telling what it knows', async () => {
    const { event } = await client.events.pushEvent({ event: newEvent({}) });
    const before = await waitUntil(async () => {
      const answer = await info(client);
      return answer.database?.seenAt === undefined ? undefined : answer;
    }, AT_ONCE);
    expect(before.database).toMatchObject({
      durability: Durability.DURABILITY_LOSSY,
      lossySettings: [
        { name: 'innodb_flush_log_at_trx_commit', value: '2', advice: expect.stringContaining('SET GLOBAL') },
      ],
    });
    await mariadb.kill();
    const away = await waitUntil(async () => {
      const answer = await info(client);
      return stateOf(answer, 'database') === ComponentState.COMPONENT_STATE_DOWN ? answer : undefined;
    }, AT_ONCE);
    expect(away.database).toMatchObject({ engine: before.database?.engine, durability: Durability.DURABILITY_LOSSY });
    expect(away.log).toMatchObject({ headPosition: event?.position });
    expect(away.components[0]?.since).not.toEqual(before.components[0]?.since);
    await mariadb.run();
    await waitUntil(async () => stateOf(await info(client), 'database') === ComponentState.COMPONENT_STATE_UP, AT_ONCE);
  });
});
