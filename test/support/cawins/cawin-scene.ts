// What tests of cawins begin with: a server that may call loopback and tries again soon, a receiver, an event that has occurred.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  type Attempt,
  type Callback,
  type Cawin,
  CawinState,
  CreateCawinRequest,
} from '../../../generated/madeleine/v1/cawin_service.js';
import { mintCallbackSecret } from '../../../src/domain/cawins/callback-secret.js';
import { DEFAULT_RETRY_POLICY } from '../../../src/domain/cawins/retry-policy.js';
import { createTestDatabase, type TestDatabase } from '../database/database.js';
import { newEvent } from '../events/builders.js';
import { startServer, TestClient, type TestServer, type TestSettings } from '../server/server.js';
import { waitUntil } from '../wait-until.js';
import { HttpReceiver } from './http-receiver.js';

/** What every server of these tests needs. */
export const CAWIN_SETTINGS: TestSettings = {
  callbackAllow: '127.0.0.1',
  secretKey: randomBytes(32).toString('base64'),
};
/** Tries again soon, and seldom enough for a test to see the end. */
export const HASTY_POLICY = { ...DEFAULT_RETRY_POLICY, baseMs: 20, capMs: 100, maxAttempts: 4 };
export const SECRET = mintCallbackSecret(randomBytes);

export interface CawinScene {
  readonly database: TestDatabase;
  readonly server: TestServer;
  readonly client: TestClient;
  /** A fresh one for each test. */
  readonly receiver: HttpReceiver;
  /** Every line that the server logged, debug included. */
  readonly logged: string[];
  /** Id of an event that occurred just now. */
  occurred(topic?: string): Promise<bigint>;
  create(eventId: bigint, changes?: Partial<CreateCawinRequest>, callback?: Partial<Callback>): Promise<Cawin>;
  get(id: bigint): Promise<Cawin>;
  /** The cawin once it is in the state. */
  reaches(id: bigint, state: CawinState, timeoutMs?: number): Promise<Cawin>;
  attempts(id: bigint): Promise<Attempt[]>;
}

export function useCawins(settings: TestSettings = {}): CawinScene {
  const scene: Record<string, unknown> & { logged: string[] } = { logged: [] };
  const typed = scene as unknown as CawinScene;
  beforeAll(async () => {
    const database = await createTestDatabase();
    const all = { databaseUrl: database.url, ...CAWIN_SETTINGS, ...settings };
    const server = await startServer(all, { retryPolicy: HASTY_POLICY, logged: scene.logged });
    Object.assign(scene, { database, server, client: new TestClient(server.address) });
  });
  afterAll(async () => {
    typed.client?.close();
    await typed.server?.stop();
    await typed.database?.drop();
  });
  beforeEach(async () => {
    scene.receiver = new HttpReceiver();
    await typed.receiver.start();
  });
  afterEach(() => typed.receiver.stop());
  return Object.assign(scene, {
    occurred: (topic = 'payment') => pushed(typed.client, topic),
    create: (eventId: bigint, changes = {}, callback = {}) =>
      created(typed.client, { eventId, callback: callbackTo(typed.receiver.url(), callback), ...changes }),
    get: (id: bigint) => getCawin(typed.client, id),
    reaches: (id: bigint, state: CawinState, timeoutMs?: number) => reaches(typed.client, id, state, timeoutMs),
    attempts: async (id: bigint) => (await typed.client.cawins.listAttempts({ cawinId: id })).attempts,
  }) as unknown as CawinScene;
}

export function callbackTo(url: string, changes: Partial<Callback> = {}): Callback {
  return { url, secret: '', headers: {}, timeout: undefined, ...changes };
}

export async function pushed(client: TestClient, topic = 'payment'): Promise<bigint> {
  const { event } = await client.events.pushEvent({ event: newEvent({ topic }) });
  return event?.id ?? 0n;
}

export async function created(client: TestClient, request: Partial<CreateCawinRequest>): Promise<Cawin> {
  const { cawin } = await client.cawins.createCawin(CreateCawinRequest.fromPartial(request as CreateCawinRequest));
  if (cawin === undefined) throw new Error('an answer without a cawin');
  return cawin;
}

export async function getCawin(client: TestClient, id: bigint): Promise<Cawin> {
  const { cawin } = await client.cawins.getCawin({ id });
  if (cawin === undefined) throw new Error('an answer without a cawin');
  return cawin;
}

export async function reaches(client: TestClient, id: bigint, state: CawinState, timeoutMs = 10_000): Promise<Cawin> {
  let last: Cawin | undefined;
  await waitUntil(
    async () => {
      last = await getCawin(client, id);
      return last.state === state;
    },
    { what: `cawin ${id} is ${CawinState[state]}`, timeoutMs },
  );
  return last as Cawin;
}
