// The commands that mend a consumer: quoted for a shell, whatever the consumer is called.

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { mendCommand } from '../../../../../src/engine/consumers/state/consumer-activity.js';

const mailer = { context: 'default', name: 'mailer' };

/** The words of a command as a shell takes them apart. */
function words(command: string): string[] {
  const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${command}`], { encoding: 'utf8' });
  return printed.split('\0').slice(0, -1);
}

describe('the command that mends a consumer', () => {
  it.each([
    ['NO_MEMBER', 0, 'madeleine subscribe mailer'],
    ['WAITING_FOR_ACKS', 17, 'madeleine ack mailer 17'],
    ['WAITING_FOR_ACKS', 0, 'madeleine subscribe mailer'],
    ['BLOCKED_BY_RETRY', 17, 'madeleine reject mailer 17 --park'],
    ['PAUSED', 0, 'madeleine consumers resume mailer'],
    ['IDLE', 0, ''],
    ['DELIVERING', 17, ''],
    ['STOPPING', 17, ''],
    ['UNKNOWN', 0, ''],
  ] as const)('of %s at %d is: %s', (activity, position, command) => {
    expect(mendCommand(mailer, { activity, position })).toBe(command);
  });

  it('of one that another instance runs asks that one', () => {
    const command = mendCommand(mailer, { activity: 'ELSEWHERE', position: 0, owner: '[::1]:50051' });
    expect(command).toBe("madeleine consumers explain --server '[::1]:50051' mailer");
    const resume = mendCommand(mailer, { activity: 'PAUSED', position: 0, owner: 'first.example:50051' });
    expect(resume).toBe('madeleine consumers resume --server first.example:50051 mailer');
  });

  it('names the context where it is another than the default one', () => {
    const key = { context: 'shop', name: 'mailer' };
    expect(mendCommand(key, { activity: 'NO_MEMBER', position: 0 })).toBe('madeleine subscribe --context shop mailer');
  });

  it.each(['two words', "it's", '$(reboot)', '`reboot`', '*', '~', '-dash', '"', 'a;b', 'größe', '\\', '#', '!x'])(
    'names %s so that a shell takes it for one word',
    (name) => {
      const command = mendCommand({ context: name, name }, { activity: 'WAITING_FOR_ACKS', position: 17 });
      const dashes = name.startsWith('-') ? ['--'] : [];
      expect(words(command)).toEqual(['madeleine', 'ack', '--context', name, ...dashes, name, '17']);
    },
  );
});
