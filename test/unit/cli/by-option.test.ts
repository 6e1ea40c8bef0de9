// Whoever asks for what is kept in the audit is named, whichever command it is.

import { userInfo } from 'node:os';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { buildProgram } from '../../../src/cli/commands/program.js';

const nothing = async () => {
  throw new Error('nothing is run');
};
const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
const program = buildProgram({ serve: nothing, migrate: nothing, doctor: nothing, environment: {}, ...streams });

function commandsOf(parent: Command, above = ''): (readonly [string, Command])[] {
  return parent.commands.flatMap((command) => {
    const name = `${above} ${command.name()}`.trim();
    return [[name, command] as const, ...commandsOf(command, name)];
  });
}

it('is the user of the operating system, unless `--by` names somebody else', () => {
  const named = commandsOf(program).flatMap(([name, { options }]) =>
    options.filter(({ flags }) => flags === '--by <name>').map(({ defaultValue }) => [name, defaultValue]),
  );
  const { username } = userInfo();
  expect(named.filter(([, by]) => by !== username)).toEqual([]);
  const names = named.map(([name]) => name);
  expect(names).toEqual(expect.arrayContaining(['consumers pause', 'consumers resume', 'streams transfer']));
  expect(names).toEqual(expect.arrayContaining(['save', 'restore', 'delete'].map((n) => `consumers snapshots ${n}`)));
});
