// Who reads a pipe, as the system shows it.

import { execFile } from 'node:child_process';
import { platform } from 'node:process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const WATCH = import.meta.resolve('../../../src/cli/connection/reader-watch.ts');

/** Watches its stdout, prints a line, and ends with 3 once it notices that nobody reads, with 4 if it does not. */
const PROGRAM = `
  const { ReaderWatch } = await import(${JSON.stringify(WATCH)});
  new ReaderWatch(process.stdout, () => process.exit(3));
  console.log('watching');
  setTimeout(() => process.exit(4), 1_500);`;

// Elsewhere nothing is noticed, and nothing has to be.
describe.skipIf(platform !== 'linux')('a watch on who reads', () => {
  async function codeIn(pipeline: string): Promise<string> {
    const program = 'program() { "$NODE" --import "$TSX" --input-type=module -e "$PROGRAM"; }';
    const command = `${program}; ${pipeline}; echo "code \${PIPESTATUS[0]}"`;
    const env = { ...process.env, NODE: process.execPath, TSX: import.meta.resolve('tsx'), PROGRAM };
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { env });
    return stdout.replace('watching\n', '').trim();
  }

  it.each([
    ['whose reader ends', 'program | head -1', 'code 3'],
    ['whose reader stays', 'program | cat', 'code 4'],
    ['that another one still has', 'program | { sleep 4 <&0 & head -1; wait; }', 'code 4'],
    ['that is none', 'program > /dev/null', 'code 4'],
  ])('of a pipe %s', { timeout: 30_000 }, async (_, pipeline, code) => {
    expect(await codeIn(pipeline)).toBe(code);
  });
});
