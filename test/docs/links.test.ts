// Every link of a page leads somewhere: to a file or folder of the repository, and to a heading that is there.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DOCS = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
const PAGES = [
  'README.md',
  'CHANGELOG.md',
  ...DOCS.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
];

const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** The page as it reads: without fenced blocks, whose brackets are no links and whose `#` are no headings. */
function prose(page: string): string {
  return read(page).replaceAll(/^```[\s\S]*?^```$/gm, '');
}

/** Names of the headings, by which links find them. */
function anchors(page: string): Set<string> {
  return new Set([...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading)));
}

/** As GitHub does it: letters, digits, `-` and `_` in lower case, `-` for spaces. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** What the links of the page, other than to the web, lead to: each relative to the root. */
function targets(page: string): { readonly path: string; readonly anchor: string }[] {
  const links = [...prose(page).matchAll(/\]\((?![a-z]+:)([^)\s]*)\)/g)].map(([, target = '']) => target);
  return links.map((link) => {
    const [path = '', anchor = ''] = link.split('#');
    return { path: path === '' ? page : normalize(join(dirname(page), path)), anchor };
  });
}

/** What is wrong with a link, or undefined. */
function problem({ path, anchor }: { path: string; anchor: string }): string | undefined {
  if (path.startsWith('..') || !existsSync(join(ROOT, path))) return `${path} does not exist`;
  return anchor === '' || anchors(path).has(anchor) ? undefined : `${path} has no heading #${anchor}`;
}

describe('links', () => {
  it('are found', () => {
    expect(targets('README.md').length).toBeGreaterThan(10);
    expect(targets('README.md').filter(({ path }) => path === 'docs/errors.md')).not.toEqual([]);
    expect(anchorOf('What it does: `make run`, and more_or-less')).toBe('what-it-does-make-run-and-more_or-less');
  });

  it.each(PAGES)('of %s resolve', (page) => {
    expect(
      targets(page)
        .map(problem)
        .filter((text) => text !== undefined),
    ).toEqual([]);
  });

  it('lead from README.md to every page of docs/', () => {
    const linked = targets('README.md').map(({ path }) => path);
    const pages = PAGES.filter((page) => /^docs\/[^/]+$/.test(page));
    expect(pages.filter((page) => !linked.includes(page))).toEqual([]);
  });
});
