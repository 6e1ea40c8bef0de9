// How many connections one address may have: half of what the server takes, so that others find a place.

import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'node:http2';
import { afterEach, expect, it, vi } from 'vitest';
import { ConnectionCount, MAX_CONNECTIONS } from '../../../src/grpc/server/http2-server.js';
import { GrpcServer } from '../../../src/grpc/server/server.js';
import { systemClock } from '../../../src/lib/clock.js';

const clients: ClientHttp2Session[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) client.destroy();
});

it('one address takes half of the places at most, and gives them back', () => {
  const count = new ConnectionCount();
  const take = (address: string) => {
    let taken = 0;
    while (count.add(address)) taken += 1;
    return taken;
  };
  expect(take('127.0.0.2')).toBe(MAX_CONNECTIONS.address);
  expect(take('127.0.0.1')).toBe(MAX_CONNECTIONS.all - MAX_CONNECTIONS.address);
  expect(take('127.0.0.3')).toBe(0);
  for (let n = 0; n < 10; n += 1) count.remove('127.0.0.2');
  expect(take('127.0.0.3')).toBe(10);
});

it('one connection too many is ended with a reason, and the server lives on', async () => {
  const logger = { debug() {}, info() {}, warn() {}, error() {} };
  const draining = new AbortController().signal;
  const server = new GrpcServer({ services: [], maxStreams: 10, draining, clock: systemClock, logger });
  const port = await server.listen('127.0.0.1:0');
  const connected = () => {
    const client = http2.connect(`http://127.0.0.1:${port}`).on('error', () => {});
    clients.push(client);
    return client;
  };
  const uncaught: Error[] = [];
  const onUncaught = (error: Error) => uncaught.push(error);
  process.on('uncaughtException', onUncaught);
  try {
    vi.spyOn(ConnectionCount.prototype, 'add').mockReturnValueOnce(false);
    const [code] = await once(connected(), 'goaway');
    expect(code).toBe(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
    await once(connected(), 'remoteSettings');
    expect(uncaught).toEqual([]);
  } finally {
    process.off('uncaughtException', onUncaught);
    for (const client of clients) client.destroy();
    await server.stop(0);
  }
});
