// AbortSignal.any never lets go of what it made from a signal that lives on (Node 20: 2.7 KB a call): the server does not use it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** Commands of a person end soon. */
const SHORT_LIVED = join('src', 'cli');

it('are not joined by AbortSignal.any', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map((name) => join('src', name))
    .filter((path) => path.endsWith('.ts') && !path.startsWith(SHORT_LIVED));
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((path) => /AbortSignal\.any\(/.test(readFileSync(path, 'utf8')))).toEqual([]);
});
