// SQL is written in what MariaDB and MySQL share. What one of them lacks, or words that only one understands, stand in dialect.ts alone.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listSources } from './imports.js';

const BRIDGE = 'src/storage/mysql/sql/dialect.ts';
/** By the reason why it must not be written. */
const FOREIGN = {
  'MySQL 9.6 took it away': /\b(?:MD5|SHA1?)\(/,
  'MySQL has no RETURNING': /`[^`]*\bRETURNING\b/,
  'MySQL has no such condition': /\b(?:ADD|DROP|MODIFY) COLUMN IF (?:NOT )?EXISTS\b/,
  'MariaDB alone makes tables of numbers: see test/support/database/numbers.ts': /\bseq_(?:\d|\$\{)/,
  'what only one of them executes belongs into dialect.ts': /\/\*M?!\d/,
  'MySQL shows a tree unless it is told FORMAT=TRADITIONAL': /[`'"]EXPLAIN (?!FORMAT=)/,
} as const;

/** The reasons why a text is of one engine alone. */
function faults(text: string): string[] {
  const code = text.replace(/^\s*(?:\/\/|\*|\/\*\*).*$/gm, '');
  return Object.entries(FOREIGN).flatMap(([reason, pattern]) => (pattern.test(code) ? [reason] : []));
}

describe('the SQL', () => {
  it('of the storage and of the tests is of both engines', () => {
    const own = ['test/unit/architecture/dialect.test.ts', BRIDGE];
    const files = [...listSources('src/storage/mysql'), ...listSources('test')].filter(
      // The benchmark runs on MariaDB.
      (file) => !own.includes(file) && !file.startsWith('test/bench/'),
    );
    const found = files.flatMap((file) => {
      const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
      return faults(text).map((reason) => `${file}: ${reason}`);
    });
    expect(found).toEqual([]);
  });

  it.each([
    'SELECT MD5(DATABASE())',
    'const sql = `INSERT INTO x VALUES (1) RETURNING id`',
    'ALTER TABLE x ADD COLUMN IF NOT EXISTS y INT',
    'SELECT seq FROM seq_1_to_10',
    `SELECT seq FROM seq_\${from}_to_9`,
    'SET x = 1 /*!80000 , y = 2 */',
    '"EXPLAIN SELECT 1"',
  ])('is looked at: %s', (text) => {
    expect(faults(text)).toHaveLength(1);
  });
});
