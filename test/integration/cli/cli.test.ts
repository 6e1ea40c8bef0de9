// The command line against a real server: push, read, tail, streams; what they print, and how they fail.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPTIONS } from '../../../src/config.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { FaultyProxy } from '../../support/database/faulty-proxy.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

describe('the command line', () => {
  let database: TestDatabase;
  let server: TestServer;
  let contexts = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
  });

  /** A context that no other test uses. */
  const freshContext = () => `cli-${++contexts}`;
  const cli = (argv: readonly string[], stdin?: string | PassThrough) =>
    runToEnd(argv, { server: server.address, ...(stdin === undefined ? {} : { stdin }) });
  const push = (context: string, ...rest: string[]) =>
    cli(['push', '--context', context, '--topic', 't', '--issuer', 'i', ...rest]);
  const readAll = async (context: string, ...rest: string[]) =>
    ndjson((await cli(['read', '--json', '--context', context, ...rest])).stdout);

  describe('push', () => {
    it('stores a payload as its text with the envelope that flags give', async () => {
      const context = freshContext();
      const id = randomUUID();
      const envelope = [
        '--stream',
        's',
        '--message-id',
        id,
        '--subject',
        'created',
        '--tag',
        'form',
        '--entity-type',
        'order',
      ];
      const more = [
        '--to',
        'mailer',
        '--reply-to',
        'shop',
        '--correlation-id',
        'c',
        '--session-id',
        'talk',
        '--property',
        'k=v=w',
      ];
      const { code, stdout } = await push(context, ...envelope, ...more, '--property', 'x=', '{"n": 9007199254740993}');
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^occurred {2}position \\d+ {2}s#1 {2}event \\d+ {2}message ${id}\n$`));
      const { stdout: printed } = await cli(['read', '--json', '--context', context]);
      expect(printed).toContain('"payload":{"json":{"n": 9007199254740993}}');
      expect(ndjson(printed)).toMatchObject([
        {
          ...{
            topic: 't',
            issuer: 'i',
            stream: 's',
            sequence: '1',
            messageId: id,
            subject: 'SUBJECT_CREATED',
            tag: 'form',
          },
          ...{ entityType: 'order', to: 'mailer', replyTo: 'shop', correlationId: 'c', sessionId: 'talk' },
          properties: { k: 'v=w', x: '' },
        },
      ]);
    });

    it('answers a repeated message id as a duplicate, and its reuse as an error', async () => {
      const context = freshContext();
      const id = randomUUID();
      const first = ndjson((await push(context, '--json', '--message-id', id, '1')).stdout);
      const again = ndjson((await push(context, '--json', '--message-id', id, '1')).stdout);
      expect(again).toEqual([{ ...first[0], outcome: 'OUTCOME_DUPLICATE' }]);
      const reused = await push(context, '--message-id', id, '2');
      expect(reused).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^madeleine: MESSAGE_ID_REUSED: .*\n$/),
      });
    });

    it('takes bytes of any type from a file', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'madeleine-cli-'));
      const path = join(directory, 'image');
      await writeFile(path, Buffer.from([0, 255, 10, 128]));
      const context = freshContext();
      expect((await push(context, '--content-type', 'image/x', '--file', path)).code).toBe(0);
      expect(await readAll(context)).toMatchObject([{ payload: { contentType: 'image/x', data: 'AP8KgA==' } }]);
      const { stdout } = await cli(['read', '--context', context]);
      expect(stdout).toMatch(/ t {2}- {2}i {2}\(4 bytes of image\/x\)\n$/);
      await rm(directory, { recursive: true });
    });

    it('pushes each line of stdin, refuses the bad ones by their number, and goes on', async () => {
      const context = freshContext();
      const lines = Array.from({ length: 250 }, (_, index) => (index === 119 ? '{"bad' : `{"n":${index + 1}}`));
      const { code, stdout, stderr } = await cli(
        ['push', '--context', context, '--topic', 't', '--issuer', 'i', '--batch', '50'],
        `${lines.join('\n')}\n\n`,
      );
      expect(code).toBe(1);
      expect(stdout).toMatch(/^250 events in \d+\.\d s: 249 occurred, 1 refused\n$/);
      expect(stderr).toMatch(
        /^madeleine: line 120: FIELD_INVALID: .*not valid JSON.*\nmadeleine: 1 of 250 events were refused\n$/,
      );
      const stored = await readAll(context);
      expect(stored.map(({ payload }) => (payload as { json: { n: number } }).json.n)).toEqual(
        Array.from({ length: 250 }, (_, index) => index + 1).filter((n) => n !== 120),
      );
    });

    it('tells machines about each line of stdin', async () => {
      const context = freshContext();
      const { stdout } = await cli(
        ['push', '--json', '--context', context, '--topic', 't', '--issuer', 'i'],
        '1\n\n{\n',
      );
      expect(ndjson(stdout)).toEqual([
        expect.objectContaining({
          line: 1,
          outcome: 'OUTCOME_OCCURRED',
          messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        }),
        { line: 3, error: expect.objectContaining({ code: 3, reason: 'FIELD_INVALID' }) },
      ]);
    });

    it('copies what read printed into another context, and copies nothing twice', async () => {
      const [from, to] = [freshContext(), freshContext()];
      await push(from, '--stream', 's', '--property', 'a=b', '{"a":[1,2]}');
      await push(from, '--content-type', 'text/plain', 'plain');
      const { stdout: lines } = await cli(['read', '--json', '--context', from]);
      const copy = () => cli(['push', '--events', '--context', to], lines);
      expect((await copy()).stdout).toContain('2 occurred, 0 refused');
      expect((await copy()).stdout).toContain('2 duplicate, 0 refused');
      const strip = (events: Record<string, unknown>[]) =>
        events.map(({ id, position, context, createdAt, occurredAt, ...rest }) => rest);
      expect(strip(await readAll(to))).toEqual(strip(await readAll(from)));
    });

    it('refuses a line of events that is none, without asking the server', async () => {
      const { code, stderr } = await cli(['push', '--events'], '{"topik":"t"}\n');
      expect(code).toBe(1);
      expect(stderr).toContain('line 1: an event has no member "topik"');
    });

    it('sends what came so far while stdin stays open', async () => {
      const context = freshContext();
      const stdin = new PassThrough();
      const running = new RunningCli(
        ['push', '--context', context, '--topic', 't', '--issuer', 'i', '--batch', '100'],
        {
          server: server.address,
          stdin,
        },
      );
      stdin.write('1\n2\n');
      await waitUntil(async () => (await readAll(context)).length === 2, { what: 'both lines are stored' });
      stdin.end('3\n');
      expect((await running.ended()).stdout).toContain('3 events');
    });
  });

  describe('read', () => {
    it('selects by position, topic, stream and number', async () => {
      const context = freshContext();
      const positions: string[] = [];
      for (const [topic, stream] of [
        ['a', 'x'],
        ['b', 'x'],
        ['a', 'y'],
      ] as const) {
        const argv = [
          'push',
          '--json',
          '--context',
          context,
          '--topic',
          topic,
          '--stream',
          stream,
          '--issuer',
          'i',
          '1',
        ];
        positions.push(String(ndjson((await cli(argv)).stdout)[0]?.position));
      }
      const positionsOf = async (...rest: string[]) =>
        (await readAll(context, ...rest)).map(({ position }) => position);
      expect(await positionsOf()).toEqual(positions);
      expect(await positionsOf('--topic', 'a')).toEqual([positions[0], positions[2]]);
      expect(await positionsOf('--stream', 'x')).toEqual([positions[0], positions[1]]);
      expect(await positionsOf('--after', positions[0] ?? '')).toEqual([positions[1], positions[2]]);
      expect(await positionsOf('--limit', '1')).toEqual([positions[0]]);
      const [, second] = await readAll(context);
      expect(await positionsOf('--since', String(second?.createdAt))).toEqual([positions[2]]);
    });

    it('selects by a part of the payload', async () => {
      const context = freshContext();
      for (const n of [1, 2]) {
        await cli(['push', '--context', context, '--topic', 'a', '--issuer', 'i', JSON.stringify({ n, m: 0 })]);
      }
      const found = await readAll(context, '--description', '{"n": 2}');
      expect(found).toMatchObject([{ payload: { json: { n: 2, m: 0 } } }]);
    });

    it('goes on with --follow until it is interrupted, which is no failure', async () => {
      const context = freshContext();
      await push(context, '"old"');
      const running = new RunningCli(['read', '--context', context, '--follow'], { server: server.address });
      await waitUntil(() => running.lines.length === 1, { what: 'the stored event is printed' });
      await push(context, '"new"');
      await waitUntil(() => running.lines.length === 2, { what: 'the new event is printed' });
      running.interrupt();
      expect(await running.ended()).toMatchObject({ code: 0, stderr: '' });
    });
  });

  describe('tail', () => {
    it('begins with the last events that were asked for and goes on without a seam', async () => {
      const context = freshContext();
      for (const n of ['1', '2', '3']) await push(context, n);
      const running = new RunningCli(['tail', '--context', context, '--json', '-n', '2', '--limit', '1'], {
        server: server.address,
      });
      await waitUntil(() => running.lines.length === 2, { what: 'the last two events are printed' });
      await push(context, '4');
      const { code, stdout } = await running.ended();
      expect(code).toBe(0);
      expect(ndjson(stdout).map(({ payload }) => payload)).toEqual([{ json: 2 }, { json: 3 }, { json: 4 }]);
    });
  });

  describe('streams', () => {
    it('lists those of an owner and prefix, and shows one', async () => {
      const context = freshContext();
      for (const name of ['order-1', 'order-2', 'other']) await push(context, '--stream', name, '1');
      const { stdout } = await cli(['streams', 'list', '--context', context, '--prefix', 'order-', '--owner', 'i']);
      const [header, ...rows] = stdout.trimEnd().split('\n');
      expect(header).toMatch(/^CONTEXT +STREAM +OWNER +EVENTS/);
      expect(rows.map((row) => row.split(/ +/).slice(0, 4))).toEqual([
        [context, 'order-1', 'i', '1'],
        [context, 'order-2', 'i', '1'],
      ]);
      const shown = await cli(['streams', 'get', 'other', '--context', context, '--json']);
      expect(ndjson(shown.stdout)).toMatchObject([
        { context, name: 'other', owner: 'i', lastSequence: '1', epoch: '1' },
      ]);
      const unknown = await cli(['streams', 'get', 'none', '--context', context]);
      expect(unknown).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^madeleine: STREAM_UNKNOWN: /),
      });
    });

    it('hands one over, shows the entry to who asks for it, and heeds epochs', async () => {
      const context = freshContext();
      const within = ['--context', context];
      const pushAs = (issuer: string, ...rest: string[]) =>
        cli(['push', ...within, '--topic', 't', '--issuer', issuer, '--stream', 's', ...rest]);
      await pushAs('shop', '--epoch', '1', '1');
      const transfer = ['streams', 'transfer', 's', ...within, '--owner', 'shop', '--to', 'web', '--by', 'ann'];
      const { code, stdout } = await cli([...transfer, '--reason', 'it moves']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^OWNER +web$/m);
      expect(stdout).toMatch(/^EPOCH +2$/m);
      expect(stdout).toMatch(/^FORMER OWNER +shop$/m);
      const [again] = ndjson((await cli([...transfer, '--json'])).stdout);
      expect(again).toMatchObject({ name: 's', owner: 'web', epoch: '2', formerOwner: 'shop' });
      expect(await pushAs('shop', '2')).toMatchObject({ code: 1, stderr: expect.stringContaining('STREAM_OWNED') });
      const late = await pushAs('web', '--epoch', '1', '2');
      expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('EPOCH_FENCED') });
      const lines = await cli(
        ['push', ...within, '--topic', 't', '--issuer', 'web', '--stream', 's', '--epoch', '1', '--json'],
        '3\n',
      );
      expect(ndjson(lines.stdout)).toMatchObject([{ error: { reason: 'EPOCH_FENCED', metadata: { epoch: '2' } } }]);
      await pushAs('web', '--epoch', '2', '2');
      const both = await cli(['read', ...within, '--status', 'occurred', '--status', 'transferred']);
      expect(both.stdout.split('\n').map((line) => line.split(/ {2}/).at(-1))).toEqual([
        ...['1', 'transferred from shop to web, epoch 2', '2', ''],
      ]);
      const refused = await cli(['streams', 'transfer', 's', ...within, '--owner', 'x', '--to', 'y']);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/STREAM_OWNED: .*"web"/) });
      expect((await cli(['streams', 'transfer', 's', ...within, '--to', 'y'])).code).toBe(2);
    });

    it('lists more than one page', async () => {
      const context = freshContext();
      const lines = Array.from({ length: 1100 }, (_, n) =>
        JSON.stringify({ topic: 't', issuer: 'i', stream: `s${n}`, payload: { json: n } }),
      );
      await cli(['push', '--events', '--context', context], lines.join('\n'));
      const { stdout } = await cli(['streams', 'list', '--context', context, '--json']);
      expect(new Set(ndjson(stdout).map(({ name }) => name)).size).toBe(1100);
    });
  });

  describe('failures', () => {
    it('of the command line end with 2 and say what is wrong', async () => {
      const wrong: [readonly string[], RegExp][] = [
        [['nope'], /unknown command 'nope'/],
        [['nope', '--help'], /unknown command 'nope'/],
        [['--help', 'nope'], /unknown command 'nope'/],
        [['streams', 'nope', '--help'], /unknown command 'nope'/],
        [['help', 'nope'], /Usage: madeleine/],
        [['push', '--issuer', 'i', '1'], /--topic is required/],
        [
          ['push', '--topic', 't', '--issuer', 'i', '--file', '/does/not/exist'],
          /cannot read \/does\/not\/exist: ENOENT/,
        ],
        [['push', '--topic', 't', '--issuer', 'i', '--expected-sequence', '1'], /for one event/],
        [['read', '--after', 'x'], /whole number/],
        [['read', '--since', 'noon'], /has to be a time/],
        [['read', '--server', 'nowhere'], /host:port/],
        [['tail', '-n', '1001'], /1000 at most/],
      ];
      for (const [argv, message] of wrong) {
        expect(await cli(argv), argv.join(' ')).toMatchObject({
          code: 2,
          stdout: '',
          stderr: expect.stringMatching(message),
        });
      }
    });

    it('of the server end with 1, one sentence with reason and fields, and no stack trace', async () => {
      const { code, stderr } = await cli(['push', '--topic', 'a\nb', '--issuer', ' i', '1']);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^madeleine: FIELD_INVALID: [^\n]*event\.topic[^\n]*event\.issuer[^\n]*\n$/);
    });

    it('to reach a server end with 1 and name the address', async () => {
      const { code, stderr } = await runToEnd(['read'], { server: '127.0.0.1:1' });
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /^madeleine: nobody answers at 127\.0\.0\.1:1 yet, [^\n]*\nmadeleine: no server answers at 127\.0\.0\.1:1: [^\n]*\n$/,
      );
    });

    it('are told after two seconds, where nobody answers and where a server says nothing', async () => {
      const silent = createServer(() => {}).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      for (const address of ['127.0.0.1:1', `127.0.0.1:${port}`]) {
        const sinceMs = performance.now();
        const running = new RunningCli(['read', '--json'], { server: address });
        await waitUntil(() => running.notices !== '', { what: 'it says what it waits for' });
        expect(performance.now() - sinceMs).toBeGreaterThan(1_900);
        running.interrupt();
        expect(await running.ended()).toMatchObject({
          code: 130,
          stderr: `madeleine: nobody answers at ${address} yet, still trying to connect\nmadeleine: interrupted\n`,
        });
      }
      silent.close();
    });

    it('of a call that is tried again say why', async () => {
      const database = await createTestDatabase();
      const proxy = new FaultyProxy(database.url);
      await proxy.start();
      const cutOff = await startServer({ databaseUrl: proxy.url });
      try {
        proxy.refuse();
        const running = new RunningCli(['push', '--topic', 't', '--issuer', 'i', '1'], { server: cutOff.address });
        await waitUntil(() => running.notices !== '', { what: 'it says what it waits for', timeoutMs: 20_000 });
        expect(running.notices).toMatch(
          /^madeleine: ([A-Z_]+: .*; trying again|127\S+ has not answered yet, still waiting)\n/,
        );
        running.interrupt();
        expect((await running.ended()).code).toBe(130);
      } finally {
        await cutOff.stop();
        await proxy.stop();
        await database.drop();
      }
    });
  });

  describe('help', () => {
    const listed = async (...argv: string[]) => (await cli([...argv, '--help'])).stdout.match(/^ {2}--[a-z-]+/gm);

    it('of migrate and doctor lists the settings that they heed', async () => {
      const database = ['--database-url', '--data-dir', '--db-pool'];
      const flags = (names: readonly string[]) => names.map((name) => `  ${name}`);
      expect(await listed('migrate')).toEqual(flags([...database, '--json']));
      expect(await listed('doctor')).toEqual(flags(['--listen', '--http-listen', ...database, '--json']));
      expect(await listed('serve')).toHaveLength(Object.keys(OPTIONS).length);
    });

    it('is there, and the version, with code 0', async () => {
      for (const argv of [['--help'], ['help'], ['help', 'push'], ['push', '--help'], ['streams', '--help']]) {
        expect(await cli(argv)).toMatchObject({
          code: 0,
          stderr: '',
          stdout: expect.stringContaining('Usage: madeleine'),
        });
      }
      const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'));
      for (const flag of ['--version', '-V']) {
        expect(await cli([flag])).toEqual({ code: 0, stdout: `madeleine ${version}\n`, stderr: '' });
      }
    });
  });
});
