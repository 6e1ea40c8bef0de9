// Arguments as the system gave them. Node reads what is no UTF-8 in them as U+FFFD, as if that had been written.

import { readFileSync } from 'node:fs';
import { textProblem } from './input-text.js';

const REPLACED = '\ufffd';

/** What is wrong with the first argument that was no UTF-8; undefined: all were. */
export function argumentProblem(argv: readonly string[], given = commandLine): string | undefined {
  const doubtful = argv.filter((argument) => argument.includes(REPLACED));
  if (doubtful.length === 0) return undefined;
  const known = given();
  // What has the character itself is there byte by byte.
  const changed = doubtful.find((argument) => !known.some((bytes) => bytes.equals(Buffer.from(argument))));
  if (changed === undefined) return undefined;
  const bytes = known.find((one) => one.toString('utf8') === changed);
  const why = (bytes && textProblem(bytes)) ?? 'is not UTF-8';
  return `the argument "${changed}" ${why}; bytes of any kind are taken with --file`;
}

/** The arguments of this process; none where the system does not tell. */
function commandLine(): readonly Buffer[] {
  try {
    return split(readFileSync('/proc/self/cmdline'));
  } catch {
    return [];
  }
}

function split(line: Buffer): readonly Buffer[] {
  return line
    .toString('latin1')
    .split('\0')
    .map((part) => Buffer.from(part, 'latin1'));
}
