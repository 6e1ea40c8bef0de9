// Consumers through generated Python code, test by test of test/stubs/python/consumer_walk.py.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useServer } from '../support/server/suite.js';
import { generate, LANGUAGES, missing, pythonWithGrpc, ROOT, run } from './tools.js';

const SCRIPT = join(ROOT, 'test/stubs/python/consumer_walk.py');
const TESTS = [...readFileSync(SCRIPT, 'utf8').matchAll(/def test_(\w+)\(/g)].map(([, name]) => name ?? '');
const python = pythonWithGrpc();
const lacks = [...missing(LANGUAGES.python), ...(python === undefined ? ['python3-grpcio'] : [])];
const unless = lacks.length === 0 ? '' : ` (no ${lacks.join(', ')} here)`;

describe('a consumer in Python', () => {
  const suite = useServer();
  let directory: string;
  let generated: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'madeleine-walk-'));
    if (lacks.length === 0) generated = await generate(LANGUAGES.python, directory);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('has tests', () => expect(TESTS.length).toBeGreaterThan(5));

  it.skipIf(lacks.length > 0).each(TESTS)(`%s${unless}`, async (name) => {
    const env = { ...process.env, PYTHONPATH: generated, MADELEINE_SERVER: suite.server.address };
    await run(python ?? '', [SCRIPT, `ConsumerWalk.test_${name}`], { env });
  });
});
