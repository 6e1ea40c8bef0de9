// The command line for waits, against a real server: expect, awaited, explain, invalidate, pushes with descriptions.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

describe('waits on the command line', () => {
  let database: TestDatabase;
  let server: TestServer;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  const cli = (...argv: string[]) => runToEnd(argv, { server: server.address });
  const push = (topic: string, ...rest: string[]) => cli('push', '--topic', topic, '--issuer', 'bank', ...rest);
  /** Texts of a description and of a payload that no other test uses. */
  const order = () => {
    const id = randomUUID();
    return { wanted: `{"order":"${id}"}`, payload: `{"order": "${id}", "amount": 12.50}` };
  };

  /** The command, once it says that it waits; and the id of the event. */
  async function expecting(...argv: string[]): Promise<{ running: RunningCli; id: string }> {
    const running = new RunningCli(['expect', ...argv], { server: server.address });
    const said = await waitUntil(() => /event (\d+) is awaited until 20/.exec(running.notices), { what: 'it waits' });
    return { running, id: said[1] ?? '' };
  }

  describe('expect', () => {
    it('prints what occurred already at once, payload as it was pushed', async () => {
      const { wanted, payload } = order();
      await push('payments', payload);
      const { code, stdout, stderr } = await cli('expect', 'payments', wanted);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^ +\d+ {2}event \d+ {2}20\S+Z {2}payments {2}- {2}bank {2}/);
      expect(stdout).toContain(payload);
      const [json] = ndjson((await cli('expect', 'payments', wanted, '--json')).stdout);
      expect(json).toMatchObject({
        topic: 'payments',
        status: 'EVENT_STATUS_OCCURRED',
        payload: { json: { amount: 12.5 } },
      });
    });

    it('waits for what did not occur, and prints it when it does, to all who expect it', async () => {
      const { wanted, payload } = order();
      const first = await expecting('payments', wanted, '--issuer', 'shop');
      const second = await expecting('payments', wanted, '--json');
      expect(second.id).toBe(first.id);
      const again = await expecting('--id', first.id);
      await push('payments', payload);
      const results = await Promise.all([first, second, again].map(({ running }) => running.ended()));
      expect(results.map(({ code }) => code)).toEqual([0, 0, 0]);
      for (const { stdout } of results) expect(stdout).toContain(payload);
      expect(ndjson(results[1]?.stdout ?? '')).toMatchObject([{ id: first.id, status: 'EVENT_STATUS_OCCURRED' }]);
    });

    it('ends with 3 when the wait expires', async () => {
      const { running, id } = await expecting('payments', order().wanted, '--wait-timeout', '1s', '--json');
      const { code, stdout, stderr } = await running.ended();
      expect(code).toBe(3);
      expect(stderr).toMatch(new RegExp(`\nmadeleine: event ${id} did not occur before 20\\S+Z\n$`));
      expect(ndjson(stdout)).toMatchObject([{ id, status: 'EVENT_STATUS_EXPIRED' }]);
      expect(await cli('expect', '--id', id)).toMatchObject({ code: 3, stdout: '' });
    });

    it('ends with 4 when the event is invalidated', async () => {
      const { running, id } = await expecting('payments', order().wanted);
      const { stdout } = await cli('invalidate', id, '--reason', 'cancelled by the customer');
      expect(stdout).toBe(`event ${id} of topic payments is invalidated: cancelled by the customer\n`);
      const { code, stderr } = await running.ended();
      expect(code).toBe(4);
      expect(stderr).toContain(`madeleine: event ${id} was invalidated: cancelled by the customer\n`);
      expect(ndjson((await cli('invalidate', id, '--reason', 'other', '--json')).stdout)).toMatchObject([
        { id, status: 'EVENT_STATUS_INVALIDATED', invalidationReason: 'cancelled by the customer' },
      ]);
    });

    it('ends with 5 after --timeout and with 130 by Ctrl-C, says how to go on, and leaves the event awaited', async () => {
      const { wanted, payload } = order();
      const over = await cli('expect', 'payments', wanted, '--timeout', '1ms');
      const { running, id } = await expecting('payments', wanted);
      expect(over.code).toBe(5);
      expect(over.stderr).toMatch(
        new RegExp(`over; event ${id} stays awaited until 20\\S+Z, go on with: madeleine expect --id ${id}\n$`),
      );
      running.interrupt();
      const interrupted = await running.ended();
      expect(interrupted.code).toBe(130);
      expect(interrupted.stderr).toMatch(new RegExp(`event ${id} stays awaited .* madeleine expect --id ${id}\n$`));
      await push('payments', payload);
      expect(await cli('expect', '--id', id)).toMatchObject({ code: 0, stdout: expect.stringContaining(payload) });
    });

    it('only looks with --timeout 0s, and leaves nothing that is awaited', async () => {
      const { wanted, payload } = order();
      const look = (...rest: string[]) => cli('expect', 'payments', wanted, '--timeout', '0s', ...rest);
      const nothing = 'madeleine: no such event has occurred; nothing is awaited\n';
      const before = (await cli('awaited', '--limit', '1000', '--json')).stdout;
      expect(await look()).toEqual({ code: 5, stdout: '', stderr: nothing });
      expect((await cli('awaited', '--limit', '1000', '--json')).stdout).toBe(before);
      await push('payments', payload);
      const { code, stdout } = await look('--json');
      expect(code).toBe(0);
      const [found] = ndjson(stdout);
      expect(stdout).toContain(payload);
      expect(await look('--since', String(found?.createdAt))).toMatchObject({ code: 5 });
      await cli('invalidate', String(found?.id));
      expect(await look()).toMatchObject({ code: 5, stdout: '' });
      await push('payments', payload);
      expect(await look()).toMatchObject({ code: 0 });
    });

    it.each(['1s', '700ms'])(
      'waits for the event as long as --timeout %s says, by description and by id',
      async (timeout) => {
        const { wanted } = order();
        const over = await cli('expect', 'payments', wanted, '--timeout', timeout);
        expect(over).toMatchObject({ code: 5, stderr: expect.stringMatching(/over; event \d+ stays awaited until/) });
        const id = /event (\d+) is awaited/.exec(over.stderr)?.[1] ?? '';
        const again = await cli('expect', '--id', id, '--timeout', timeout);
        expect(again).toMatchObject({ code: 5, stderr: expect.stringContaining(`event ${id} stays awaited until`) });
      },
    );

    it('ends with 130 by Ctrl-C before it has reached a server, too', async () => {
      const running = new RunningCli(['expect', '--id', '1'], { server: '127.0.0.1:1' });
      running.interrupt();
      expect(await running.ended()).toMatchObject({ code: 130, stderr: 'madeleine: no longer waiting\n' });
    });

    it.each([
      ['3s', 3_000],
      ['1500ms', 1_500],
    ])('ends after --timeout %s with 5 where there is no server', async (timeout, ms) => {
      const sinceMs = performance.now();
      const argv = ['expect', 'payments', '{"order": 7}', '--timeout', timeout];
      const { code, stderr } = await new RunningCli(argv, { server: '127.0.0.1:1' }).ended();
      expect(code).toBe(5);
      expect(stderr).toMatch(/the server did not answer within/);
      expect(performance.now() - sinceMs).toBeGreaterThan(ms - 100);
      // Not after the ten seconds that a server is waited for otherwise.
      expect(performance.now() - sinceMs).toBeLessThan(ms + 5_000);
    });

    it('goes on when the server is started again', async () => {
      const { wanted, payload } = order();
      const own = await createTestDatabase();
      const settings = { databaseUrl: own.url, pollMs: '20' };
      let other = await startServer(settings);
      const { address } = other;
      const running = new RunningCli(['expect', 'payments', wanted], { server: address });
      await waitUntil(() => running.notices.includes('is awaited until'), { what: 'it waits' });
      await other.stop();
      await waitUntil(() => running.notices.includes('trying again'), { what: 'it has lost the server' });
      other = await startServer({ ...settings, listen: address });
      await waitUntil(() => running.notices.includes('connected again'), { what: 'it is back' });
      const client = new TestClient(address);
      const body = { $case: 'data', value: Buffer.from(payload) } as const;
      await client.events.pushEvent({ event: { topic: 'payments', issuer: 'bank', payload: { body } } });
      expect(await running.ended()).toMatchObject({ code: 0, stdout: expect.stringContaining(payload) });
      client.close();
      await other.stop();
      await own.drop();
    });

    it('looks no further back than --since', async () => {
      const { wanted, payload } = order();
      await push('payments', payload);
      const { running } = await expecting('payments', wanted, '--since', new Date(Date.now() + 60_000).toISOString());
      running.interrupt();
      expect((await running.ended()).code).toBe(130);
    });

    it('waits for longer than timers of the runtime can', async () => {
      const { wanted, payload } = order();
      const { running } = await expecting('payments', wanted, '--timeout', '60d');
      await push('payments', payload);
      expect((await running.ended()).code).toBe(0);
    });

    it.each([
      [[], 'give a topic and a description, or --id'],
      [['payments'], 'give a topic and a description, or --id'],
      [['payments', '{"order":1}', '--id', '1'], '--id goes with --timeout only'],
      [['payments', '[1]'], 'is not an object'],
      [['payments', '{}'], 'is empty'],
      [['payments', '{"a":1,"a":2}'], 'twice'],
      [['payments', '{"order":9007199254740993}'], 'a double does not hold exactly'],
    ])('refuses %j before it asks the server', async (argv, said) => {
      const { code, stderr } = await runToEnd(['expect', ...argv], { server: '127.0.0.1:1' });
      expect(stderr).toContain(said);
      expect(code).toBe(2);
    });

    it('says what the server refuses', async () => {
      expect(await cli('expect', '--id', '999999')).toMatchObject({
        code: 1,
        stderr: 'madeleine: EVENT_UNKNOWN: there is no event 999999\n',
      });
    });
  });

  describe('awaited', () => {
    it('lists what is awaited, by topic, and says when there is more', async () => {
      for (const n of [1, 2, 3]) await push('shipments', '--description', `{"n":${n}}`);
      const { stdout } = await cli('awaited', '--topic', 'shipments');
      expect(stdout).toMatch(/^EVENT +CONTEXT +TOPIC +AWAITED BY +UNTIL +DESCRIPTION\n/);
      expect(stdout.match(/default +shipments +bank +20\S+Z +{"n":\d}\n/g)).toHaveLength(3);
      const limited = await cli('awaited', '--topic', 'shipments', '--limit', '2', '--json');
      expect(ndjson(limited.stdout).map(({ description }) => description)).toEqual([{ n: 1 }, { n: 2 }]);
      expect(limited.stderr).toContain('there are more: --limit');
    });
  });

  describe('shapes', () => {
    it('lists the sets of paths of a topic, and drops one that nobody needs', async () => {
      await push('parcels', '--description', '{"parcel":{"id":1},"state":"sent"}');
      const { stdout } = await cli('shapes', '--topic', 'parcels');
      const [head, row] = stdout.split('\n');
      expect(head).toMatch(/^SHAPE +CONTEXT +TOPIC +PATHS +READY +NEEDED AT +AWAITED UNTIL +FREE AT$/);
      expect(row).toMatch(/^ *\d+ +default +parcels +\/parcel\/id,\/state +yes +20\S+Z +20\S+Z +20\S+Z$/);
      const id = /\d+/.exec(row ?? '')?.[0] ?? '';
      const refused = await cli('shapes', 'drop', id);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('madeleine: SHAPE_IN_USE: the shape') });
      await push('parcels', '{"parcel":{"id":1},"state":"sent"}');
      expect(await cli('shapes', 'drop', id)).toMatchObject({ code: 0, stdout: `deleted ${id}\n` });
      expect((await cli('shapes', 'list', '--topic', 'parcels', '--json')).stdout).toBe('');
    });
  });

  describe('explain', () => {
    it('shows the closest events and where they differ', async () => {
      await push('refunds', '{"order":7,"state":"open"}');
      await push('refunds', '{"order":8}');
      const awaited = await push('refunds', '--description', '{"order":7,"state":"paid"}', '--json');
      const id = String(ndjson(awaited.stdout)[0]?.id);
      const { stdout } = await cli('explain', id);
      const [head, looked, columns, ...rows] = stdout.trimEnd().split('\n');
      expect(head).toMatch(
        new RegExp(`^event ${id} of topic refunds is awaited until 20\\S+Z: {"order":7,"state":"paid"}$`),
      );
      expect(looked).toBe('looked at 2 events of the topic, the closest:');
      expect(columns).toMatch(/^EVENT +POSITION +CREATED AT +MATCHES +DIFFERS AT +AWAITED +FOUND$/);
      expect(rows[0]).toMatch(/ 1 of 2 +\/state +"paid" +"open"$/);
      expect(rows[1]).toMatch(/ 0 of 2 +\/order +7 +8$/);
      const [json] = ndjson((await cli('explain', id, '--limit', '1', '--json')).stdout);
      expect(json).toMatchObject({
        event: { id, status: 'EVENT_STATUS_AWAITED' },
        lookedAt: 2,
        nearMisses: [
          { matchingLeaves: 1, leaves: 2, difference: { path: '/state', expected: '"paid"', actual: '"open"' } },
        ],
      });
      await push('refunds', '{"order":7,"state":"paid"}');
      expect((await cli('explain', id)).stdout).toBe(
        `event ${id} of topic refunds has occurred: {"order":7,"state":"paid"}\n`,
      );
    });

    it('says that an event was never awaited', async () => {
      const pushed = await push('refunds', '{"n":1}', '--json');
      const id = String(ndjson(pushed.stdout)[0]?.id);
      expect(await cli('explain', id)).toMatchObject({ code: 1, stderr: expect.stringContaining('EVENT_UNKNOWN') });
    });
  });

  describe('push --description', () => {
    it('awaits, finds what is awaited, and finds what occurred', async () => {
      const { wanted, payload } = order();
      const outcomes = [];
      outcomes.push(await push('payments', '--description', wanted, '--wait-timeout', '1h'));
      outcomes.push(await push('payments', '--description', wanted));
      outcomes.push(await push('payments', payload));
      outcomes.push(await push('payments', '--description', wanted, '--since', '1h'));
      const said = outcomes.map(({ stdout }) => stdout.replace(/ {2}(event|message) .*\n/, ''));
      expect(said).toEqual([
        'awaited',
        'found, still awaited',
        expect.stringMatching(/^satisfied {2}position \d+$/),
        expect.stringMatching(/^found {2}position \d+$/),
      ]);
    });

    it('identifies a payload, which then cannot occur twice', async () => {
      const { wanted, payload } = order();
      expect((await push('payments', '--description', wanted, payload)).stdout).toMatch(/^occurred /);
      expect(await push('payments', '--description', wanted, payload)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('ALREADY_OCCURRED'),
      });
      expect(await push('payments', '--description', '{"other":1}', payload)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('DESCRIPTION_NOT_CONTAINED'),
      });
    });

    it.each([
      [['--description', '{"a":1}', '--events'], '--events reads stdin'],
      [['--wait-timeout', '1h', '{"a":1}'], '--wait-timeout and --since are for a --description'],
      [['--since', '1h'], '--wait-timeout and --since are for a --description'],
      [['--description', 'a'], 'is not JSON'],
    ])('refuses %j', async (argv, said) => {
      const { code, stderr } = await push('payments', ...argv);
      expect(stderr).toContain(said);
      expect(code).toBe(2);
    });
  });

  describe('--status', () => {
    it('shows invalidated and expired entries to readers, tails and consumers', async () => {
      const context = randomUUID();
      const inContext = (...rest: string[]) => push('returns', '--context', context, ...rest);
      const awaited = ndjson((await inContext('--description', '{"n":1}', '--json')).stdout)[0];
      await cli('invalidate', String(awaited?.id), '--reason', 'a mistake');
      await inContext('--description', '{"n":2}', '--wait-timeout', '1s');
      await inContext('{"n":3}');
      const follow = ['read', '--follow', '--context', context, '--status', 'invalidated', '--status', 'expired'];
      const reader = new RunningCli([...follow, '--limit', '2'], { server: server.address });
      const { stdout } = await reader.ended();
      expect(stdout).toMatch(new RegExp(`  invalidated event ${awaited?.id}: a mistake\n`));
      expect(stdout).toMatch(/ {2}expired event \d+: {"n":2}\n/);
      const occurred = await cli('read', '--context', context);
      expect(occurred.stdout).toMatch(/^[^\n]*{"n":3}\n$/);
      const all = ['--context', context, '--status', 'occurred', '--status', 'invalidated', '--status', 'expired'];
      const subscribed = await cli('subscribe', 'auditor', ...all, '--count', '3', '--ack');
      expect(subscribed.stdout).toContain(`invalidated event ${awaited?.id}: a mistake`);
      const consumer = await cli('consumers', 'get', 'auditor', '--context', context);
      expect(consumer.stdout).toMatch(/FILTER +status occurred \| invalidated \| expired\n/);
      const tail = new RunningCli(['tail', '-n', '9', ...all], { server: server.address });
      await waitUntil(() => tail.lines.length === 3, { what: 'the last entries' });
      tail.interrupt();
      expect((await tail.ended()).code).toBe(0);
    });

    it('refuses what has no entry', async () => {
      const { code, stderr } = await cli('read', '--status', 'awaited');
      expect(stderr).toContain('madeleine awaited lists it');
      expect(code).toBe(2);
    });
  });
});
