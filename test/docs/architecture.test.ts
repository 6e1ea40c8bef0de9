// The pages about the code are true: what they name is there, and the index of architecture.md names everything.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { OPTIONS } from '../../src/config.js';
import { partOf } from './generated-parts.js';
import { code, rowsOf } from './markdown-tables.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ABOUT_THE_CODE = ['docs/architecture.md', 'docs/contributing.md', 'docs/security.md'];
const PATH = /`((?:src|test|proto|generated|docs|scripts|examples|bin)\/[\w./-]*)`/g;

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const pathsIn = (text: string) => [...text.matchAll(PATH)].map(([, path = '']) => path);
const architecture = read('docs/architecture.md');

/** The part of the page under a heading. */
function section(heading: string): string {
  const [, part = ''] = architecture.split(`\n### ${heading}\n`);
  return part.split(/\n#{2,3} /)[0] ?? '';
}

/** Whether the file has the word, not as a part of another one. */
function mentions(file: string, word: string): boolean {
  return new RegExp(`(?<![\\w$])${word}(?![\\w$])`).test(read(file));
}

/** Files below a folder that are code. */
function sources(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`);
}

/** Comments speak of reasons that others decide. */
function withoutComments(file: string): string {
  return read(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/^\s*\/\/.*$/gm, '');
}

/** `OWNED_ELSEWHERE` itself, or a function that is named after it: `ownedElsewhere`. */
function makes(reason: string): RegExp {
  const name = reason.toLowerCase().replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return new RegExp(`'${reason}'|\\b${reason}:|\\b${name}\\w*\\(`);
}

/** Files in src/storage/mysql, by the port that a class in them implements. */
function implementers(): Map<string, string> {
  const found = sources('src/storage/mysql').flatMap((path) =>
    [...read(path).matchAll(/ implements (\w+)/g)].map(([, port = '']): [string, string] => [port, path]),
  );
  return new Map(found);
}

/** What an engine file imports from the ports. */
function portsOf(file: string): string[] {
  const imports = [...read(file).matchAll(/import [^;]*?\{([^}]*)\} from '[./]*storage\/ports/g)];
  return imports.flatMap(([, names = '']) => names.match(/\w+/g) ?? []);
}

/** The page says once that reads are made durable; the part that looks for events needs no waits where it peeks. */
const NOT_IN_ROWS = [
  / durable-reads\.ts$/,
  /^PeekEvent wait-store\.ts$/,
  // Handed on to each session.
  /^(Subscribe|Fetch|DeleteConsumer) parked-store\.ts$/,
  /^(Subscribe|Fetch|\w+Consumer) place-store\.ts$/,
];

/** Where every reason is named, and the client, which is told of them. */
const NAMES_ALL_REASONS = /^src\/(domain\/errors\.ts|grpc\/wire\/status\.ts|cli\/)/;

/** A statement that changes rows of the table. */
function writes(table: string): RegExp {
  return new RegExp(`(INSERT (IGNORE )?INTO|UPDATE|DELETE( \\w)? FROM)\\s+${table}\\b`);
}

/** Rows of the index under the heading, by name. */
function indexOf(heading: string): Map<string, string[]> {
  return new Map(rowsOf(section(heading), /^`\w+`$/).map(([name, ...cells]) => [code(name), cells]));
}

describe.each(ABOUT_THE_CODE)('%s', (page) => {
  const text = read(page);

  it('names files and folders that exist', () => {
    expect(pathsIn(text).length).toBeGreaterThan(5);
    expect(pathsIn(text).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('names words that are in the files that it says', () => {
    const claims = [...text.matchAll(/((?:`\w+`, )*`\w+`) in `(\w[\w./-]*\.ts)`/g)];
    const lost = claims.flatMap(([, words = '', file = '']) =>
      [...words.matchAll(/\w+/g)].filter(([word]) => !mentions(file, word)).map(([word]) => `${word} in ${file}`),
    );
    expect(lost).toEqual([]);
  });
});

describe('the index of docs/architecture.md', () => {
  it('has every RPC of the contract, and a service that serves it', () => {
    const protos = readdirSync(join(ROOT, 'proto/madeleine/v1')).map((name) => read(`proto/madeleine/v1/${name}`));
    const rpcs = protos.flatMap((proto) => [...proto.matchAll(/^ {2}rpc (\w+)\(/gm)].map(([, name = '']) => name));
    expect(rpcs.length).toBeGreaterThan(30);
    const index = indexOf('By RPC');
    expect([...index.keys()].sort()).toEqual(rpcs.sort());
    for (const [rpc, cells] of index) {
      expect(cells, rpc).toHaveLength(3);
      for (const cell of cells) expect(pathsIn(cell).length, rpc).toBeGreaterThan(0);
      const [service = ''] = pathsIn(cells[0] ?? '');
      expect(mentions(service, `${rpc.charAt(0).toLowerCase()}${rpc.slice(1)}`), `${rpc} in ${service}`).toBe(true);
    }
  });

  it('has what implements the ports that the engine files of a call use', () => {
    const byPort = implementers();
    expect(byPort.size).toBeGreaterThan(8);
    const missing = [...indexOf('By RPC')].flatMap(([rpc, [, engine = '', sql = '']]) => {
      const needed = pathsIn(engine)
        .flatMap(portsOf)
        .flatMap((port) => byPort.get(port) ?? []);
      return needed.filter((file) => !pathsIn(sql).includes(file)).map((file) => `${rpc} ${basename(file)}`);
    });
    expect(missing.filter((one) => !NOT_IN_ROWS.some((known) => known.test(one)))).toEqual([]);
  });

  it('has every reason of an error, and every file that makes it', () => {
    const union = /export type ErrorReason =([^;]*);/.exec(read('src/domain/errors.ts'))?.[1] ?? '';
    const reasons = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, reason = '']) => reason);
    expect(reasons.length).toBeGreaterThan(10);
    const index = indexOf('By error');
    expect([...index.keys()].sort()).toEqual(reasons.sort());
    for (const [reason, [cell = '']] of index) {
      const [file = ''] = pathsIn(cell);
      expect(withoutComments(file), `${reason} in ${file}`).toMatch(makes(reason));
      const makers = sources('src').filter((path) => !NAMES_ALL_REASONS.test(path));
      const found = makers.filter((path) => makes(reason).test(withoutComments(path)));
      expect(pathsIn(cell), reason).toEqual(expect.arrayContaining(found));
    }
  });

  it('has every metric, and a file that counts it', () => {
    const declared = [...read('src/telemetry.ts').matchAll(/readonly (\w+) = (?:(?!readonly)[^'])*'(madeleine_\w+)'/g)];
    const members = new Map(declared.map(([, member = '', metric = '']) => [metric, member]));
    const metrics = rowsOf(read('docs/metrics.md'), /^`madeleine_/).map(([name]) => code(name));
    const index = indexOf('By metric');
    expect([...index.keys()].sort()).toEqual(metrics.sort());
    for (const [metric, [cell = '']] of index) {
      const [file = ''] = pathsIn(cell);
      expect(mentions(file, members.get(metric) ?? '?'), `${metric} in ${file}`).toBe(true);
    }
  });

  it('has every table, the file that makes it, and exactly those that write it', () => {
    const folder = 'src/storage/mysql/migrations';
    const migrations = readdirSync(join(ROOT, folder)).map((name) => read(`${folder}/${name}`));
    const tables = migrations.flatMap((text) => [...text.matchAll(/CREATE TABLE IF NOT EXISTS (\w+)/g)]);
    const index = indexOf('By table');
    expect([...index.keys()].sort()).toEqual(tables.map(([, table = '']) => table).sort());
    const writers = sources('src').filter((path) => !path.startsWith(folder));
    for (const [table, [made = '', written = '']] of index) {
      for (const file of pathsIn(made)) expect(mentions(file, table), `${table} in ${file}`).toBe(true);
      const expected = writers.filter((path) => writes(table).test(withoutComments(path)));
      expect(pathsIn(written).sort(), table).toEqual(expected.sort());
    }
  });
});

/** What makes something happen later or again; time limits of calls are made by other means. */
const TIMERS = /\bclock\.(every|after)\(|\bsetInterval\(|\blib\/pause\.js'|new Alarm\(/;
const MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000 };

/** The value of a constant that is a number of milliseconds. */
function millisOf(name: string, file: string): number {
  const [, factors = ''] = new RegExp(`const ${name}(?:: \\w+)? = ([\\d_]+);`).exec(read(file)) ?? [];
  return Number(factors.replaceAll('_', ''));
}

/** First cells of a table without code. */
function namesOf(text: string): string[] {
  const lines = text.split('\n').filter((line) => /^\| [A-Z]/.test(line));
  return lines.map((line) => line.split('|')[1]?.trim() ?? '');
}

describe('docs/architecture.md', () => {
  it('has whatever runs by itself, with its period', () => {
    const [, part = ''] = architecture.split('\n## What runs by itself\n');
    const [table = ''] = part.split('\n## ');
    const running = ['engine', 'storage', 'grpc', 'outbound', 'http'].flatMap((floor) => sources(`src/${floor}`));
    const timers = running.filter((path) => TIMERS.test(withoutComments(path)));
    expect(timers.length).toBeGreaterThan(8);
    expect(pathsIn(table)).toEqual(expect.arrayContaining(timers));
    const periods = [...table.matchAll(/(\d+) (ms|s|min) \(`(\w+)` in `([^`]+)`\)/g)];
    expect(periods.length).toBeGreaterThan(10);
    for (const [claim, count = '', unit = '', name = '', file = ''] of periods) {
      expect(millisOf(name, file), claim).toBe(Number(count) * (MS[unit] ?? 0));
    }
  });

  it('has every limit of docs/limits.md', () => {
    const limits = namesOf(read('docs/limits.md'));
    expect(limits.length).toBeGreaterThan(10);
    expect(namesOf(section('By limit'))).toEqual(limits);
  });

  it('has every setting, and a file that hands it on', () => {
    const index = indexOf('By setting');
    expect([...index.keys()]).toEqual(Object.values(OPTIONS).map(({ variable }) => variable));
    for (const [key, { variable }] of Object.entries(OPTIONS)) {
      const [handedOn = '', used = ''] = index.get(variable) ?? [];
      expect(pathsIn(used).length, variable).toBeGreaterThan(0);
      for (const file of pathsIn(handedOn)) expect(mentions(file, key), `${key} in ${file}`).toBe(true);
    }
  });
});

/** What a tree in a page names, each by its path: indented by two for each folder. */
function treeOf(page: string, part: string): string[] {
  const lines = (partOf(read(page), part) ?? '').split('\n').filter((line) => /^ *[\w.-]+\/?( |$)/.test(line));
  const parents: string[] = [];
  return lines.map((line) => {
    const [, indent = '', name = ''] = /^( *)(\S+)/.exec(line) ?? [];
    parents.splice(indent.length / 2, parents.length, name);
    return parents.join('');
  });
}

/** Folders below one, each ending in a slash, so many levels deep. */
function foldersBelow(folder: string, depth = Number.POSITIVE_INFINITY): string[] {
  const folders = readdirSync(join(ROOT, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.flatMap(({ name }) => {
    const path = `${folder}${name}/`;
    return [path, ...(depth > 1 ? foldersBelow(path, depth - 1) : [])];
  });
}

describe('the trees', () => {
  it('of src is that of the folders, and has each file beside them', () => {
    const named = treeOf('docs/architecture.md', 'tree src');
    expect(named.filter((path) => path.endsWith('/')).sort()).toEqual(['src/', ...foldersBelow('src/')].sort());
    const files = readdirSync(join(ROOT, 'src')).filter((name) => name.endsWith('.ts'));
    expect(named.filter((path) => !path.endsWith('/')).sort()).toEqual(files.map((name) => `src/${name}`).sort());
  });

  it('of test has every tier', () => {
    const named = treeOf('docs/contributing.md', 'tree test');
    expect(named.filter((path) => path.endsWith('/')).sort()).toEqual(['test/', ...foldersBelow('test/', 1)].sort());
  });
});
