// Stubs of other languages, generated from the protos as they are, and compiled where the language's compiler is found.

import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { find, generate, javaClassPath, LANGUAGES, missing, pythonWithGrpc, ROOT, run } from './tools.js';

const SERVICES = ['callback', 'cawin', 'consumer', 'event', 'stream', 'topic'];
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madeleine-stubs-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Generates into a folder of its own; the names of what lies there then. */
async function generated(language: keyof typeof LANGUAGES): Promise<{ folder: string; files: readonly string[] }> {
  const folder = await generate(LANGUAGES[language], directory);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return { folder, files: files.map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1)).sort() };
}

const without = (programs: readonly string[]) => (programs.length === 0 ? '' : ` (no ${programs.join(', ')} here)`);

describe('stubs', () => {
  const go = LANGUAGES.go;
  it.skipIf(missing(go).length > 0)(`of Go are generated and built${without(missing(go))}`, async () => {
    const { folder, files } = await generated('go');
    expect(files).toEqual(
      expect.arrayContaining(SERVICES.map((service) => `madeleine/v1/${service}_service_grpc.pb.go`)),
    );
    expect(await readFile(join(folder, 'madeleine/v1/event.pb.go'), 'utf8')).toContain('package madeleinev1');
    await cp(join(ROOT, 'test/stubs/go'), folder, { recursive: true });
    await run(find('go') ?? 'go', ['vet', './...'], { cwd: folder });
  });

  const java = LANGUAGES.java;
  it.skipIf(missing(java).length > 0)(`of Java are generated and compiled${without(missing(java))}`, async () => {
    const { folder, files } = await generated('java');
    const own = 'example/madeleine/v1';
    expect(files).toEqual(expect.arrayContaining([`${own}/Event.java`, `${own}/EventProto.java`]));
    expect(files).toEqual(expect.arrayContaining([`${own}/EventServiceGrpc.java`, `${own}/OnEventRequest.java`]));
    expect(files.filter((file) => file.includes('OuterClass'))).toEqual([]);
    const classPath = javaClassPath();
    if (classPath === undefined) return;
    const sources = files.map((file) => join(folder, file));
    await run(find('javac') ?? 'javac', ['-nowarn', '-cp', classPath, '-d', join(folder, 'classes'), ...sources]);
  });

  const python = LANGUAGES.python;
  it.skipIf(missing(python).length > 0)(`of Python are generated and imported${without(missing(python))}`, async () => {
    const { folder, files } = await generated('python');
    expect(files).toEqual(
      expect.arrayContaining(SERVICES.map((service) => `madeleine/v1/${service}_service_pb2_grpc.py`)),
    );
    const interpreter = pythonWithGrpc();
    if (interpreter === undefined) return;
    const imports = files.map((file) => `import ${file.replace(/\.py$/, '').replaceAll('/', '.')}`);
    await run(interpreter, ['-c', imports.join('\n')], { cwd: folder });
  });

  const csharp = LANGUAGES.csharp;
  it.skipIf(missing(csharp).length > 0)(`of C# are generated in our namespace${without(missing(csharp))}`, async () => {
    const { folder, files } = await generated('csharp');
    expect(files).toEqual(expect.arrayContaining(['Madeleine/V1/Event.cs']));
    for (const file of files) {
      expect(await readFile(join(folder, file), 'utf8'), file).toContain('namespace Madeleine.V1 {');
    }
  });

  const cpp = LANGUAGES.cpp;
  it.skipIf(missing(cpp).length > 0)(`of C++ are generated and compiled${without(missing(cpp))}`, async () => {
    const { folder, files } = await generated('cpp');
    const sources = files.filter((file) => file.endsWith('.cc'));
    expect(sources).toEqual(expect.arrayContaining(SERVICES.map((name) => `madeleine/v1/${name}_service.grpc.pb.cc`)));
    if (find('g++') === undefined) return;
    // All of the headers in one, as most of the time goes into the library's.
    const headers = files.filter((file) => file.endsWith('.grpc.pb.h')).flatMap((file) => ['-include', file]);
    for (const argv of [
      [...headers, '-x', 'c++', '/dev/null'],
      ['madeleine/v1/callback_service.grpc.pb.cc'],
      ['madeleine/v1/event.pb.cc'],
    ])
      await run(find('g++') ?? 'g++', ['-std=c++17', '-fsyntax-only', '-I.', ...argv], { cwd: folder });
  });
});

describe('the protos', () => {
  it('say in every file what generators of languages ask for', async () => {
    const folder = join(ROOT, 'proto/madeleine/v1');
    for (const file of await readdir(folder)) {
      const text = await readFile(join(folder, file), 'utf8');
      const words = file.replace('.proto', '').split('_');
      const outer = `${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')}Proto`;
      const options = Object.fromEntries(
        [...text.matchAll(/^option (\w+) = (.*);$/gm)].map(([, name, value]) => [name, value]),
      );
      expect(options, file).toEqual({
        csharp_namespace: '"Madeleine.V1"',
        go_package: '"madeleine.example/go/madeleine/v1;madeleinev1"',
        java_multiple_files: 'true',
        java_outer_classname: `"${outer}"`,
        java_package: '"example.madeleine.v1"',
        objc_class_prefix: '"MDL"',
      });
    }
  });
});
