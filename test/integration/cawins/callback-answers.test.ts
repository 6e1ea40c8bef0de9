// Answers that nobody expects: what no protocol knows, what no column takes, and what has no end. Each is told as a failed attempt in
// our words, and costs the server so many bytes and pieces, not as much as the receiver can send.

import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { Any, RetryInfo } from 'nice-grpc-error-details';
import { Status as RichStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttemptResult } from '../../../src/engine/cawins/callback-sender.js';
import { callbackAttempt } from '../../support/cawins/callback-attempt.js';
import { type CallbackScene, callbackScene } from '../../support/cawins/callback-scene.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import {
  answerGrpc,
  EMPTY_MESSAGE,
  Http2Receiver,
  RawReceiver,
  writeForever,
} from '../../support/cawins/raw-receiver.js';
import { waitUntil } from '../../support/wait-until.js';

const never = new AbortController().signal;
const DAY_MS = 86_400_000;
/** What a socket's buffers hold on loopback, on both sides, besides what was read. */
const BUFFERS = 16 * 1024 * 1024;
/** Long enough that only a bound of bytes or pieces can end it sooner. */
const TIMEOUT_MS = 30_000;
let scene: CallbackScene;
const stops: (() => Promise<void>)[] = [];

beforeEach(() => {
  scene = callbackScene();
});
afterEach(async () => {
  await scene.callbacks.stop();
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

function send(url: string, timeoutMs = TIMEOUT_MS): Promise<AttemptResult> {
  return scene.callbacks.send(callbackAttempt(url, { timeoutMs }), never);
}

async function grpcThat(respond: (stream: ServerHttp2Stream) => void): Promise<Http2Receiver> {
  const receiver = new Http2Receiver(respond);
  await receiver.start();
  stops.push(() => receiver.stop());
  return receiver;
}

async function rawThat(answer: (socket: Socket) => void): Promise<RawReceiver> {
  const receiver = new RawReceiver(answer);
  await receiver.start();
  stops.push(() => receiver.stop());
  return receiver;
}

async function httpThat(respond: HttpReceiver['respond']): Promise<HttpReceiver> {
  const receiver = new HttpReceiver();
  receiver.respond = respond;
  await receiver.start();
  stops.push(() => receiver.stop());
  return receiver;
}

function expectStorable({
  status,
  statusCode,
  latencyMs,
  firstBytes,
  error = '',
  retryAfterMs = 0,
}: AttemptResult): void {
  expect(Number.isInteger(statusCode) && statusCode >= 0 && statusCode < 1_000).toBe(true);
  expect(latencyMs).toBeGreaterThanOrEqual(0);
  expect(retryAfterMs >= 0 && retryAfterMs <= DAY_MS).toBe(true);
  for (const [text, most] of [
    [status, 255],
    [firstBytes, 1_024],
    [error, 512],
  ] as const) {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most);
    expect(Buffer.from(text).toString()).toBe(text);
    expect(text).not.toContain('\u0000');
  }
}

describe('an answer that is none', () => {
  it.each(['abc', 'NaN', '-1', '17', '99', '4294967296', '1e400', '2.5', '0x0', '00', '1 ', ''])(
    'over gRPC, with status %j, has failed with UNKNOWN',
    async (text) => {
      const receiver = await grpcThat((stream) => answerGrpc(stream, { 'grpc-status': text, 'grpc-message': 'x' }));
      const result = await send(receiver.url);
      expect(result).toMatchObject({ outcome: 'failed', reason: 'answer', status: 'UNKNOWN', statusCode: 2 });
      expectStorable(result);
    },
  );

  it.each(['%', '%ED%A0%80', '%00%07', 'é'.repeat(1_000), '\u00ff', '%F0%9F'])(
    'over gRPC says %j in a form that can be kept',
    async (text) => {
      const trailers = { 'grpc-status': '13', 'grpc-message': Buffer.from(text).toString('latin1') };
      const receiver = await grpcThat((stream) => answerGrpc(stream, trailers));
      const result = await send(receiver.url);
      expect(result).toMatchObject({ outcome: 'failed', reason: 'answered', status: 'INTERNAL', statusCode: 13 });
      expectStorable(result);
    },
  );

  it.each([
    [9_223_372_036_854_775_807n, 999_999_999, DAY_MS],
    [-9_223_372_036_854_775_808n, -1, 0],
    [1n, -2_147_483_648, 0],
  ])('over gRPC asks for a wait of %d s and %d ns within bounds', async (seconds, nanos, wait) => {
    const varint = (value: bigint) => {
      const bytes: number[] = [];
      for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
        if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
        bytes.push(Number(rest & 127n) | 128);
      }
    };
    const duration = Buffer.concat([Buffer.of(8), varint(seconds), Buffer.of(16), varint(BigInt(nanos))]);
    const detail = Buffer.concat([Buffer.of(10, duration.length), duration]);
    expect(() => RetryInfo.decode(detail)).toBeDefined();
    const any = Any.fromPartial({ typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value: detail });
    const rich = RichStatus.encode(RichStatus.fromPartial({ code: 14, details: [any] })).finish();
    const details = Buffer.from(rich).toString('base64');
    const trailers = { 'grpc-status': '14', 'grpc-status-details-bin': details };
    const receiver = await grpcThat((stream) => answerGrpc(stream, trailers));
    const result = await send(receiver.url);
    expectStorable(result);
    // What cannot be decoded at all asks for nothing.
    expect([wait, undefined]).toContain(result.retryAfterMs);
  });

  it.each([
    [
      'no message',
      (stream: ServerHttp2Stream) => answerGrpc(stream, { 'grpc-status': '0' }, Buffer.alloc(0)),
      'answer',
    ],
    [
      'two messages',
      (stream: ServerHttp2Stream) => answerGrpc(stream, { 'grpc-status': '0' }, Buffer.alloc(10)),
      'answer',
    ],
    ['no status', (stream: ServerHttp2Stream) => answerGrpc(stream, {}), 'answer'],
    ['a reset', (stream: ServerHttp2Stream) => stream.close(2), 'answer'],
    ['HTTP 503', (stream: ServerHttp2Stream) => stream.respond({ ':status': 503 }, { endStream: true }), 'answered'],
  ])('over gRPC, with %s, has failed', async (_, respond, reason) => {
    const receiver = await grpcThat(respond);
    const result = await send(receiver.url);
    expect(result).toMatchObject({ outcome: 'failed', reason });
    expectStorable(result);
  });

  it.each([
    ['99999999999999999999', undefined],
    ['9999999999', DAY_MS],
    ['-5', undefined],
    ['NaN', undefined],
    ['Infinity', undefined],
    ['1e9', undefined],
    ['Mon, 99 Foo 2026 99:99:99 GMT', undefined],
    ['Fri, 31 Dec 9999 23:59:59 GMT', DAY_MS],
  ])('over HTTP asks to be called again after %s within bounds', async (text, wait) => {
    const receiver = await httpThat((response) => response.writeHead(503, { 'retry-after': text }).end());
    const result = await send(receiver.url());
    expect(result.retryAfterMs).toBe(wait);
    expectStorable(result);
  });

  it.each([
    'HTTP/1.1 999 \u0000\xff',
    'HTTP/1.1 600 x',
    'HTTP/1.1 20000 x',
    'HTTP/9.9 200 x',
    'HTTP/1.1 -1 x',
    'SSH-2.0-x',
  ])('over HTTP begins with %j and has failed', async (line) => {
    const receiver = await rawThat((socket) => socket.end(`${line}\r\ncontent-length: 0\r\n\r\n`, 'latin1'));
    const result = await send(`http://127.0.0.1:${receiver.port}/`);
    expect(result.outcome).toBe('failed');
    expectStorable(result);
  });
});

describe('an answer without an end over HTTP', () => {
  it.each([
    ['interim answers', '', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['interim answers of other kinds', '', 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'],
    ['headers', 'HTTP/1.1 200 OK\r\n', 'x-a: b\r\n'],
    ['one header', 'HTTP/1.1 200 OK\r\nx-a: ', 'b'],
  ])('of %s is cut', async (_, head, more) => {
    const receiver = await rawThat((socket) => {
      socket.write(head);
      writeForever(socket, more);
    });
    const result = await send(`http://127.0.0.1:${receiver.port}/`);
    expect(result).toMatchObject({ outcome: 'failed', reason: 'answer' });
    await waitUntil(() => receiver.sockets.size === 0, { what: 'the connection is closed' });
    expect(receiver.taken).toBeLessThan(BUFFERS);
  });

  it.each([
    ['chunks', '1\r\nx\r\n'],
    ['chunks with extensions', `1;${'e'.repeat(1_000)}\r\nx\r\n`],
    ['large chunks', `4000\r\n${'x'.repeat(0x4000)}\r\n`],
    ['trailers', '0\r\n'.padEnd(3) + 'x-t: y\r\n'.repeat(100)],
  ])('of %s is taken by its status, and cut', async (_, more) => {
    const receiver = await rawThat((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      writeForever(socket, more);
    });
    expect(await send(`http://127.0.0.1:${receiver.port}/`)).toMatchObject({ outcome: 'delivered', statusCode: 200 });
    await waitUntil(() => receiver.sockets.size === 0, { what: 'the connection is closed' });
    expect(receiver.taken).toBeLessThan(BUFFERS);
  });

  it('that begins when it has ended closes the kept connection', async () => {
    const receiver = await rawThat((socket) => {
      socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      setImmediate(() => writeForever(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
    });
    expect(await send(`http://127.0.0.1:${receiver.port}/`)).toMatchObject({ outcome: 'delivered', statusCode: 204 });
    await waitUntil(() => receiver.sockets.size === 0, { what: 'the connection is closed', timeoutMs: 2_000 });
    expect(receiver.taken).toBeLessThan(BUFFERS);
  });
});

describe('an answer without an end over gRPC', () => {
  /** Runs until the stream is closed, a piece whenever there is room. */
  function forever(stream: ServerHttp2Stream, write: () => void): void {
    const step = () => {
      if (stream.closed || stream.destroyed) return;
      for (let count = 0; count < 64 && !stream.closed && !stream.destroyed; count += 1) write();
      setImmediate(step);
    };
    step();
  }

  it.each([
    [
      'interim answers',
      (stream: ServerHttp2Stream) => forever(stream, () => stream.additionalHeaders({ ':status': 103, x: 'y' })),
    ],
    [
      'messages',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        forever(stream, () => stream.write(EMPTY_MESSAGE));
      },
    ],
    [
      'one message',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
        stream.write(Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]));
        forever(stream, () => stream.write(Buffer.alloc(1_024)));
      },
    ],
    [
      'headers',
      (stream: ServerHttp2Stream) => {
        const headers = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`x-${n}`, 'y'.repeat(1_000)]));
        stream.respond({ ':status': 200, ...headers }, { endStream: true });
      },
    ],
  ])('of %s is cut', async (_, respond) => {
    const receiver = await grpcThat(respond);
    const startedMs = performance.now();
    const result = await send(receiver.url);
    expect(result).toMatchObject({ outcome: 'failed', reason: 'answer' });
    expectStorable(result);
    expect(performance.now() - startedMs).toBeLessThan(TIMEOUT_MS / 2);
  });

  const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
  /** Status 200 on the first stream, which goes on. */
  const HEAD = Buffer.from([0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]);
  it.each([
    ['pings', Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])],
    ['acknowledged pings', Buffer.from([0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])],
    ['settings', SETTINGS],
    ['windows', Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
    ['frames of an unknown kind', Buffer.from([0, 0, 1, 0xbe, 0, 0, 0, 0, 0, 7])],
    ['empty pieces', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 1]), HEAD],
    ['padding', Buffer.from([0, 0, 2, 0, 8, 0, 0, 0, 1, 1, 0]), HEAD],
    [
      'header blocks',
      Buffer.from([0, 0, 4, 9, 0, 0, 0, 0, 1, 0, 1, 0x78, 0]),
      Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x88]),
    ],
    ['interim heads', Buffer.from([0, 0, 5, 1, 4, 0, 0, 0, 1, 8, 3, 0x31, 0x30, 0x33])],
  ])('of %s is cut', async (_, frame, before = Buffer.alloc(0)) => {
    const receiver = await rawThat((socket) => {
      socket.write(Buffer.concat([SETTINGS, before]));
      writeForever(socket, frame);
    });
    const result = await send(`grpc://127.0.0.1:${receiver.port}`);
    expect(result.outcome).toBe('failed');
    expect(['answer', 'connection']).toContain(result.reason);
    await waitUntil(() => receiver.sockets.size === 0, { what: 'the connection is closed' });
    expect(receiver.taken).toBeLessThan(BUFFERS);
  });

  it('that begins when it has ended closes the kept connection', async () => {
    const receiver = await grpcThat((stream) => {
      answerGrpc(stream, { 'grpc-status': '0' });
      const { session } = stream;
      const ping = () => {
        if (session === undefined || session.destroyed) return;
        for (let count = 0; count < 5; count += 1) session.ping(() => {});
        setImmediate(ping);
      };
      stream.once('close', ping);
    });
    expect(await send(receiver.url)).toMatchObject({ outcome: 'delivered' });
    await waitUntil(() => receiver.openConnections === 0, { what: 'the connection is closed' });
  });
});
