// The command line for consumers: subscribe, ack, consumers; against a real server.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

describe('the command line for consumers', () => {
  let database: TestDatabase;
  let server: TestServer;
  let context = '';
  let contexts = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
  });

  beforeEach(() => {
    contexts += 1;
    context = `consumers-${contexts}`;
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  const cli = (...argv: string[]) => runToEnd([...argv, '--context', context], { server: server.address });
  const start = (...argv: string[]) => new RunningCli([...argv, '--context', context], { server: server.address });
  const consumer = async (name = 'mailer') =>
    ndjson((await cli('consumers', 'get', name, '--json')).stdout)[0] as Record<string, unknown>;

  /** The offset once the last event is done: the entry of the audit that tells of the consumer came after it, and is passed. */
  const past = (position: string | undefined) => String(BigInt(position ?? 0) + 1n);

  /** Pushes 1, 2, … to one stream; returns their positions. */
  async function pushed(count: number, topic = 'orders'): Promise<string[]> {
    const lines = Array.from({ length: count }, (_, n) => String(n + 1)).join('\n');
    const argv = ['push', '--json', '--context', context, '--topic', topic, '--stream', topic, '--issuer', 'i'];
    const { stdout } = await runToEnd(argv, { server: server.address, stdin: lines });
    return ndjson(stdout).map(({ position }) => String(position));
  }

  describe('subscribe', () => {
    it('prints deliveries and leaves them unacknowledged without --ack', async () => {
      const positions = await pushed(2);
      const { code, stdout } = await cli('subscribe', 'mailer', '--json', '--count', '2');
      expect(code).toBe(0);
      expect(ndjson(stdout)).toMatchObject([
        { attempt: 1, event: { position: positions[0], payload: { json: 1 } } },
        { attempt: 1, event: { position: positions[1], payload: { json: 2 } } },
      ]);
      expect(await consumer()).toMatchObject({ pending: '2' });
    });

    it('acknowledges what it printed before it leaves', async () => {
      const positions = await pushed(3);
      expect((await cli('subscribe', 'mailer', '--ack', '--count', '3')).code).toBe(0);
      expect(await consumer()).toMatchObject({ offset: past(positions[2]) });
      expect(await consumer()).not.toHaveProperty('pending');
    });

    it('acknowledges what it printed when it is interrupted', async () => {
      const positions = await pushed(2);
      const running = start('subscribe', 'mailer', '--ack');
      await waitUntil(() => running.lines.length === 2, { what: 'both deliveries are printed' });
      running.interrupt();
      expect(await running.ended()).toMatchObject({ code: 0, stderr: '' });
      expect(await consumer()).toMatchObject({ offset: past(positions[1]) });
    });

    it('creates the consumer with the settings and the start that are given', async () => {
      await pushed(1, 'old');
      const running = start(
        'subscribe',
        'mailer',
        '--start',
        'latest',
        '--topic',
        'orders',
        '--ack-timeout',
        '90s',
        '--count',
        '1',
        '--json',
      );
      await waitUntil(async () => (await cli('consumers', 'get', 'mailer')).code === 0, {
        what: 'the consumer is created',
      });
      await pushed(1, 'other');
      const [position] = await pushed(1, 'orders');
      expect(ndjson((await running.ended()).stdout)).toMatchObject([{ event: { position } }]);
      expect(await consumer()).toMatchObject({ settings: { ackTimeout: '90s', filter: { topics: ['orders'] } } });
      const differs = await cli('subscribe', 'mailer', '--ack-timeout', '30s', '--count', '1');
      expect(differs).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^madeleine: SETTINGS_DIFFER: .*ack_timeout/),
      });
    });

    it('creates nothing where what it names must exist', async () => {
      await pushed(1);
      expect(await cli('subscribe', 'mailre', '--must-exist', '--count', '1')).toMatchObject({
        ...{ code: 1, stdout: '' },
        stderr: expect.stringMatching(/^madeleine: CONSUMER_UNKNOWN: .*"mailre"/),
      });
      expect(ndjson((await cli('consumers', '--json')).stdout)).toEqual([]);
      await cli('consumers', 'create', 'mailer');
      expect(await cli('subscribe', 'mailer', '--must-exist', '--stream', 'ordres', '--count', '1')).toMatchObject({
        ...{ code: 1, stdout: '' },
        stderr: expect.stringMatching(/^madeleine: STREAM_UNKNOWN: settings\.filter\.streams\[0\]: .*"ordres"\n$/),
      });
      expect((await cli('subscribe', 'mailer', '--must-exist', '--count', '1')).code).toBe(0);
    });

    it('goes over to a member of the same name and says so', async () => {
      const first = start('subscribe', 'mailer', '--member', 'm');
      await waitUntil(async () => ((await consumer())?.members as unknown[] | undefined)?.length === 1, {
        what: 'one member',
      });
      const second = start('subscribe', 'mailer', '--member', 'm');
      expect(await first.ended()).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^madeleine: MEMBER_REPLACED: /),
      });
      second.interrupt();
      expect(await second.ended()).toMatchObject({ code: 0 });
    });
  });

  describe('ack', () => {
    it('acknowledges what a subscriber holds, by lease and up to a position', async () => {
      const positions = await pushed(3);
      const running = start('subscribe', 'mailer', '--json');
      await waitUntil(() => running.lines.length === 3, { what: 'three deliveries' });
      const [first] = ndjson(running.lines.join('\n'));
      const one = await cli('ack', 'mailer', `${positions[0]}:${first?.lease}`);
      expect(one).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(new RegExp(`accepted\noffset ${positions[0]}\n$`)),
      });
      const again = await cli('ack', 'mailer', String(positions[0]), '--lease', String(first?.lease), '--json');
      expect(ndjson(again.stdout)).toEqual([{ position: positions[0], status: 'ACK_STATUS_ALREADY' }]);
      const rest = await cli('ack', 'mailer', '--up-to', String(positions[2]));
      expect(rest.stdout).toBe(`acknowledged up to ${positions[2]}: 2\noffset ${past(positions[2])}\n`);
      running.interrupt();
      await running.ended();
    });

    it('fails when an acknowledgement does not count, and says which', async () => {
      const [position] = await pushed(1);
      await cli('consumers', 'create', 'mailer');
      const { code, stdout, stderr } = await cli('ack', 'mailer', `${position}:7`);
      expect(code).toBe(1);
      expect(stdout).toMatch(/unknown\n/);
      expect(stderr).toBe('madeleine: 1 of 1 acknowledgements do not count\n');
    });

    it('acknowledges by event id and message id, and says which position that is', async () => {
      const [first, second] = await pushed(2);
      const running = start('subscribe', 'mailer', '--json');
      await waitUntil(() => running.lines.length === 2, { what: 'two deliveries' });
      const [one, two] = ndjson(running.lines.join('\n')).map(
        ({ event }) => event as { id: string; messageId: string },
      );
      const { code, stdout } = await cli(
        'ack',
        'mailer',
        '--id',
        String(one?.id),
        '--message-id',
        String(two?.messageId),
      );
      expect([code, stdout.replaceAll(/ +/g, ' ')]).toEqual([
        0,
        `EVENT POSITION ANSWER\n ${one?.id} ${first} accepted\nMESSAGE POSITION ANSWER\n${two?.messageId} ${second} accepted\noffset ${past(second)}\n`,
      ]);
      const again = await cli('ack', 'mailer', '--id', String(one?.id), '--id', '999999999', '--json');
      expect(ndjson(again.stdout)).toEqual([
        { eventId: one?.id, position: first, status: 'ACK_STATUS_ALREADY' },
        { eventId: '999999999', status: 'ACK_STATUS_UNKNOWN' },
      ]);
      expect(again).toMatchObject({ code: 1, stderr: 'madeleine: 1 of 2 acknowledgements do not count\n' });
      const unknown = await cli('ack', 'mailer', '--id', '999999999');
      expect(unknown.stdout).toMatch(/999999999 +- +unknown\n/);
      const bad = await cli('ack', 'mailer', '--message-id', 'no-uuid');
      expect(bad).toMatchObject({ code: 1, stderr: 'madeleine: FIELD_INVALID: message_ids[0]: is not a UUID\n' });
      running.interrupt();
      await running.ended();
    });

    it('of nothing is misuse', async () => {
      expect(await cli('ack', 'mailer')).toMatchObject({ code: 2 });
      expect(await cli('ack', 'mailer', '1', '2', '--lease', '3')).toMatchObject({ code: 2 });
    });
  });

  describe('reject', () => {
    it('retries, parks and skips, and takes a lease of subscribe', async () => {
      const positions = await pushed(3);
      const running = start('subscribe', 'mailer', '--json');
      await waitUntil(() => running.lines.length === 3, { what: 'three deliveries' });
      const [first] = ndjson(running.lines.join('\n'));
      const why = ['--reason', 'no relay', '--code', 'NO_RELAY'];
      const retry = await cli(
        'reject',
        'mailer',
        `${positions[0]}:${first?.lease}`,
        '--retry',
        '--delay',
        '50ms',
        ...why,
      );
      expect(retry).toMatchObject({ code: 0, stdout: expect.stringMatching(/accepted\noffset \d+\n$/) });
      await waitUntil(() => running.lines.length === 6, { what: 'the first one and the rest of its stream' });
      expect(ndjson(running.lines.join('\n'))[3]).toMatchObject({ attempt: 2, event: { position: positions[0] } });
      const park = await cli('reject', 'mailer', String(positions[0]), String(positions[1]), '--park', '--json');
      expect(ndjson(park.stdout)).toEqual([
        { position: positions[0], status: 'ACK_STATUS_ACCEPTED' },
        { position: positions[1], status: 'ACK_STATUS_ACCEPTED' },
      ]);
      const skip = await cli('reject', 'mailer', String(positions[2]), '--skip');
      expect(skip.stdout).toMatch(new RegExp(`accepted\noffset ${past(positions[2])}\n$`));
      expect(await consumer()).toMatchObject({ parked: '2' });
      running.interrupt();
      await running.ended();
    });

    it('fails when a rejection does not count, or is refused', async () => {
      const [position] = await pushed(1);
      await cli('consumers', 'create', 'mailer');
      const { code, stdout, stderr } = await cli('reject', 'mailer', `${position}:7`, '--skip');
      expect({ code, stderr }).toEqual({ code: 1, stderr: 'madeleine: 1 of 1 rejections do not count\n' });
      expect(stdout).toMatch(/unknown\n/);
      const refused = await cli('reject', 'mailer', String(position), '--retry', '--delay', '25h');
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('FIELD_INVALID: delay:') });
    });

    it('without one verdict, or with a delay that goes with none, is misuse', async () => {
      for (const flags of [[], ['--park', '--skip'], ['--retry', '--park'], ['--park', '--delay', '5s']]) {
        expect(await cli('reject', 'mailer', '1', ...flags), flags.join(' ')).toMatchObject({ code: 2 });
      }
      expect(await cli('reject', 'mailer', '--skip')).toMatchObject({ code: 2 });
      expect(await cli('reject', 'mailer', '1', '2', '--lease', '3', '--skip')).toMatchObject({ code: 2 });
    });
  });

  describe('extend', () => {
    it('gives positions, or all that is in flight, more time', async () => {
      const positions = await pushed(2);
      const running = start('subscribe', 'mailer', '--json', '--member', 'one');
      await waitUntil(() => running.lines.length === 2, { what: 'two deliveries' });
      const [first] = ndjson(running.lines.join('\n'));
      const one = await cli('extend', 'mailer', `${positions[0]}:${first?.lease}`, '--by', '5m');
      expect(one).toMatchObject({ code: 0, stdout: expect.stringMatching(/accepted\n$/) });
      expect((await cli('extend', 'mailer', '--all', '--member', 'one', '--by', '5m')).stdout).toBe('extended 2\n');
      const json = await cli('extend', 'mailer', '--all', '--by', '5m', '--json');
      expect(ndjson(json.stdout)).toEqual([{ extended: 2 }]);
      const strange = await cli('extend', 'mailer', `${positions[0]}:7`, '--by', '5m');
      expect(strange).toMatchObject({ code: 1, stderr: 'madeleine: 1 of 1 extensions do not count\n' });
      running.interrupt();
      await running.ended();
    });

    it('of nothing, of both, or without a time is misuse', async () => {
      for (const argv of [['--by', '5m'], ['1', '--all', '--by', '5m'], ['1'], ['1', '--by', 'long']]) {
        expect(await cli('extend', 'mailer', ...argv), argv.join(' ')).toMatchObject({ code: 2 });
      }
    });
  });

  describe('consumers', () => {
    it('take a back-off for what is rejected', async () => {
      const flags = ['--retry-initial', '250ms', '--retry-max', '10s', '--retry-jitter', '0'];
      expect((await cli('consumers', 'create', 'mailer', ...flags)).stdout).toMatch(
        /RETRY +after 0\.250000s, doubled up to 10s, 0 % left to chance\n/,
      );
      const { stdout } = await cli('consumers', 'update', 'mailer', '--retry-max', '20s', '--json');
      expect(ndjson(stdout)[0]).toMatchObject({
        settings: { retryBackoff: { initial: '1s', max: '20s', jitter: 0.5 } },
      });
      expect(await cli('consumers', 'update', 'mailer', '--retry-jitter', '1.5')).toMatchObject({ code: 2 });
    });

    it('are created, listed, changed, moved and deleted', async () => {
      const positions = await pushed(3);
      expect((await cli('consumers', 'create', 'mailer', '--topic', 'orders', '--ordering', 'none')).code).toBe(0);
      const { stdout: list } = await cli('consumers');
      expect(list).toMatch(
        /OFFSET +HEAD +LAG +LAG TIME +PENDING +CONSUMED +IN FLIGHT +MEMBERS +SINCE +CAUSE\n.* mailer +no-member +\d+ +\d+ +\d+ +\d+s +\d+ +[\d.]+% +0 +0 +- +nobody is subscribed\n/,
      );
      expect(list.split('\n')[1]).toMatch(new RegExp(`^${context} +mailer +no-member +0 `));
      const updated = await cli('consumers', 'update', 'mailer', '--max-attempts', '3', '--any-event', '--json');
      expect(ndjson(updated.stdout)).toMatchObject([{ settings: { maxAttempts: 3, ordering: 'ORDERING_NONE' } }]);
      expect(await consumer()).not.toHaveProperty('settings.filter.topics');
      const dry = await cli('consumers', 'seek', 'mailer', `position:${positions[1]}`, '--dry-run');
      expect(dry.stdout).toBe(`offset 0 -> ${positions[1]}: 2 matching events would be passed over\n`);
      expect(await consumer()).not.toHaveProperty('offset');
      const on = await cli('consumers', 'seek', 'mailer', '--forward', '9');
      expect(on.stdout).toBe(
        `offset 0 -> ${positions[2]}: 3 matching events passed over; by 3 of 9 events, as there are no more\n`,
      );
      const by = ndjson((await cli('consumers', 'seek', 'mailer', '--back', '2', '--json')).stdout);
      expect(by).toMatchObject([{ movedEvents: '2', formerOffset: positions[2] }]);
      for (const wrong of [[], ['latest', '--back', '1'], ['--back', '1', '--forward', '1'], ['--back', '0']]) {
        expect((await cli('consumers', 'seek', 'mailer', ...wrong)).code).toBe(2);
      }
      await cli('consumers', 'seek', 'mailer', 'latest');
      const latest = (await consumer())['offset'];
      // Four entries of the audit tell of what was done up to there.
      expect(latest).toBe(String(Number(positions[2]) + 4));
      const back = await cli('consumers', 'seek', 'mailer', 'earliest', '--json');
      expect(ndjson(back.stdout)).toMatchObject([{ formerOffset: latest, affected: '3' }]);
      expect(await cli('consumers', 'delete', 'mailer')).toMatchObject({ code: 0, stdout: 'deleted mailer\n' });
      expect(await cli('consumers', 'delete', 'mailer')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('CONSUMER_UNKNOWN'),
      });
    });

    it('cannot be changed by nothing', async () => {
      expect(await cli('consumers', 'update', 'mailer')).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('at least one setting'),
      });
    });
  });
});
