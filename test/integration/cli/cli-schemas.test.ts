// `madeleine schemas`: what it prints, and the exit code that a build goes by.

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';
import { ndjson, runToEnd } from './cli-run.js';

const suite = useServer();
const ORDER = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', pattern: '^o-[0-9]+$' }, total: { type: 'number' } },
};
const WHOLE = { ...ORDER, properties: { ...ORDER.properties, total: { type: 'integer' } } };
const NOTED = { ...ORDER, properties: { ...ORDER.properties, note: { type: 'string' } } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'schemas-'));
});
afterAll(() => rm(folder, { recursive: true }));

const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

async function fileOf(schema: unknown): Promise<string> {
  const path = join(folder, `${randomUUID()}.json`);
  await writeFile(path, typeof schema === 'string' ? schema : JSON.stringify(schema));
  return path;
}

async function registered(): Promise<string> {
  const topic = `topic ${randomUUID()}`;
  expect(
    await cli('topics', 'register', topic, '--schema', await fileOf(ORDER), '--compatibility', 'full'),
  ).toMatchObject({ code: 0, stderr: '' });
  await suite.client.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload({ id: 'o-1', total: 2.5 }) }) });
  return topic;
}

describe('madeleine schemas', () => {
  it('says what would break, with 1, and changes nothing', async () => {
    const topic = await registered();
    const { code, stdout, stderr } = await cli('schemas', 'check', topic, await fileOf(WHOLE));
    expect(code).toBe(1);
    expect(stderr).toBe('madeleine: the schema is not full compatible\n');
    expect(stdout).toContain('breaks    /total: the new schema takes whole numbers only, version 1 takes others\n');
    expect(stdout).toContain('example: {"id":"o-0","total":0.5}\n');
    expect(stdout).toContain('stored    would refuse 1 of 1 events\n');
    expect(stdout).toMatch(/event \d+ .* \/total is not a whole number\n/);
    const { stdout: json, code: same } = await cli(
      'schemas',
      'check',
      topic,
      await fileOf(WHOLE),
      '--json',
      '--last',
      '0',
    );
    expect(same).toBe(1);
    expect(ndjson(json)).toMatchObject([{ findings: [{ path: '/total', backward: true }], latestVersion: 1 }]);
    expect(ndjson((await cli('schemas', 'list', topic, '--json')).stdout)).toMatchObject([
      { version: 1, inForce: true },
    ]);
  });

  it('says that it goes together, with 0', async () => {
    const topic = await registered();
    const file = await fileOf(NOTED);
    expect(await cli('schemas', 'check', topic, file, '--last', '0')).toEqual({
      code: 0,
      stdout: 'compatible (full): it becomes version 2\n',
      stderr: '',
    });
    expect(await cli('topics', 'update', topic, '--schema', file)).toMatchObject({ code: 0 });
    expect((await cli('schemas', 'list', topic)).stdout).toMatch(
      /^VERSION +CREATED AT +BYTES +IN FORCE\n +1 .* no\n +2 .* yes\n$/,
    );
    expect(JSON.parse((await cli('schemas', 'get', topic)).stdout)).toEqual(NOTED);
    expect(JSON.parse((await cli('schemas', 'get', topic, '--schema-version', '1')).stdout)).toEqual(ORDER);
    expect((await cli('schemas', 'check', topic, file, '--last', '0')).stdout).toBe(
      'the topic has this schema already\n',
    );
  });

  it('tells what is misspelled, and of a topic that there is not', async () => {
    const file = await fileOf({ type: 'object', requried: ['id'] });
    const { code, stdout } = await cli('schemas', 'check', `topic ${randomUUID()}`, file);
    expect(code).toBe(0);
    expect(stdout).toBe(
      'unknown   /requried: not a keyword, it means nothing\nstored    would refuse 0 of 0 events\ncompatible: it is the first\n',
    );
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ['no file', ['check', 'a', '/none/such'], 2, /cannot read/],
    ['no topic', ['check'], 2, /missing required argument/],
    ['another mode', ['check', 'a', '/none', '--compatibility', 'both'], 2, /It has to be one of backward/],
    ['a topic that there is not', ['list', 'none of this name'], 1, /TOPIC_UNKNOWN/],
    ['a version that there is not', ['get', 'none of this name', '--schema-version', '3'], 1, /TOPIC_UNKNOWN/],
  ])('fails: %s', async (_, argv, code, message) => {
    const ended = await cli('schemas', ...argv);
    expect(ended.code).toBe(code);
    expect(ended.stderr).toMatch(message);
  });

  it('names the place in a file that is no schema', async () => {
    const ended = await cli('schemas', 'check', 'a', await fileOf({ properties: { a: { type: 'strng' } } }));
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^madeleine: SCHEMA_INVALID: schema\/properties\/a\/type: is none of/);
    expect((await cli('schemas', 'check', 'a', await fileOf('{'))).stderr).toMatch(
      /SCHEMA_INVALID: schema: is not JSON/,
    );
  });
});
