import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { Metadata, Server, ServerCredentials, status as Status } from '@grpc/grpc-js';
import { Any, RetryInfo } from 'nice-grpc-error-details';
import { Status as RichStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { Webhook as Verifier } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OnEventRequest } from '../../../generated/madeleine/v1/callback_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { EntryKind } from '../../../src/domain/events/event.js';
import { callbackAttempt, logEntry, SECRET } from '../../support/cawins/callback-attempt.js';
import { type CallbackScene, callbackScene } from '../../support/cawins/callback-scene.js';
import { TestAuthority } from '../../support/cawins/certificates.js';
import { GrpcReceiver } from '../../support/cawins/grpc-receiver.js';
import { freePort } from '../../support/database/private-database.js';
import { waitUntil } from '../../support/wait-until.js';

const never = new AbortController().signal;
const authority = new TestAuthority();
let receiver: GrpcReceiver;
let scene: CallbackScene;

beforeAll(() => authority.start());
afterAll(() => authority.stop());

beforeEach(async () => {
  receiver = new GrpcReceiver();
  await receiver.start();
  scene = callbackScene({ ca: authority.ca });
});

afterEach(async () => {
  await scene.callbacks.stop();
  receiver.stop();
});

function send(changes: Parameters<typeof callbackAttempt>[1] = {}, url = receiver.url()) {
  return scene.callbacks.send(callbackAttempt(url, changes), never);
}

describe('a callback over gRPC', () => {
  it('calls OnEvent with the event, headers as metadata, and a signature over the bytes', async () => {
    const entry = logEntry({ stream: 'order 17', sequence: 3, rest: { traceparent: 'trace', properties: { a: 'b' } } });
    const headers = { 'X-Tenant': 'acme', authorization: 'Bearer t0ken' };
    const result = await send({ headers, attemptNumber: 3, event: { entry, cawinId: 5, awaitedId: 6 } });
    expect(result).toMatchObject({ outcome: 'delivered', reason: 'answered', status: 'OK', firstBytes: '' });
    const { request, bytes, metadata, authority: host, deadlineMs } = receiver.received[0]!;
    expect(request).toMatchObject({
      deliveryId: 'dlv_5_1',
      attempt: 3,
      cawinId: 5n,
      awaitedEventId: 6n,
      outcome: EventStatus.EVENT_STATUS_OCCURRED,
      event: { id: 7n, position: 41n, topic: 'payment', stream: 'order 17', sequence: 3n, properties: { a: 'b' } },
    });
    const body = request.event?.payload?.body;
    expect(body?.$case === 'data' && Buffer.from(body.value).toString()).toBe('{"order":17,"amount":12.50}');
    expect(metadata).toMatchObject({
      'x-tenant': 'acme',
      authorization: 'Bearer t0ken',
      traceparent: 'trace',
      'webhook-id': 'dlv_5_1',
    });
    const verify = (signed: Buffer) =>
      new Verifier(SECRET).verify(signed.toString('base64'), metadata, { jsonParse: false });
    expect(() => verify(bytes)).not.toThrow();
    expect(() => verify(Buffer.concat([bytes, Buffer.of(0)]))).toThrow('No matching signature');
    expect(() => verify(Buffer.from(request.signed))).not.toThrow();
    expect(OnEventRequest.decode(request.signed)).toEqual({ ...request, signed: Buffer.alloc(0) });
    expect(host).toBe(`127.0.0.1:${receiver.port}`);
    expect(deadlineMs - Date.now()).toBeLessThan(2_000);
    expect(deadlineMs - Date.now()).toBeGreaterThan(0);
  });

  it('is signed by both secrets while one replaces the other', async () => {
    const former = `whsec_${Buffer.alloc(32, 'f').toString('base64')}`;
    await send({ secrets: [SECRET, former] });
    const { request, bytes, metadata } = receiver.received[0]!;
    for (const secret of [SECRET, former])
      for (const signed of [bytes, Buffer.from(request.signed)]) {
        const text = signed.toString('base64');
        expect(() => new Verifier(secret).verify(text, metadata, { jsonParse: false })).not.toThrow();
      }
  });

  it('carries its bytes once where nobody verifies them', async () => {
    await send({ secrets: [] });
    expect(receiver.received[0]!.request.signed).toHaveLength(0);
    expect(receiver.received[0]!.metadata).not.toHaveProperty('webhook-signature');
  });

  it.each([
    [EntryKind.INVALIDATED, EventStatus.EVENT_STATUS_INVALIDATED],
    [EntryKind.EXPIRED, EventStatus.EVENT_STATUS_EXPIRED],
  ])('tells the outcome of an entry of kind %i', async (kind, outcome) => {
    await send({ event: { entry: logEntry({ kind, payload: undefined }), cawinId: 5, awaitedId: 7 } });
    expect(receiver.received[0]!.request).toMatchObject({ outcome, event: { status: outcome, payload: undefined } });
  });

  it.each([
    ...(
      [
        'UNAVAILABLE',
        'DEADLINE_EXCEEDED',
        'RESOURCE_EXHAUSTED',
        'ABORTED',
        'INTERNAL',
        'UNKNOWN',
        'CANCELLED',
        'DATA_LOSS',
      ] as const
    ).map((name) => [name, 'failed'] as const),
    ...(
      [
        'INVALID_ARGUMENT',
        'NOT_FOUND',
        'ALREADY_EXISTS',
        'PERMISSION_DENIED',
        'UNAUTHENTICATED',
        'FAILED_PRECONDITION',
        'OUT_OF_RANGE',
        'UNIMPLEMENTED',
      ] as const
    ).map((name) => [name, 'rejected'] as const),
  ])('answered with %s is %s', async (name, outcome) => {
    receiver.respond = () => ({ code: Status[name], details: `said with ${SECRET}` });
    expect(await send()).toMatchObject({
      outcome,
      status: name,
      statusCode: Status[name],
      firstBytes: 'said with [redacted]',
    });
  });

  it('knows when to come back from a RetryInfo', async () => {
    const detail = RetryInfo.encode(RetryInfo.fromPartial({ retryDelay: { seconds: 7, nanos: 500_000_000 } })).finish();
    const any = Any.fromPartial({ typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value: Buffer.from(detail) });
    const rich = RichStatus.encode(RichStatus.fromPartial({ code: Status.UNAVAILABLE, details: [any] })).finish();
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from(rich));
    receiver.respond = () => ({ code: Status.UNAVAILABLE, metadata });
    expect(await send()).toMatchObject({ outcome: 'failed', retryAfterMs: 7_500 });
    metadata.set('grpc-status-details-bin', Buffer.from('nonsense'));
    expect(await send()).not.toHaveProperty('retryAfterMs');
  });

  it('ends at its time when no answer comes, and tells the receiver', async () => {
    receiver.respond = () => new Promise(() => {});
    const startedMs = performance.now();
    expect(await send({ timeoutMs: 300 })).toMatchObject({ outcome: 'failed', reason: 'timeout' });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await waitUntil(() => receiver.cancelled === 1, { what: 'the receiver hears of it' });
  });

  it('ends when the caller gives up', async () => {
    const controller = new AbortController();
    receiver.respond = () => {
      controller.abort();
      return new Promise(() => {});
    };
    const result = await scene.callbacks.send(callbackAttempt(receiver.url()), controller.signal);
    expect(result).toMatchObject({ outcome: 'failed', reason: 'cancelled' });
  });

  it('ends at its time at a server that accepts and says nothing', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.resume()));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `grpc://127.0.0.1:${(silent.address() as { port: number }).port}`;
    expect(await send({ timeoutMs: 300 }, url)).toMatchObject({ outcome: 'failed', reason: 'timeout' });
    // Nothing came at all: the connection may be dead, and the next call does not wait for it.
    await waitUntil(() => sockets.every(({ readableEnded, closed }) => readableEnded || closed), {
      what: 'it is closed',
    });
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('has failed where the connection breaks in the middle of it, and goes over a new one afterwards', async () => {
    const sockets: Socket[] = [];
    const proxy = createServer((socket) => {
      const outer = dial(receiver.port, '127.0.0.1');
      for (const [from, to] of [
        [socket, outer],
        [outer, socket],
      ] as const) {
        from.on('error', () => {});
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
      sockets.push(socket);
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const url = `grpc://127.0.0.1:${(proxy.address() as { port: number }).port}`;
    receiver.respond = () => new Promise(() => {});
    const broken = send({ timeoutMs: 10_000 }, url);
    await waitUntil(() => receiver.received.length === 1, { what: 'the call is under way' });
    for (const socket of sockets.splice(0)) socket.destroy();
    expect(await broken).toMatchObject({ outcome: 'failed', reason: 'connection', status: 'UNAVAILABLE' });
    receiver.respond = () => undefined;
    expect(await send({}, url)).toMatchObject({ outcome: 'delivered' });
    // A kept connection that was closed is no failure of the receiver.
    for (const socket of sockets) socket.destroy();
    expect(await send({}, url)).toMatchObject({ outcome: 'delivered' });
    proxy.close();
  });

  it('has failed where nobody listens, and goes through once somebody does', async () => {
    const port = await freePort();
    const url = `grpc://127.0.0.1:${port}`;
    const refused = await send({}, url);
    expect(refused).toMatchObject({ outcome: 'failed', reason: 'connection', status: 'UNAVAILABLE' });
    const late = new GrpcReceiver();
    await late.start(port);
    await waitUntil(async () => (await send({}, url)).outcome === 'delivered', { what: 'the receiver is found again' });
    late.stop();
  });

  it('is rejected where the service is not implemented', async () => {
    const server = new Server();
    const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
    expect(await send({}, `grpc://127.0.0.1:${port}`)).toMatchObject({ outcome: 'rejected', status: 'UNIMPLEMENTED' });
    server.forceShutdown();
  });

  it.each([
    ['DNS:localhost', 'delivered', 'answered'],
    ['IP:127.0.0.1', 'failed', 'tls'],
    ['DNS:other.test', 'failed', 'tls'],
  ])('to a TLS server named localhost with a certificate for %s is %s', async (name, outcome, reason) => {
    const secure = new GrpcReceiver({ certificate: await authority.issue(name) });
    await secure.start();
    const own = callbackScene({ ca: authority.ca, allow: 'localhost' });
    const result = await own.callbacks.send(callbackAttempt(secure.url('localhost')), never);
    expect(result).toMatchObject({ outcome, reason });
    expect(secure.received.map(({ authority: host }) => host)).toEqual(
      outcome === 'delivered' ? [`localhost:${secure.port}`] : [],
    );
    await own.callbacks.stop();
    secure.stop();
  });

  it('to a TLS server by address needs a certificate for the address', async () => {
    const secure = new GrpcReceiver({ certificate: await authority.issue('IP:127.0.0.1') });
    await secure.start();
    expect(await send({}, secure.url())).toMatchObject({ outcome: 'delivered' });
    const strangers = callbackScene();
    expect(await strangers.callbacks.send(callbackAttempt(secure.url()), never)).toMatchObject({
      outcome: 'failed',
      reason: 'tls',
    });
    await strangers.callbacks.stop();
    secure.stop();
  });
});
