// How a start is seen from outside: what is in the way is found before the database is touched, and readiness comes last.

import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { FaultyProxy } from '../../support/database/faulty-proxy.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

describe('an address that cannot be listened on', () => {
  let taken: Server;
  let address: string;
  let directory: string;

  beforeAll(async () => {
    taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
    directory = await mkdtemp(join(tmpdir(), 'madeleine-start-'));
  });

  afterAll(async () => {
    taken.close();
    await rm(directory, { recursive: true });
  });

  it.each([
    ['listen', 'for gRPC', 'MADELEINE_LISTEN (--listen)'],
    ['httpListen', 'for HTTP', 'MADELEINE_HTTP_LISTEN (--http-listen)'],
  ])('is found before the embedded database is made, and told with its setting: %s', async (name, use, setting) => {
    const dataDir = join(directory, name);
    await expect(startServer({ dataDir, [name]: address })).rejects.toThrow(
      `cannot listen on ${address} ${use}: another program uses it; choose another address with ${setting}`,
    );
    expect(await readdir(directory)).toEqual([]);
  });

  it.each([
    [{ listen: '192.0.2.1:50051' }, 'it is no address of this machine'],
    [{ httpListen: '[2001:db8::1]:50080' }, 'it is no address of this machine'],
    [{ listen: 'nowhere.invalid:50051' }, 'its name is not known'],
  ])('is told in words: %j', async (settings, said) => {
    // Nobody answers at the database: the address is found first.
    const starting = startServer({ databaseUrl: 'mysql://u:p@127.0.0.1:1/d', ...settings });
    await expect(starting).rejects.toThrow(said);
  });

  it('is also one that is given twice', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const listen = `127.0.0.1:${(free.address() as AddressInfo).port}`;
    free.close();
    await once(free, 'close');
    const starting = startServer({ databaseUrl: 'mysql://u:p@127.0.0.1:1/d', listen, httpListen: listen });
    await expect(starting).rejects.toThrow(`cannot listen on ${listen} for gRPC: it is the address for HTTP, too`);
  });
});

describe('readiness', () => {
  let database: TestDatabase;
  let proxy: FaultyProxy;

  beforeAll(async () => {
    database = await createTestDatabase();
    proxy = new FaultyProxy(database.url);
    await proxy.start();
  });

  afterEach(() => proxy.forget());

  afterAll(async () => {
    await proxy?.stop();
    await database?.drop();
  });

  async function freeAddresses(): Promise<{ listen: string; httpListen: string }> {
    const servers = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const addresses = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
    await Promise.all(
      servers.map(async (server) => {
        server.close();
        await once(server, 'close');
      }),
    );
    return { listen: addresses[0] ?? '', httpListen: addresses[1] ?? '' };
  }

  it('comes when calls are taken, and until then the process lives and says that it starts', async () => {
    const { listen, httpListen } = await freeAddresses();
    const get = (path: string) => fetch(`http://${httpListen}${path}`);
    const fault = proxy.inject({ harm: { kind: 'delay', ms: 1_500 }, when: ({ text }) => /^SELECT 1$/.test(text) });
    const starting = startServer({ databaseUrl: proxy.url, listen, httpListen });
    await waitUntil(() => fault.hits > 0, { what: 'the database is asked' });
    expect((await get('/livez')).status).toBe(200);
    const early = await get('/readyz');
    expect([early.status, await early.json()]).toEqual([503, { ready: false, reasons: ['the server starts'] }]);
    expect((await get('/doctor')).status).toBe(503);
    expect((await get('/metrics')).status).toBe(200);
    await waitUntil(async () => (await get('/readyz')).status === 200, { what: 'it is ready', intervalMs: 1 });
    // At once: who is told that it is ready finds it listening.
    const [host = '', port = ''] = listen.split(':');
    const socket = connect(Number(port), host);
    await once(socket, 'connect');
    socket.destroy();
    const server: TestServer = await starting;
    await server.stop();
    await expect(get('/livez')).rejects.toThrow();
  });
});
