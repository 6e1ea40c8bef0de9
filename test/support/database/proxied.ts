import { isReservedTopic } from '../../../src/domain/names.js';
// A server in this process whose database is behind a faulty proxy, and a look at what is really stored.

import { createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { StoredEvent } from '../events/history.js';
import { startServer, TestClient, type TestServer, type TestSettings } from '../server/server.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { FaultyProxy, type Statement } from './faulty-proxy.js';

export interface ProxiedSuite {
  readonly database: TestDatabase;
  readonly proxy: FaultyProxy;
  readonly server: TestServer;
  readonly client: TestClient;
}

/** Sets the suite up before all tests of the file; faults end with their test. */
export function useProxiedServer(
  settings: TestSettings = {},
  options?: Parameters<typeof startServer>[1],
): ProxiedSuite {
  const suite: { database?: TestDatabase; proxy?: FaultyProxy; server?: TestServer; client?: TestClient } = {};
  beforeAll(async () => {
    suite.database = await createTestDatabase();
    suite.proxy = new FaultyProxy(suite.database.url);
    await suite.proxy.start();
    suite.server = await startServer({ databaseUrl: suite.proxy.url, ...settings }, options);
    suite.client = new TestClient(suite.server.address);
  });
  afterEach(() => suite.proxy?.forget());
  afterAll(async () => {
    suite.client?.close();
    await suite.server?.stop();
    await suite.proxy?.stop();
    await suite.database?.drop();
  });
  return suite as ProxiedSuite;
}

/** The statement that ends a group. */
export function isCommit({ group, text }: Statement): boolean {
  return group && /^UPDATE log_head[\s\S]*COMMIT$/.test(text);
}

/** A statement of a group, or one that prepares its connection for it. */
export function isOfGroup({ group }: Statement): boolean {
  return group;
}

export interface StoredRow {
  readonly topic: string;
  readonly position: number;
  readonly stream: string | null;
  readonly sequence: number | null;
  readonly message_id: string;
  readonly json: string;
}

/** Everything that is stored, past the server and the proxy, by position. */
export async function storedRows({ adminUrl }: TestDatabase): Promise<StoredRow[]> {
  const connection = await createConnection(adminUrl);
  try {
    const [rows] = await connection.query(
      'SELECT position, topic, stream, sequence, message_id, json FROM events ORDER BY position',
    );
    return rows as StoredRow[];
  } finally {
    await connection.end();
  }
}

/** What was pushed, as the checker of operation logs wants it. */
export async function storedEvents(database: TestDatabase): Promise<StoredEvent[]> {
  const pushed = (await storedRows(database)).filter(({ topic }) => !isReservedTopic(topic));
  return pushed.map(({ message_id: messageId, position, stream, sequence }) => ({
    messageId,
    position: BigInt(position),
    stream: stream ?? '',
    sequence: BigInt(sequence ?? 0),
  }));
}

/** What is wrong with the log as a whole: positions or sequences with holes, a message id stored twice. */
export function logFaults(rows: readonly StoredRow[]): string[] {
  const sequences = new Map<string, number>();
  const messages = new Set<string>();
  return rows.flatMap(({ position, stream, sequence, message_id: id }, index) => {
    const faults: string[] = [];
    if (position !== index + 1) faults.push(`position ${position} where ${index + 1} was due`);
    // The end of a wait, and an invalidation, come from no push of a message and have no place in a stream.
    if (id === '') return faults;
    if (messages.has(id)) faults.push(`message ${id} is stored twice`);
    messages.add(id);
    if (stream === null) return faults;
    const due = (sequences.get(stream) ?? 0) + 1;
    sequences.set(stream, due);
    if (sequence !== due) faults.push(`${stream}#${sequence} at ${position} where #${due} was due`);
    return faults;
  });
}
