// `madeleine erase`: it says how many events it would take, does so only when it may, and says what it did.

import { randomUUID } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, RunningCli, runToEnd } from './cli-run.js';

const suite = useServer();
const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

async function pushed(...flags: string[]): Promise<string> {
  const topic = `topic ${randomUUID()}`;
  const event = ['--topic', topic, '--issuer', 'i', '--data-subject', topic, ...flags];
  expect((await cli('push', ...event, '{"secret":1}')).code).toBe(0);
  return topic;
}

/** A terminal on which somebody answers. */
function terminal(answer: string): PassThrough {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  stdin.write(`${answer}\n`);
  return stdin;
}

describe('madeleine erase', () => {
  it('counts in a dry run, and needs --yes where nobody can be asked', async () => {
    const topic = await pushed();
    expect(await cli('erase', '--subject', topic, '--dry-run')).toMatchObject({
      ...{ code: 0, stdout: 'would erase 1 event\n' },
    });
    const refused = await cli('erase', '--subject', topic);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('would erase 1 event for good: --yes does so without asking');
    expect((await cli('read', '--topic', topic)).stdout).toContain('secret');
  });

  it('erases, says so, and again has nothing to do', async () => {
    const topic = await pushed();
    const done = await cli('erase', '--subject', topic, '--yes');
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(/^erased 1 event, marked \d{4}-\d\d-\d\dT\S+Z\n$/);
    expect((await cli('read', '--topic', topic)).stdout).toMatch(/ i {2}erased\n$/);
    expect((await cli('erase', '--subject', topic)).stdout).toMatch(
      /^there is nothing more to erase; what is erased is marked \S+Z\n$/,
    );
    expect((await cli('erase', '--subject', 'nobody')).stdout).toBe('there is nothing to erase\n');
    const [json] = ndjson((await cli('erase', '--subject', topic, '--json')).stdout);
    expect(json).toMatchObject({ remainingIsExact: true, erasedAt: expect.any(String) });
  });

  it('erases a stream', async () => {
    const stream = randomUUID();
    await pushed('--stream', stream);
    expect((await cli('erase', '--stream', stream, '--yes')).stdout).toMatch(/^erased 1 event, /);
  });

  it.each([
    ['yes', 0],
    ['n', 1],
    ['', 1],
  ])('asks on a terminal, and takes "%s" for exit code %i', async (answer, code) => {
    const topic = await pushed();
    const running = new RunningCli(['erase', '--subject', topic], {
      server: suite.server.address,
      stdin: terminal(answer),
    });
    await waitUntil(() => running.notices.includes('Erase the content of 1 event, for good? [y/N]'), {
      what: 'it asks',
    });
    expect(await running.ended()).toMatchObject({ code });
    const { stdout } = await cli('read', '--topic', topic);
    expect(stdout.includes('secret')).toBe(code !== 0);
  });

  it.each([
    [['erase'], 'give either --subject or --stream'],
    [['erase', '--subject', 'a', '--stream', 'b'], 'give either --subject or --stream'],
  ])('refuses %j', async (argv, message) => {
    const { code, stderr } = await cli(...argv);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('refuses a stream that is none', async () => {
    const { code, stderr } = await cli('erase', '--stream', 'no such', '--yes');
    expect(code).toBe(1);
    expect(stderr).toContain('STREAM_UNKNOWN');
  });
});
