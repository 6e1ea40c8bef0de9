// Who may import whom. The table in house.ts is the architecture; the code below only holds the files against it.

import { describe, expect, it } from 'vitest';
import { EVERYONES, HOUSE, OUTSIDE } from './house.js';
import { type Import, listSources, parseImports, readImports } from './imports.js';

const GENERATED = 'generated';

/** Builtins that only compute or wait; every other one reaches out of the process. */
const PURE_BUILTINS =
  /^node:(assert|async_hooks|buffer|crypto|events|path|perf_hooks|stream|timers|url|util|zlib)(\/|$)/;

/** The room that a file lies in: a file that is a room of its own, or its folder; undefined if the house has none such. */
function roomOf(file: string): string | undefined {
  if (file.startsWith('generated/')) return GENERATED;
  const path = /^src\/(?<path>.+)\.ts$/.exec(file)?.groups?.path ?? '';
  return [path, path.replace(/\/?[^/]+$/, '')].find((room) => room !== '' && HOUSE[room] !== undefined);
}

function mayImport(room: string): readonly string[] {
  return (HOUSE[room] ?? '').split(/\s+/).filter((name) => name !== '');
}

/** What a room may use beyond the house: by the longest name in the table that it lies in. */
function outsideOf(room: string) {
  const names = Object.keys(OUTSIDE).filter((name) => room === name || room.startsWith(`${name}/`));
  const longest = names.sort((a, b) => b.length - a.length)[0];
  return (longest === undefined ? undefined : OUTSIDE[longest]) ?? { packages: [], io: false };
}

/** What an import breaks, or undefined. */
function violation({ file, target }: Import): string | undefined {
  const room = roomOf(file);
  if (room === undefined) return `${file} lies in no room of the house`;
  if (target.endsWith('.ts')) {
    const other = roomOf(target) ?? 'no room';
    return other === room || EVERYONES.includes(other) || mayImport(room).includes(other)
      ? undefined
      : `${room} may not import ${other}: ${file} imports ${target}`;
  }
  const { packages, io } = outsideOf(room);
  if (target.startsWith('node:')) {
    return io || PURE_BUILTINS.test(target) ? undefined : `${room} does no I/O: ${file} imports ${target}`;
  }
  const isAllowed = packages.some((name) =>
    name.endsWith('*') ? target.startsWith(name.slice(0, -1)) : target === name,
  );
  return isAllowed ? undefined : `${room} may not use ${target}: ${file}`;
}

/** A way from one to another that comes back to where it began, as one path; an empty list if there is none. */
function findCircle(edges: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const done = new Set<string>();
  const visit = (one: string, path: readonly string[]): readonly string[] => {
    if (path.includes(one)) return [...path.slice(path.indexOf(one)), one];
    if (done.has(one)) return [];
    for (const next of edges.get(one) ?? []) {
      const circle = visit(next, [...path, one]);
      if (circle.length > 0) return circle;
    }
    done.add(one);
    return [];
  };
  for (const one of edges.keys()) {
    const circle = visit(one, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

/** Who imports whom, by files or by rooms. */
function edgesOf(imports: readonly Import[], nameOf: (file: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { file, target } of imports) {
    if (!target.endsWith('.ts')) continue;
    const [from, to] = [nameOf(file), nameOf(target)];
    if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  return edges;
}

describe('architecture', () => {
  const files = listSources('src');
  const imports = files.flatMap(readImports);
  const rooms = edgesOf(imports, (file) => roomOf(file) ?? file);

  it('sees the code that it judges', () => {
    expect(files.length).toBeGreaterThan(200);
    expect(imports.length).toBeGreaterThan(1_000);
    const inhabited = new Set(files.map(roomOf));
    expect(Object.keys(HOUSE).filter((room) => !inhabited.has(room))).toEqual([]);
    const seen = new Set(imports.map(({ target }) => target));
    for (const name of ['knex', 'mysql2', 'nice-grpc', 'commander', 'node:fs', 'src/storage/ports/log-storage.ts']) {
      expect(seen, name).toContain(name);
    }
  });

  it('keeps to the table of who may import whom', () => {
    expect(imports.map(violation).filter((text) => text !== undefined)).toEqual([]);
  });

  it('allows nothing that nobody uses', () => {
    const unused = Object.keys(HOUSE).flatMap((room) =>
      mayImport(room)
        .filter((other) => rooms.get(room)?.has(other) !== true)
        .map((other) => `${room} need not import ${other}`),
    );
    expect(unused).toEqual([]);
  });

  it('has no circle of rooms, in the table or in the files, type imports included', () => {
    expect(findCircle(rooms)).toEqual([]);
    expect(findCircle(new Map(Object.keys(HOUSE).map((room) => [room, new Set(mayImport(room))])))).toEqual([]);
  });

  it('has no circle of files at run time', () => {
    const atRunTime = imports.filter(({ typeOnly }) => !typeOnly);
    expect(findCircle(edgesOf(atRunTime, (file) => file))).toEqual([]);
  });

  it('has no room with more files than one looks through', () => {
    const sizes = new Map<string, number>();
    // Migrations are read one at a time, and none ever goes.
    const looked = files.filter((file) => !file.startsWith('src/storage/mysql/migrations/'));
    for (const folder of looked.map((file) => file.replace(/\/[^/]+$/, ''))) {
      sizes.set(folder, (sizes.get(folder) ?? 0) + 1);
    }
    expect([...sizes].filter(([, size]) => size > 20).map(([folder]) => folder)).toEqual([]);
  });

  it('imports files that exist, by the name that Node needs', () => {
    const known = new Set([...files, ...listSources('generated')]);
    const broken = imports.filter(({ target }) => target.startsWith('.') || /^(src|generated)\//.test(target));
    expect(broken.filter(({ target }) => !known.has(target))).toEqual([]);
  });

  it.each<[file: string, target: string, reason: string | undefined]>([
    ['src/domain/events/event.ts', 'src/lib/clock.ts', 'domain/events may not import lib'],
    ['src/domain/events/event.ts', 'src/domain/group/group-plan.ts', 'domain/events may not import domain/group'],
    ['src/domain/events/event.ts', 'node:fs', 'domain/events does no I/O'],
    ['src/domain/events/event.ts', 'node:fs/promises', 'domain/events does no I/O'],
    ['src/domain/events/event.ts', 'node:crypto', undefined],
    ['src/engine/log/log-tail.ts', 'src/storage/mysql/sql/database.ts', 'engine/log may not import storage/mysql/sql'],
    ['src/engine/log/log-tail.ts', 'src/storage/ports/log-storage.ts', undefined],
    ['src/engine/log/log-tail.ts', 'mysql2', 'engine/log may not use mysql2'],
    ['src/engine/log/log-tail.ts', 'generated/madeleine/v1/event.ts', 'engine/log may not import generated'],
    ['src/storage/ports/log-storage.ts', 'src/storage/mysql/sql/database.ts', 'storage/ports may not import'],
    ['src/storage/embedded/embedded-mariadb.ts', 'mysql2', 'storage/embedded may not use mysql2'],
    ['src/storage/mysql/sql/database.ts', 'src/engine/log/log-tail.ts', 'storage/mysql/sql may not import engine/log'],
    ['src/storage/mysql/sql/database.ts', 'src/storage/mysql/log/event-log.ts', 'may not import storage/mysql/log'],
    ['src/grpc/server/server.ts', 'src/storage/ports/log-storage.ts', 'grpc/server may not import storage/ports'],
    ['src/grpc/server/server.ts', 'knex', 'grpc/server may not use knex'],
    ['src/cli/connection/run.ts', 'src/app/app.ts', 'cli/connection may not import app'],
    ['src/app/app.ts', 'src/main.ts', 'app may not import main'],
    ['src/http/admin.ts', 'nice-grpc', 'http may not use nice-grpc'],
    ['src/outbound/http/webhook.ts', 'src/engine/cawins/callback-sender.ts', undefined],
    ['src/outbound/http/webhook.ts', 'src/engine/cawins/cawins.ts', 'outbound/http may not import engine/cawins'],
    ['src/outbound/http/webhook.ts', 'nice-grpc', 'outbound/http may not use nice-grpc'],
    ['src/outbound/grpc/grpc-callback.ts', 'nice-grpc', undefined],
    ['src/engine/cawins/callback-runner.ts', 'src/engine/cawins/callback-sender.ts', undefined],
    ['src/engine/cawins/callback-sender.ts', 'src/engine/log/log-tail.ts', 'callback-sender may not import engine/log'],
    ['src/somewhere.ts', 'src/lib/clock.ts', 'lies in no room'],
    ['src/engine/somewhere/new.ts', 'src/lib/clock.ts', 'lies in no room'],
  ])('judges %s importing %s', (file, target, reason) => {
    const found = violation({ file, target, typeOnly: false });
    if (reason === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(reason);
  });

  it('finds a circle', () => {
    const circle = (...pairs: [string, string][]) =>
      findCircle(
        edgesOf(
          pairs.map(([file, target]) => ({ file, target, typeOnly: false })),
          (file) => file,
        ),
      );
    expect(circle(['a.ts', 'b.ts'], ['b.ts', 'c.ts'], ['c.ts', 'b.ts'])).toEqual(['b.ts', 'c.ts', 'b.ts']);
    expect(circle(['a.ts', 'b.ts'], ['a.ts', 'c.ts'], ['b.ts', 'c.ts'])).toEqual([]);
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
