// Archives through real clients, real servers and their files: what is deleted is in them before, and while they cannot be written nothing
// of their topics is deleted.

import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event, NewEvent } from '../../../generated/madeleine/v1/event.js';
import type { TopicRetention, TopicSettings } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { ServerProcess, startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const parent = mkdtempSync(join(tmpdir(), 'madeleine-archives-'));
const shared = join(parent, 'shared');
const suite = useServer({ archiveDir: shared });
const other = useServerBeside(suite, { archiveDir: shared });
let connection: Connection;

beforeAll(async () => {
  connection = await createConnection(suite.database.adminUrl);
});
afterAll(async () => {
  await connection?.end();
  await rm(parent, { recursive: true });
});

interface Scene {
  readonly client: TestClient;
  readonly connection: Connection;
}
const scene = (): Scene => ({ client: suite.client, connection });

async function registered({ client }: Scene, settings: Partial<TopicSettings>): Promise<string> {
  const name = `topic ${randomUUID()}`;
  await client.topics.registerTopic({ name, settings });
  return name;
}

async function push({ client }: Scene, topic: string, rest: Partial<NewEvent> = {}): Promise<Event> {
  const { event } = await client.events.pushEvent({ event: newEvent({ topic, ...rest }) });
  return event as Event;
}

/** Lets the whole log grow older, and something new come after it. */
async function age(at: Scene, hours: number): Promise<void> {
  await at.connection.query('UPDATE log SET created_at = created_at - ?', [hours * 3_600_000_000]);
  await push(at, 'the newest');
}

async function positions({ client }: Scene, topic: string): Promise<bigint[]> {
  const { events } = await client.events.listEvents({ filter: { topics: [topic] } });
  return events.map(({ position }) => position);
}

const becomes = (at: Scene, topic: string, expected: readonly bigint[]) =>
  waitUntil(async () => (await positions(at, topic)).join() === expected.join(), {
    what: `of ${topic} there is ${expected.join()}`,
    timeoutMs: 60_000,
  });

const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

interface Line extends Record<string, unknown> {
  readonly position: string;
  readonly payload?: { readonly json?: unknown; readonly data?: string };
}

async function archived(topic: string, directory = shared): Promise<Line[]> {
  const { code, stdout } = await cli('archive', 'read', directory, '--topic', topic, '--json');
  expect(code).toBe(0);
  return ndjson(stdout) as Line[];
}

async function stateOf({ client }: Scene, name: string): Promise<TopicRetention> {
  const { topics } = await client.topics.getRetentionState({});
  return topics.find((topic) => topic.name === name) as TopicRetention;
}

describe('a topic with an archive', () => {
  it('is written to files before it is deleted, each event once and as it was', async () => {
    const topic = await registered(scene(), { ttl: '1h', archive: true });
    const withdrawn = await push(scene(), topic);
    await suite.client.events.invalidateEvent({ id: withdrawn.id, reason: 'a mistake' });
    const events = [
      await push(scene(), topic, { payload: jsonPayload({ total: 12.5 }), stream: `s ${topic}`, dataSubject: topic }),
      await push(scene(), topic, { payload: bytesPayload('{"n": 12345678901234567890}') }),
      await push(scene(), topic, { payload: bytesPayload('\0\n', 'text/plain') }),
    ];
    // What was withdrawn has two entries, of which lists tell one.
    const sql = 'SELECT l.position FROM log l JOIN topic t ON t.id = l.topic_id WHERE t.name = ? ORDER BY l.position';
    const [rows] = await connection.query(sql, [topic]);
    const stored = (rows as { position: number }[]).map(({ position }) => BigInt(position));
    expect(stored).toHaveLength(5);
    await age(scene(), 2);
    await becomes(scene(), topic, []);
    const lines = await archived(topic);
    expect(lines.map(({ position }) => BigInt(position))).toEqual(stored);
    expect(lines[1]).toMatchObject({ status: 'EVENT_STATUS_INVALIDATED', invalidationReason: 'a mistake' });
    const [first, second, third] = lines.slice(2);
    expect(first).toMatchObject({
      id: String(events[0]?.id),
      topic,
      issuer: 'shop',
      sequence: '1',
      dataSubject: topic,
    });
    expect(first?.payload).toEqual({ json: { total: 12.5 } });
    expect(second?.payload?.json).toBeDefined();
    expect(third?.payload).toEqual({ contentType: 'text/plain', data: Buffer.from('\0\n').toString('base64') });
    expect((await cli('archive', 'read', shared, '--topic', topic)).stdout).toContain('{"n": 12345678901234567890}');
    for (const { client } of [suite, other]) {
      const { archives } = await client.topics.listArchives({ topic });
      expect(archives).toMatchObject([{ context: 'default', topic, entries: 5n, firstPosition: stored[0] }]);
    }
    expect((await cli('archive', 'list', '--topic', topic)).stdout).toContain(topic);
    expect((await cli('archive', 'verify', shared)).code).toBe(0);
    expect(await stateOf(scene(), topic)).toMatchObject({ archive: true, archiveHold: undefined, deletedEvents: 4n });
  });

  it('is archived by a truncation, whatever it keeps', async () => {
    const topic = await registered(scene(), { archive: true });
    const stream = `s ${topic}`;
    const events = [await push(scene(), topic, { stream }), await push(scene(), topic, { stream })];
    await push(scene(), topic, { stream });
    await suite.client.streams.truncateStream({ stream, upToSequence: 2n });
    await waitUntil(async () => (await positions(scene(), topic)).length === 1, { what: 'the stream is truncated' });
    expect((await archived(topic)).map(({ position }) => BigInt(position))).toEqual(events.map((one) => one.position));
  });

  it('is archived by the limits of its streams', async () => {
    const topic = await registered(scene(), { archive: true, maxEventsPerStream: 2n });
    const stream = `s ${topic}`;
    const events: Event[] = [];
    for (let n = 0; n < 5; n += 1) events.push(await push(scene(), topic, { stream }));
    const all = events.map(({ position }) => position);
    await push(scene(), 'the newest');
    await becomes(scene(), topic, all.slice(3));
    expect((await archived(topic)).map(({ position }) => BigInt(position))).toEqual(all.slice(0, 3));
  });

  it('is named by an erasure of whom it is about, also again, and in a dry run', async () => {
    const topic = await registered(scene(), { ttl: '1h', archive: true });
    const [person, erased, stream] = [`p ${topic}`, `e ${topic}`, `s ${topic}`];
    await push(scene(), topic, { dataSubject: person, stream });
    await push(scene(), topic, { dataSubject: erased });
    await suite.client.events.eraseEvents({ target: { $case: 'dataSubject', value: erased } });
    await age(scene(), 2);
    await becomes(scene(), topic, []);
    const [{ name = '' } = {}] = (await suite.client.topics.listArchives({ topic })).archives;
    const [first, second] = await archived(topic);
    expect(first?.payload).toBeDefined();
    expect(second).toMatchObject({ erasedAt: expect.any(String), payloadSha256: expect.any(String) });
    expect(second?.payload).toBeUndefined();
    const named = { archives: [name], archiveCount: 1n };
    for (const { client } of [suite, other, suite]) {
      for (const target of [
        { $case: 'dataSubject', value: person },
        { $case: 'stream', value: stream },
      ] as const) {
        expect(await client.events.eraseEvents({ target, dryRun: true })).toMatchObject(named);
        expect(await client.events.eraseEvents({ target })).toMatchObject(named);
      }
      const none = { target: { $case: 'dataSubject', value: erased } } as const;
      expect(await client.events.eraseEvents(none)).toMatchObject({ archives: [], archiveCount: 0n });
    }
    const told = await cli('erase', '--subject', person, '--yes');
    expect(told.stdout).toContain(`1 archive still holds what such events said`);
    expect(told.stdout).toContain(name);
  });

  it('is none where its events are ephemeral', async () => {
    const isRefused = { status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: ['settings.archive'] };
    const name = `topic ${randomUUID()}`;
    const { topics } = suite.client;
    const settings = { ttl: 'ephemeral', archive: true };
    expect(await refusalOf(topics.registerTopic({ name, settings }))).toMatchObject(isRefused);
    expect((await cli('topics', 'register', name, '--archive')).stdout).toMatch(/^ARCHIVE +yes$/m);
    const update = { name, settings: { ttl: 'ephemeral' }, updateMask: ['ttl'] };
    expect(await refusalOf(topics.updateTopic(update))).toMatchObject(isRefused);
    expect((await topics.getTopic({ name })).topic?.settings).toMatchObject({ ttl: 'permanent', archive: true });
    const changed = await cli('topics', 'update', name, '--ttl', 'ephemeral', '--unset', 'archive');
    expect(changed.code).toBe(0);
    expect((await topics.getTopic({ name })).topic?.settings).toMatchObject({ ttl: 'ephemeral', archive: false });
  });
});

describe('an archive that cannot be written', () => {
  let database: TestDatabase;
  let server: TestServer | undefined;
  let client: TestClient;
  let own: Connection;
  const logged: string[] = [];
  const at = (): Scene => ({ client, connection: own });

  beforeAll(async () => {
    database = await createTestDatabase();
    own = await createConnection(database.adminUrl);
  });
  afterAll(async () => {
    client?.close();
    await server?.stop();
    await own?.end();
    await database?.drop();
  });

  async function serve(archiveDir: string): Promise<void> {
    client?.close();
    await server?.stop();
    logged.length = 0;
    server = await startServer({ databaseUrl: database.url, archiveDir }, { logged });
    client = new TestClient(server.address);
  }

  const heldTopics = async () => {
    const text = await (await fetch(`http://${server?.httpAddress}/metrics`)).text();
    return Number(/^madeleine_archive_held_topics (\d+)$/m.exec(text)?.[1]);
  };

  /** What holds for a topic while its archive cannot be written, and once it can. */
  async function heldUntil(problem: string, mend: () => Promise<void>): Promise<void> {
    const topic = await registered(at(), { ttl: '1h', archive: true });
    const plain = await registered(at(), { ttl: '1h' });
    // What does not become short.
    const padded = () => jsonPayload({ pad: randomBytes(3_000).toString('base64') });
    const stays = [];
    for (let n = 0; n < 30; n += 1) stays.push((await push(at(), topic, { payload: padded() })).position);
    await push(at(), plain);
    await age(at(), 2);
    await becomes(at(), plain, []);
    await waitUntil(async () => (await stateOf(at(), topic)).archiveHold !== undefined, { what: 'it is said' });
    expect((await stateOf(at(), topic)).archiveHold).toMatchObject({ problem: expect.stringContaining(problem) });
    expect((await client.topics.previewRetention({ name: topic })).archiveHold?.problem).toContain(problem);
    expect(await positions(at(), topic)).toEqual(stays);
    expect((await runToEnd(['retention', 'state'], { server: server?.address ?? '' })).stdout).toContain(problem);
    await waitUntil(async () => (await heldTopics()) > 0, { what: 'metrics say so', timeoutMs: 20_000 });
    const { components } = await client.admin.getServerInfo({});
    expect(components.find(({ name }) => name === 'deletion')?.detail).toContain(problem);
    expect(logged.filter((line) => line.includes('archives cannot be written'))).toHaveLength(1);
    await push(at(), topic);
    await mend();
    await waitUntil(async () => (await positions(at(), topic)).length === 1, { what: 'it goes on', timeoutMs: 90_000 });
    await waitUntil(async () => (await stateOf(at(), topic)).archiveHold === undefined, { what: 'nothing is said' });
    await waitUntil(async () => (await heldTopics()) === 0, { what: 'metrics say so', timeoutMs: 20_000 });
  }

  it('holds the deletion of its topic alone, says so, and lets it go on once it can be written', async () => {
    const file = join(parent, 'file');
    await writeFile(file, '');
    await serve(join(file, 'archive'));
    await heldUntil('not a directory (ENOTDIR)', async () => {
      await rm(file);
      await mkdir(file);
    });
  }, 180_000);

  it('is as good as none on an instance without a directory', async () => {
    await serve('');
    await heldUntil('MADELEINE_ARCHIVE_DIR', () => serve(join(parent, 'given')));
    expect((await cli('archive', 'verify', join(parent, 'given'))).code).toBe(0);
  }, 180_000);

  it('holds it where the disk is full, and no part of what was written is taken for whole', async () => {
    const small = join(parent, 'small');
    await mkdir(small);
    const mounted = mountSmall(small);
    try {
      await serve(join(small, 'archive'));
      await heldUntil(mounted ? 'no space left on device (ENOSPC)' : 'not a directory (ENOTDIR)', async () => {
        await rm(join(small, 'full'), { recursive: true });
      });
      expect((await cli('archive', 'verify', join(small, 'archive'))).code).toBe(0);
      await server?.stop();
      server = undefined;
      expect((await readdir(join(small, 'archive'))).filter((name) => !/\.(gz|manifest\.json)$/.test(name))).toEqual(
        [],
      );
    } finally {
      await server?.stop();
      server = undefined;
      if (mounted) execFileSync('umount', ['-l', small]);
    }
  }, 180_000);

  /** Makes the directory a full disk; false: nobody may, and a file lies in the way of the archive instead. */
  function mountSmall(path: string): boolean {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', path], { stdio: 'ignore' });
    } catch {
      return false;
    }
    execFileSync('sh', ['-c', `head -c 120k /dev/urandom > ${join(path, 'full')}`]);
    return true;
  }
});

describe('an instance that is killed', () => {
  it('has what is deleted in a file, and seals it at its next start', async () => {
    const database = await createTestDatabase();
    const own = await createConnection(database.adminUrl);
    const [archiveDir, dataDir] = [join(parent, 'killed'), join(parent, 'data')];
    let server = await ServerProcess.start({ databaseUrl: database.url, archiveDir, dataDir });
    let client = new TestClient(server.address);
    try {
      const at = () => ({ client, connection: own });
      const topic = await registered(at(), { ttl: '1h', archive: true });
      const events = [await push(at(), topic), await push(at(), topic), await push(at(), topic)];
      await age(at(), 2);
      await becomes(at(), topic, []);
      client.close();
      await server.kill();
      const files = async () =>
        (await readdir(archiveDir)).map((name) => name.replace(/.*\.[0-9a-f]{16}\./, '')).sort();
      expect(await files()).toEqual(['ndjson.gz.open']);
      const deleted = events.map(({ position }) => position);
      expect((await archived(topic, archiveDir)).map(({ position }) => BigInt(position))).toEqual(deleted);
      server = await ServerProcess.start({ databaseUrl: database.url, archiveDir, dataDir });
      client = new TestClient(server.address);
      await waitUntil(async () => (await files()).join() === 'manifest.json,ndjson.gz', { what: 'it is sealed' });
      expect((await archived(topic, archiveDir)).map(({ position }) => BigInt(position))).toEqual(deleted);
      expect((await cli('archive', 'verify', archiveDir)).code).toBe(0);
      await waitUntil(async () => (await client.topics.listArchives({ topic })).archives[0]?.sealedAt !== undefined, {
        what: 'its row says so',
      });
    } finally {
      client.close();
      await server.kill();
      await own.end();
      await database.drop();
    }
  }, 120_000);
});
