import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { HTTP } from 'cloudevents';
import { Webhook as Verifier } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mintCallbackSecret } from '../../../src/domain/cawins/callback-secret.js';
import type { AttemptResult } from '../../../src/engine/cawins/callback-sender.js';
import { callbackAttempt, logEntry, SECRET } from '../../support/cawins/callback-attempt.js';
import { type CallbackScene, callbackScene } from '../../support/cawins/callback-scene.js';
import { TestAuthority } from '../../support/cawins/certificates.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import { waitUntil } from '../../support/wait-until.js';

const never = new AbortController().signal;
const authority = new TestAuthority();
let receiver: HttpReceiver;
let scene: CallbackScene;

beforeAll(() => authority.start());
afterAll(() => authority.stop());

beforeEach(async () => {
  receiver = new HttpReceiver();
  await receiver.start();
  scene = callbackScene({ ca: authority.ca });
});

afterEach(async () => {
  await scene.callbacks.stop();
  await receiver.stop();
});

function send(changes: Parameters<typeof callbackAttempt>[1] = {}, url = receiver.url()): Promise<AttemptResult> {
  return scene.callbacks.send(callbackAttempt(url, changes), never);
}

describe('a webhook', () => {
  it('is a CloudEvent with a signature that the libraries of both standards accept', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const entry = logEntry({ rest: { traceparent } });
    const result = await send({ event: { entry, cawinId: 5, awaitedId: 7 }, headers: { 'X-Tenant': 'acme' } });
    expect(result).toMatchObject({ outcome: 'delivered', reason: 'answered', status: '200 OK', statusCode: 200 });
    expect(result.firstBytes).toBe('thanks');
    expect(result.latencyMs).toBeGreaterThan(0);
    expect(receiver.received).toHaveLength(1);
    const { method, headers, body } = receiver.received[0]!;
    expect(method).toBe('POST');
    expect(new Verifier(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({ data: { order: 17 } });
    const event = HTTP.toEvent({ headers: headers as Record<string, string>, body: body.toString() });
    expect(event).toMatchObject({ id: 'dlv_5_1', type: 'payment.occurred', cawinid: '5' });
    expect(body.toString()).toContain('"amount":12.50}');
    expect(headers).toMatchObject({
      'x-tenant': 'acme',
      'madeleine-attempt': '1',
      traceparent,
      host: `127.0.0.1:${receiver.port}`,
    });
  });

  it('has the same id and body in each attempt, with a fresh time and signature', async () => {
    await send();
    const later = Date.now() + 1_000;
    await waitUntil(() => Date.now() > later, { what: 'another second' });
    await send({ attemptNumber: 2 });
    const [first, second] = receiver.received;
    expect(second!.body.equals(first!.body)).toBe(true);
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
    expect(Number(second!.headers['webhook-timestamp'])).toBeGreaterThan(Number(first!.headers['webhook-timestamp']));
    expect(second!.headers['webhook-signature']).not.toBe(first!.headers['webhook-signature']);
    expect(second!.headers['madeleine-attempt']).toBe('2');
  });

  it('is signed with both secrets while one replaces the other', async () => {
    const next = mintCallbackSecret(randomBytes);
    await send({ secrets: [SECRET, next] });
    const { headers, body } = receiver.received[0]!;
    for (const secret of [SECRET, next]) new Verifier(secret).verify(body, headers as Record<string, string>);
  });

  it('cannot be given headers that are ours', async () => {
    await send({
      headers: {
        host: 'internal',
        'webhook-id': 'forged',
        'Content-Type': 'text/html',
        'content-length': '1',
        ok: 'yes',
      },
    });
    expect(receiver.received[0]!.headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      'webhook-id': 'dlv_5_1',
      'content-type': 'application/cloudevents+json; charset=utf-8',
      ok: 'yes',
    });
  });

  it('uses a connection again, also from several calls at once', async () => {
    for (let call = 0; call < 3; call += 1) await send();
    expect(receiver.connections).toBe(1);
    for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 20 }, () => send()));
    expect(receiver.connections).toBe(20);
  });

  it('goes over a new connection when the kept one was closed just then, but not a third time', async () => {
    receiver.respond = (response) => {
      // Every second call meets a receiver that had had enough of the connection.
      if (receiver.received.length % 2 === 0) response.socket?.destroy();
      else response.end();
    };
    expect(await send()).toMatchObject({ outcome: 'delivered' });
    expect(await send()).toMatchObject({ outcome: 'delivered' });
    expect(receiver.received).toHaveLength(3);
    expect(receiver.connections).toBe(2);
    receiver.respond = (response) => response.socket?.destroy();
    expect(await send()).toMatchObject({ outcome: 'failed', reason: 'connection' });
    expect(receiver.received).toHaveLength(4);
  });
});

describe('the answer to a webhook', () => {
  it.each<[number, AttemptResult['outcome']]>([
    ...([200, 201, 202, 204, 299] as const).map((code): [number, 'delivered'] => [code, 'delivered']),
    ...([300, 302, 303, 304, 307, 408, 425, 429, 500, 502, 503, 504, 599] as const).map((code): [number, 'failed'] => [
      code,
      'failed',
    ]),
    ...([301, 308, 400, 401, 403, 404, 409, 410, 413, 422, 451] as const).map((code): [number, 'rejected'] => [
      code,
      'rejected',
    ]),
  ])('%i means %s', async (code, outcome) => {
    receiver.respond = (response) => response.writeHead(code).end();
    const result = await send();
    expect(result).toMatchObject({ outcome, statusCode: code, reason: code === 410 ? 'gone' : 'answered' });
    expect(result.status).toMatch(new RegExp(`^${code}( |$)`));
  });

  it.each([
    ['120', 120_000, 120_000],
    ['0', 0, 0],
    ['9999999999', 86_400_000, 86_400_000],
    [new Date(Date.now() + 60_000).toUTCString(), 50_000, 60_000],
    [new Date(Date.now() - 60_000).toUTCString(), 0, 0],
  ])('says when to come back: %s', async (text, atLeast, atMost) => {
    receiver.respond = (response) => response.writeHead(429, { 'retry-after': text }).end('slow down');
    const result = await send();
    expect(result).toMatchObject({ outcome: 'failed', status: '429 Too Many Requests', firstBytes: 'slow down' });
    expect(result.retryAfterMs).toBeGreaterThanOrEqual(atLeast);
    expect(result.retryAfterMs).toBeLessThanOrEqual(atMost);
  });

  it.each(['soon', '-1', '1.5', '2026-11-21', ''])('says nothing by Retry-After %j', async (text) => {
    receiver.respond = (response) => response.writeHead(503, { 'retry-after': text }).end();
    expect(await send()).not.toHaveProperty('retryAfterMs');
  });

  it('of 10 MB costs neither time nor memory', async () => {
    let sent = 0;
    receiver.respond = (response) => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const more = () => {
        while (sent < 10 * 1024 * 1024) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    };
    const result = await send();
    expect(result).toMatchObject({ outcome: 'delivered', firstBytes: 'x'.repeat(1024) });
    await waitUntil(() => receiver.openConnections.length === 0, { what: 'the connection is broken off' });
    // Some of it was on its way in the buffers of both ends.
    expect(sent).toBeLessThan(8 * 1024 * 1024);
    expect(result.latencyMs).toBeLessThan(500);
  });

  it('that drips is not waited for: the status has come', async () => {
    let timer: NodeJS.Timeout | undefined;
    receiver.respond = (response) => {
      response.writeHead(200).write('drip');
      timer = setInterval(() => response.write('.'), 20);
    };
    const startedMs = performance.now();
    const result = await send({ timeoutMs: 10_000 });
    clearInterval(timer);
    expect(result.outcome).toBe('delivered');
    expect(result.firstBytes).toMatch(/^drip\.+$/);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    expect(result.latencyMs).toBeLessThan(500);
    await waitUntil(() => receiver.openConnections.length === 0, { what: 'the connection is broken off' });
  });

  it('that breaks off after the status still counts', async () => {
    receiver.respond = (response) => {
      response.writeHead(503, { 'content-length': 100 }).write('half');
      setImmediate(() => receiver.cutConnections());
    };
    expect(await send()).toMatchObject({
      outcome: 'failed',
      statusCode: 503,
      firstBytes: expect.stringMatching(/^(half)?$/),
    });
  });

  it('that redirects is not followed', async () => {
    const inner = new HttpReceiver();
    await inner.start();
    receiver.respond = (response) => response.writeHead(302, { location: inner.url('/admin') }).end();
    expect(await send()).toMatchObject({
      outcome: 'failed',
      statusCode: 302,
      error: expect.stringContaining('not followed'),
    });
    expect(inner.connections).toBe(0);
    await inner.stop();
  });

  it('never tells a secret, though the receiver sends back all that it was sent', async () => {
    const headers = { Authorization: 'Bearer s3cret-token', 'X-Api-Key': 'an0ther-key' };
    receiver.respond = (response, received) => {
      response.writeHead(500, { 'x-echo': SECRET });
      response.end(JSON.stringify({ ...received.headers, guessed: SECRET, bare: SECRET.slice(6) }));
    };
    const result = await send({ headers });
    const text = JSON.stringify([result, scene.logged]);
    expect(result.firstBytes).toContain('[redacted]');
    for (const secret of [SECRET, SECRET.slice(6), 's3cret-token', 'an0ther-key']) expect(text).not.toContain(secret);
  });
});

describe('a webhook that gets no answer', () => {
  let server: Server;
  const sockets = new Set<Socket>();

  async function listen(onConnection: (socket: Socket) => void): Promise<string> {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      // Nothing is read otherwise, its end neither.
      socket.resume();
      onConnection(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  }

  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
  });

  it.each<[string, (socket: Socket) => void]>([
    ['accepts and says nothing', () => {}],
    [
      'sends its head byte by byte',
      (socket) => void drip(socket, 'HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'),
    ],
  ])('ends at its time when the receiver %s', async (_, behave) => {
    const url = await listen(behave);
    const startedMs = performance.now();
    const result = await send({ timeoutMs: 300 }, url);
    expect(result).toMatchObject({
      outcome: 'failed',
      reason: 'timeout',
      status: '',
      error: 'no answer within 300 ms',
    });
    expect(result.latencyMs).toBeGreaterThanOrEqual(299);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await waitUntil(() => sockets.size === 0, { what: 'the connection is closed' });
  });

  it.each<[string, (socket: Socket) => void, string]>([
    ['resets the connection', (socket) => socket.once('data', () => socket.resetAndDestroy()), 'connection'],
    ['hangs up', (socket) => socket.once('data', () => socket.end()), 'connection'],
    ['does not speak HTTP', (socket) => socket.end('220 mail.test ESMTP\r\n'), 'answer'],
    ['sends endless headers', (socket) => socket.end(`HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(9_000)}`), 'answer'],
    [
      'wants another protocol',
      (socket) =>
        socket.once('data', () =>
          socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
        ),
      'answer',
    ],
  ])('has failed when the receiver %s', async (_, behave, reason) => {
    const result = await send({}, await listen(behave));
    expect(result).toMatchObject({ outcome: 'failed', reason, statusCode: 0, firstBytes: '' });
  });

  it('has failed when nobody listens', async () => {
    const url = await listen(() => {});
    server.close();
    await once(server, 'close');
    expect(await send({}, url)).toMatchObject({
      outcome: 'failed',
      reason: 'connection',
      error: 'the connection was refused',
    });
  });

  it('ends when the caller gives up', async () => {
    const controller = new AbortController();
    const url = await listen(() => controller.abort());
    const result = await scene.callbacks.send(callbackAttempt(url), controller.signal);
    expect(result).toMatchObject({ outcome: 'failed', reason: 'cancelled' });
    expect(await scene.callbacks.send(callbackAttempt(url), controller.signal)).toMatchObject({ reason: 'cancelled' });
  });

  it('leaves no listener at the signal that lives on', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const add = controller.signal.addEventListener.bind(controller.signal);
    const remove = controller.signal.removeEventListener.bind(controller.signal);
    controller.signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    controller.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    for (let call = 0; call < 3; call += 1)
      await scene.callbacks.send(callbackAttempt(receiver.url()), controller.signal);
    expect(listeners).toBe(0);
  });

  function drip(socket: Socket, text: string): void {
    let index = 0;
    const timer = setInterval(() => socket.write(text[index++ % text.length]!), 10);
    socket.on('close', () => clearInterval(timer));
  }
});

describe('a webhook over TLS', () => {
  it.each([
    ['IP:127.0.0.1', 'delivered', 'answered'],
    ['DNS:localhost', 'delivered', 'answered'],
    ['DNS:other.test', 'failed', 'tls'],
    ['IP:127.0.0.2', 'failed', 'tls'],
  ])('to a server whose certificate is for %s is %s', async (name, outcome, reason) => {
    const secure = new HttpReceiver({ certificate: await authority.issue(name) });
    await secure.start();
    const own = callbackScene({ ca: authority.ca, allow: 'localhost 127.0.0.1' });
    const host = name === 'DNS:localhost' ? 'localhost' : '127.0.0.1';
    const result = await own.callbacks.send(callbackAttempt(secure.url('/', host)), never);
    expect(result).toMatchObject({ outcome, reason });
    expect(secure.received).toHaveLength(outcome === 'delivered' ? 1 : 0);
    await own.callbacks.stop();
    await secure.stop();
  });

  it('to a server of an unknown authority has failed', async () => {
    const secure = new HttpReceiver({ certificate: await authority.issue('IP:127.0.0.1') });
    await secure.start();
    const own = callbackScene();
    expect(await own.callbacks.send(callbackAttempt(secure.url()), never)).toMatchObject({
      outcome: 'failed',
      reason: 'tls',
    });
    expect(secure.received).toHaveLength(0);
    await own.callbacks.stop();
    await secure.stop();
  });
});
