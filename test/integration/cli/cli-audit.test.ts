// Who asks, as the command line says it: the user of the operating system, or the one that is named; and how the audit is read.

import { userInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { useServer } from '../../support/server/suite.js';
import { ndjson, runToEnd } from './cli-run.js';

const suite = useServer();

const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address, stdin: '{"n":1}' });

/** Who asked for each call of the audit, oldest first. */
async function audited(context: string): Promise<unknown[]> {
  const { code, stdout } = await cli('read', '--topic', 'madeleine.audit', '--context', context, '--json');
  expect(code).toBe(0);
  return ndjson(stdout).map(({ payload }) => {
    const { call, by } = (payload as { json: { call: string; by: string } }).json;
    return [call, by];
  });
}

describe('a command that changes something', () => {
  it('says who asks', async () => {
    const at = ['--context', 'said'];
    const push = ['push', '--topic', 'orders', '--issuer', 'shop', ...at];
    const by = ['--by', 'anna', ...at];
    await cli(...push);
    for (const command of [
      ['consumers', 'create', 'mailer', '--topic', 'orders', ...by],
      ['consumers', 'update', 'mailer', '--max-attempts', '3', ...by],
      ['subscribe', 'mailer', '--count', '1', ...at],
      ['subscribe', 'reader', '--topic', 'orders', '--count', '1', ...by],
      ['reject', 'mailer', '1', '--park', ...at],
      ['parked', 'replay', 'mailer', '1', ...by],
      ['parked', 'discard', 'mailer', '1', ...by],
      ['consumers', 'seek', 'mailer', 'earliest', '--dry-run', ...by],
      ['consumers', 'seek', 'mailer', 'earliest', ...by],
      ['consumers', 'delete', 'mailer', ...by],
      ['topics', 'register', 'orders', ...by],
    ]) {
      expect(await cli(...command)).toMatchObject({
        code: 0,
        stderr: expect.not.stringMatching(/madeleine: [A-Z_]+:/),
      });
    }
    expect(await audited('said')).toEqual(
      ['CreateConsumer', 'UpdateConsumer', 'Subscribe', 'ReplayParkedEvents', 'DiscardParkedEvents']
        .concat(['SeekConsumer', 'DeleteConsumer', 'RegisterTopic'])
        .map((call) => [call, 'anna']),
    );
  });

  it('says the user of the operating system where nobody is named', async () => {
    expect(await cli('consumers', 'create', 'mailer', '--context', 'own')).toMatchObject({ code: 0 });
    expect(await audited('own')).toEqual([['CreateConsumer', userInfo().username]]);
    expect((await cli('consumers', 'create', '--help')).stdout).toMatch(
      /--by <name> +who asks, for the audit \(default: the user of the\s+operating system\)/,
    );
  });

  it('is refused with a name that is none', async () => {
    expect(await cli('consumers', 'create', 'mailer', '--context', 'own', '--by', 'a\u0007')).toMatchObject({
      ...{ code: 1, stderr: expect.stringMatching(/FIELD_INVALID.*by/) },
    });
  });
});
