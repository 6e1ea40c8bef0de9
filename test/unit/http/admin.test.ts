// The HTTP side on a real socket of loopback.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { Counter, Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { AdminServer, type AdminServerOptions } from '../../../src/http/admin.js';

const servers: AdminServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function start(options: Partial<AdminServerOptions> = {}): Promise<{ url: string; errors: string[] }> {
  const errors: string[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (_: object, message: string) => errors.push(message) };
  const server = new AdminServer({
    ...{ listen: '127.0.0.1:0', readiness: () => [], inspection: async () => ({}), registries: [], logger },
    ...options,
  });
  servers.push(server);
  return { url: `http://${await server.start()}`, errors };
}

describe('admin server', () => {
  it('says that the process lives', async () => {
    const { url } = await start({ readiness: () => ['not now'] });
    const answer = await fetch(`${url}/livez`);
    expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
  });

  it('gives what the server finds of its database', async () => {
    const found = { database: 'db:3306/m', findings: [{ check: 'schema', state: 'ok', detail: 'version 5' }] };
    const { url } = await start({ inspection: async () => found });
    const answer = await fetch(`${url}/doctor`);
    expect([answer.status, await answer.json()]).toEqual([200, found]);
  });

  it('is ready when nothing speaks against it', async () => {
    const { url } = await start({ readiness: async () => [] });
    const answer = await fetch(`${url}/readyz?verbose`);
    expect([answer.status, await answer.json()]).toEqual([200, { ready: true, reasons: [] }]);
  });

  it('gives the reasons why it is not ready, as they are at each look', async () => {
    let reasons: string[] = ['draining', 'the database does not answer'];
    const { url } = await start({ readiness: () => reasons });
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([503, { ready: false, reasons }]);
    reasons = [];
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  it('is not ready when the check fails, and logs why', async () => {
    const { url, errors } = await start({ readiness: () => Promise.reject(new Error('secret detail')) });
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).not.toContain('secret');
    expect(errors).toEqual(['readiness check failed']);
  });

  it('is not ready when the check hangs', async () => {
    const { url } = await start({ readiness: () => new Promise(() => {}) });
    const answer = await fetch(`${url}/readyz`);
    expect([answer.status, await answer.json()]).toEqual([
      503,
      { ready: false, reasons: ['the check did not end in time'] },
    ]);
  });

  it('gives out the metrics of all registries', async () => {
    const registries = [new Registry(), new Registry()];
    registries.forEach((registry, index) => {
      new Counter({ name: `probe_${index}_total`, help: 'Probe.', registers: [registry] }).inc(index + 1);
    });
    const { url } = await start({ registries });
    const answer = await fetch(`${url}/metrics`);
    const body = await answer.text();
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toMatch(/^probe_0_total 1$/m);
    expect(body).toMatch(/^probe_1_total 2$/m);
  });

  it('answers 500 without details when metrics fail', async () => {
    const registries = [new Registry(), new Registry()];
    for (const registry of registries) new Counter({ name: 'same_total', help: 'Same.', registers: [registry] });
    const { url, errors } = await start({ registries });
    const answer = await fetch(`${url}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([500, 'failed: the reason is in the log\n']);
    expect(errors).toEqual(['admin request failed']);
  });

  it('answers HEAD with the length and no body', async () => {
    const { url } = await start();
    const answer = await fetch(`${url}/livez`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([200, '3', '']);
  });

  it.each(['/', '/livez/', '/toString', '/__proto__', '//livez'])('does not know %s', async (path) => {
    const { url } = await start();
    expect((await fetch(`${url}${path}`)).status).toBe(404);
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('allows no %s', async (method) => {
    const { url } = await start();
    const answer = await fetch(`${url}/livez`, { method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it.each([
    ['HTTP/1.0 without a host', 'HTTP/1.0\r\n\r\n'],
    ['HTTP/1.0 with an empty host', 'HTTP/1.0\r\nHost:\r\n\r\n'],
    ['HTTP/1.1 with an empty host', 'HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n'],
  ])('answers balancers that ask by %s', async (_how, rest) => {
    const { url } = await start({ registries: [new Registry()] });
    for (const path of ['/livez', '/readyz', '/metrics']) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.write(`GET ${path} ${rest}`);
      expect(await text(socket), path).toMatch(/^HTTP\/1\.1 200 /);
    }
  });

  it('survives what is not HTTP', async () => {
    const { url } = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('\x16\x03\x01 hello\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400/);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  describe('under more connections than it keeps', () => {
    const sockets: Socket[] = [];

    afterEach(() => {
      for (const socket of sockets.splice(0)) socket.destroy();
    });

    /** Connections that have begun with these bytes. */
    async function crowd(url: string, count: number, begin: string): Promise<void> {
      const port = Number(new URL(url).port);
      const made = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
      sockets.push(...made);
      await Promise.all(made.map((socket) => once(socket, 'connect')));
      for (const socket of made) socket.write(begin);
    }

    it.each([
      ['say nothing', ''],
      ['never end their request', 'GET /livez HTTP/1.1\r\nHost: here\r\n'],
      ['never end their body', 'GET /livez HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n'],
      ['take no answer', 'GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n'.repeat(2)],
      ['wait for an answer that takes long', 'GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n'],
    ])('answers who comes next, though those before %s', async (_, begin) => {
      const { url } = await start({ readiness: () => new Promise(() => {}) });
      await crowd(url, 300, begin);
      for (let n = 0; n < 3; n++) {
        // A second is promised, but not beside the other tests; the limits of requests would make room after five.
        const answer = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(4_000) });
        expect([answer.status, await answer.text()]).toEqual([200, 'ok\n']);
      }
    });
  });

  it('cuts a request that does not end within its time, not half a minute later', { timeout: 15_000 }, async () => {
    const { url } = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /livez HTTP/1.1\r\n');
    const sinceMs = performance.now();
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408/);
    expect(performance.now() - sinceMs).toBeLessThan(9_000);
  });

  it('says that there is no database yet', async () => {
    const { url } = await start({ inspection: async () => undefined });
    const answer = await fetch(`${url}/doctor`);
    expect([answer.status, await answer.json()]).toEqual([503, { reason: 'the server has no database now' }]);
  });

  it('says which address is taken', async () => {
    const { url } = await start();
    const listen = new URL(url).host;
    await expect(start({ listen })).rejects.toThrow(`cannot listen on ${listen} for HTTP: another program uses it`);
  });

  it('listens on IPv6', async () => {
    const { url } = await start({ listen: '[::1]:0' });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
  });

  it('stops although a client keeps its connection, twice, and before it started', async () => {
    const { url } = await start();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /livez HTTP/1.1\r\nHost: here\r\n\r\n');
    await once(socket, 'data');
    await servers[0]?.stop();
    await servers[0]?.stop();
    if (!socket.closed) await once(socket, 'close');
    await expect(fetch(`${url}/livez`)).rejects.toThrow();
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const inspection = async () => ({});
    await new AdminServer({ listen: '127.0.0.1:0', readiness: () => [], inspection, registries: [], logger }).stop();
  });
});
