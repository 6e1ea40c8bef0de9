// Who may import whom. The table is the architecture; the code below only holds the files against it.

import { describe, expect, it } from 'vitest';
import { type Import, listSources, parseImports, readImports } from '../support/imports.js';

interface Rule {
  /** Files of this part: a path, or a folder ending in a slash. The first part that fits takes a file. */
  readonly files: string;
  /** Parts it may import besides itself. */
  readonly parts: readonly string[];
  /** npm packages it may import; a name ending in * stands for all that begin so. */
  readonly packages: readonly string[];
  /** Whether it may open files, sockets and processes by itself. */
  readonly io: boolean;
}

const COMMON = ['lib', 'telemetry', 'config'];
const GRPC_PACKAGES = ['nice-grpc*', '@grpc/grpc-js', '@bufbuild/protobuf'];
const EVERYTHING = [
  ...['cli', 'grpc', 'http', 'callback', 'outbound', 'engine', 'deliveries', 'mysql', 'embedded', 'ports'],
  ...['domain', 'generated', ...COMMON],
];

const HOUSE: Readonly<Record<string, Rule>> = {
  main: { files: 'src/main.ts', parts: ['app', 'cli', ...COMMON], packages: ['pino'], io: false },
  app: { files: 'src/app/', parts: EVERYTHING, packages: ['prom-client', 'nice-grpc*'], io: false },
  config: { files: 'src/config.ts', parts: [], packages: [], io: false },
  telemetry: { files: 'src/telemetry.ts', parts: ['lib'], packages: ['prom-client'], io: false },
  lib: { files: 'src/lib/', parts: [], packages: [], io: false },
  domain: { files: 'src/domain/', parts: [], packages: [], io: false },
  embedded: { files: 'src/storage/embedded/', parts: COMMON, packages: [], io: true },
  mysql: {
    files: 'src/storage/mysql/',
    parts: ['ports', 'domain', ...COMMON],
    packages: ['knex', 'mysql2'],
    io: false,
  },
  ports: { files: 'src/storage/', parts: ['domain', ...COMMON], packages: [], io: false },
  // The port that outbound implements, and all that it may know of the engine.
  deliveries: {
    files: 'src/engine/cawins/callback-sender.ts',
    parts: ['domain'],
    packages: [],
    io: false,
  },
  engine: { files: 'src/engine/', parts: ['deliveries', 'domain', 'ports', ...COMMON], packages: [], io: false },
  grpc: {
    files: 'src/grpc/',
    parts: ['engine', 'domain', 'generated', ...COMMON],
    packages: [...GRPC_PACKAGES, 'prom-client'],
    io: true,
  },
  http: { files: 'src/http/', parts: ['engine', 'domain', ...COMMON], packages: ['prom-client'], io: true },
  cli: {
    files: 'src/cli/',
    parts: ['engine', 'domain', 'generated', ...COMMON],
    packages: [...GRPC_PACKAGES, 'commander', 'cli-progress'],
    io: true,
  },
  callback: {
    files: 'src/outbound/grpc/',
    parts: ['outbound', 'deliveries', 'domain', 'generated', ...COMMON],
    packages: GRPC_PACKAGES,
    io: true,
  },
  outbound: {
    files: 'src/outbound/',
    parts: ['callback', 'deliveries', 'domain', ...COMMON],
    packages: ['amqplib'],
    io: true,
  },
  generated: { files: 'generated/', parts: [], packages: [...GRPC_PACKAGES, 'nice-grpc-common'], io: false },
};

/** Builtins that only compute or wait; every other one reaches out of the process. */
const PURE_BUILTINS = /^node:(assert|async_hooks|buffer|crypto|events|perf_hooks|stream|timers|url|util|zlib)(\/|$)/;

function partOf(file: string): string | undefined {
  return Object.keys(HOUSE).find((part) => {
    const { files } = HOUSE[part] as Rule;
    return files.endsWith('.ts') ? file === files : file.startsWith(files);
  });
}

/** What an import breaks, or undefined. */
function violation({ file, target }: Import): string | undefined {
  const part = partOf(file);
  if (part === undefined) return `${file} belongs to no part of the house`;
  const rule = HOUSE[part] as Rule;
  if (target.endsWith('.ts')) {
    const other = partOf(target) ?? 'nothing';
    return other === part || rule.parts.includes(other)
      ? undefined
      : `${part} may not import ${other}: ${file} imports ${target}`;
  }
  if (target.startsWith('node:')) {
    return rule.io || PURE_BUILTINS.test(target) ? undefined : `${part} does no I/O: ${file} imports ${target}`;
  }
  const isAllowed = rule.packages.some((name) =>
    name.endsWith('*') ? target.startsWith(name.slice(0, -1)) : target === name,
  );
  return isAllowed ? undefined : `${part} may not use ${target}: ${file}`;
}

/** Files that import each other in a circle at run time, as one path; an empty list if there is none. */
function findCycle(imports: readonly Import[]): readonly string[] {
  const edges = new Map<string, Import[]>();
  for (const one of imports) {
    if (!one.typeOnly && one.target.endsWith('.ts')) edges.set(one.file, [...(edges.get(one.file) ?? []), one]);
  }
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const { target } of edges.get(file) ?? []) {
      const cycle = visit(target, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of edges.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

describe('architecture', () => {
  const files = listSources('src');
  const imports = files.flatMap(readImports);

  it('sees the code that it judges', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(imports.length).toBeGreaterThan(400);
    for (const part of ['main', 'app', 'domain', 'embedded', 'mysql', 'ports', 'engine', 'grpc', 'http', 'cli']) {
      expect(
        files.filter((file) => partOf(file) === part),
        part,
      ).not.toEqual([]);
    }
    const seen = new Set(imports.map(({ target }) => target));
    for (const name of ['knex', 'mysql2', 'nice-grpc', 'commander', 'node:fs', 'src/storage/ports/log-storage.ts']) {
      expect(seen, name).toContain(name);
    }
  });

  it('keeps to the table of who may import whom', () => {
    expect(imports.map(violation).filter((text) => text !== undefined)).toEqual([]);
  });

  it('has no circle of imports at run time', () => {
    expect(findCycle(imports)).toEqual([]);
  });

  it('imports files that exist, by the name that Node needs', () => {
    const known = new Set([...files, ...listSources('generated')]);
    const broken = imports.filter(({ target }) => target.startsWith('.') || /^(src|generated)\//.test(target));
    expect(broken.filter(({ target }) => !known.has(target))).toEqual([]);
  });

  it.each<[file: string, target: string, reason: string | undefined]>([
    ['src/domain/events/event.ts', 'src/lib/clock.ts', 'domain may not import lib'],
    ['src/domain/events/event.ts', 'node:fs', 'domain does no I/O'],
    ['src/domain/events/event.ts', 'node:fs/promises', 'domain does no I/O'],
    ['src/domain/events/event.ts', 'node:crypto', undefined],
    ['src/engine/log/log-tail.ts', 'src/storage/mysql/sql/database.ts', 'engine may not import mysql'],
    ['src/engine/log/log-tail.ts', 'src/storage/ports/log-storage.ts', undefined],
    ['src/engine/log/log-tail.ts', 'mysql2', 'engine may not use mysql2'],
    ['src/engine/log/log-tail.ts', 'generated/madeleine/v1/event.ts', 'engine may not import generated'],
    ['src/storage/ports/log-storage.ts', 'src/storage/mysql/sql/database.ts', 'ports may not import mysql'],
    ['src/storage/embedded/embedded-mariadb.ts', 'mysql2', 'embedded may not use mysql2'],
    ['src/storage/mysql/sql/database.ts', 'src/engine/log/log-tail.ts', 'mysql may not import engine'],
    ['src/grpc/server/server.ts', 'src/storage/ports/log-storage.ts', 'grpc may not import ports'],
    ['src/grpc/server/server.ts', 'knex', 'grpc may not use knex'],
    ['src/cli/connection/run.ts', 'src/app/app.ts', 'cli may not import app'],
    ['src/app/app.ts', 'src/main.ts', 'app may not import main'],
    ['src/http/admin.ts', 'nice-grpc', 'http may not use nice-grpc'],
    ['src/outbound/http/webhook.ts', 'src/engine/cawins/callback-sender.ts', undefined],
    ['src/outbound/http/webhook.ts', 'src/engine/log/log-tail.ts', 'outbound may not import engine'],
    ['src/outbound/http/webhook.ts', 'nice-grpc', 'outbound may not use nice-grpc'],
    ['src/outbound/grpc/grpc-callback.ts', 'nice-grpc', undefined],
    ['src/engine/cawins/callback-runner.ts', 'src/engine/cawins/callback-sender.ts', undefined],
    ['src/engine/cawins/callback-sender.ts', 'src/engine/log/log-tail.ts', 'deliveries may not import engine'],
    ['src/somewhere.ts', 'src/lib/clock.ts', 'belongs to no part'],
  ])('judges %s importing %s', (file, target, reason) => {
    const found = violation({ file, target, typeOnly: false });
    if (reason === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(reason);
  });

  it('finds a circle', () => {
    const edge = (file: string, target: string, typeOnly = false) => ({ file, target, typeOnly });
    expect(findCycle([edge('a.ts', 'b.ts'), edge('b.ts', 'c.ts'), edge('c.ts', 'b.ts')])).toEqual([
      'b.ts',
      'c.ts',
      'b.ts',
    ]);
    expect(findCycle([edge('a.ts', 'b.ts'), edge('b.ts', 'a.ts', true)])).toEqual([]);
  });

  it('reads every form of import', () => {
    const text = [
      "import a from 'a';",
      "import type { B } from './b.js';",
      "import {\n  type C,\n  c,\n} from '../c.js';",
      "import 'd/side-effect';",
      "export { e } from './e.js';",
      "export * from './f.js';",
      "import * as g from '@g/h/i';",
      "const j = await import('./j.js');",
      "// import k from 'k';",
      "/* import l from 'l'; */",
    ].join('\n');
    expect(parseImports(text)).toEqual([
      { specifier: 'a', typeOnly: false },
      { specifier: './b.js', typeOnly: true },
      { specifier: '../c.js', typeOnly: false },
      { specifier: 'd/side-effect', typeOnly: false },
      { specifier: './e.js', typeOnly: false },
      { specifier: './f.js', typeOnly: false },
      { specifier: '@g/h/i', typeOnly: false },
      { specifier: './j.js', typeOnly: false },
    ]);
  });
});
