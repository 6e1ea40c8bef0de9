// `madeleine contexts` and `madeleine topics discarded`: what becomes of pushes to topics that nobody registered.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from './cli-run.js';

const suite = useServer();

const samplesOf = async (context: string) =>
  (await suite.client.topics.listDiscardedSamples({ context, pageSize: 1_000 })).samples;

describe('the command line', () => {
  const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

  it('shows and changes contexts, and lists what was discarded', async () => {
    const context = `context ${randomUUID()}`;
    expect(await cli('contexts', 'get', context)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('CONTEXT_UNKNOWN'),
    });
    const changed = await cli('contexts', 'update', context, '--unregistered-topics', 'discard');
    expect(changed).toMatchObject({
      code: 0,
      stdout: `CONTEXT              ${context}\nUNREGISTERED TOPICS  discard\n`,
    });
    const flags = ['--context', context, '--topic', 'unknown', '--issuer', 'shop'];
    const pushed = await cli('push', ...flags, '{"id": 1}');
    expect(pushed).toMatchObject({ code: 0, stdout: 'discarded: nobody registered the topic, nothing is stored\n' });
    const expected = await cli('expect', 'unknown', '{"id": 1}', '--context', context, '--timeout', '1s');
    expect(expected.code).toBe(1);
    expect(expected.stderr).toContain('nobody registered the topic');
    await waitUntil(async () => (await samplesOf(context)).length === 2, { what: 'samples are kept' });
    const listed = await cli(
      'topics',
      'discarded',
      '--context',
      context,
      '--limit',
      '1',
      '--topic',
      'unknown',
      '--json',
    );
    expect(ndjson(listed.stdout)).toMatchObject([{ context, topic: 'unknown' }]);
    const table = (await cli('topics', 'discarded', '--context', context)).stdout;
    expect(table).toMatch(/^DISCARDED AT +CONTEXT +TOPIC +ISSUER +BYTES +PAYLOAD\n/);
    expect(table).toMatch(/ unknown +shop +9 +\{"id": 1\}\n/);
    const back = await cli('contexts', 'update', context, '--unregistered-topics', 'server');
    expect(back.stdout).toContain('UNREGISTERED TOPICS  accept, as the server is told\n');
    expect((await cli('contexts', 'get')).stdout).toContain('CONTEXT              default\n');
    expect((await cli('contexts', 'update', context)).code).toBe(2);
    expect((await cli('contexts', 'update', context, '--unregistered-topics', 'drop')).code).toBe(2);
  });
});
