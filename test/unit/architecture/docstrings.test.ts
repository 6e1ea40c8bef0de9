// A docstring begins with a noun or a verb in the third person, and stands alone: who meets it in an editor does not see its
// neighbour.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listSources } from './imports.js';

/** Words that go on with what stood before. */
const GOES_ON =
  /^(?:…|(?:Of|As|That|Those|The same|Such|It|Also|Like|And|To|In|On|By|With|Without|For|At|After|From|While|Not|Until|If|None|Only)\b)/;

/** The first lines of the docstrings of a text. */
function beginnings(text: string): string[] {
  return [...text.matchAll(/\/\*\*\s+(?:\*\s+)?(?<line>.*)/g)].map(({ groups }) => groups?.line ?? '');
}

describe('docstrings', () => {
  const all = listSources('src').flatMap((file) =>
    beginnings(readFileSync(file, 'utf8')).map((line) => `${file}: ${line}`),
  );

  it('stand alone', () => {
    expect(all.length).toBeGreaterThan(1_500);
    expect(all.filter((text) => GOES_ON.test(text.replace(/^\S+: /, '')))).toEqual([]);
  });

  it.each([
    '/** Of the head before the search. */',
    '/** As push. */',
    '/**\n   * By the key: the wait.\n   */',
    '/** The same, later. */',
    '/** … and their bytes. */',
  ])('would be found in: %s', (text) => {
    expect(beginnings(text)).toHaveLength(1);
    expect(beginnings(text)[0]).toMatch(GOES_ON);
  });

  it.each([
    '/** Returns the head as it was before the search. */',
    '/** The head. */',
    '/** Whether it is open. */',
    '/** See EventLog.page. */',
  ])('may say: %s', (text) => {
    expect(beginnings(text)[0]).not.toMatch(GOES_ON);
  });
});
