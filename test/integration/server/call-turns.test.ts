// Calls that come all at once are begun in turns of the event loop: nobody waits for a burst of somebody else, and nothing of a call that
// waits is lost. Counted in turns and calls; server and clients share a loop here.

import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, type ClientSessionRequestOptions, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { registry } from 'nice-grpc-prometheus';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { PushEventRequest, ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { IN_TURN } from '../../../src/grpc/server/call-turns.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { openCalls } from '../../support/server/metrics.js';
import { startServer } from '../../support/server/server.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const CANCEL = 8;
const READ_EVENTS = '/madeleine.v1.EventService/ReadEvents';
const PUSH_EVENT = '/madeleine.v1.EventService/PushEvent';
const PUSH_EVENT_STREAM = '/madeleine.v1.EventService/PushEventStream';
const CHECK = '/grpc.health.v1.Health/Check';

/** A message with the five bytes that gRPC puts before it. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

const FOLLOW = framed(ReadEventsRequest.encode(ReadEventsRequest.fromPartial({ follow: true })).finish());
const push = (bytes: number) => {
  const event = newEvent({ payload: bytesPayload('x'.repeat(bytes), 'text/plain') });
  return framed(PushEventRequest.encode(PushEventRequest.fromPartial({ event })).finish());
};

/** One connection from an address. */
class Caller {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
  }

  static async from(localAddress: string, address = suite.server.address): Promise<Caller> {
    const [host = '', port = ''] = address.split(':');
    const session = connect(`http://${address}`, {
      createConnection: () => connectTcp({ host, port: Number(port), localAddress }),
    });
    const caller = new Caller(session.on('error', () => {}));
    callers.push(caller);
    // Until then it has a hundred calls at a time.
    await once(session, 'remoteSettings');
    return caller;
  }

  open(method: string, options: ClientSessionRequestOptions = {}): ClientHttp2Stream {
    const headers = { ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers' };
    return this.session.request(headers, options).on('error', () => {});
  }

  call(method: string, body: Buffer): ClientHttp2Stream {
    return this.open(method).end(body);
  }

  calls(count: number, method: string, body: Buffer): ClientHttp2Stream[] {
    return Array.from({ length: count }, () => this.call(method, body));
  }

  /** Resolves when the server has read all that was sent. */
  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.session.ping((error) => (error === null ? resolve() : reject(error)));
    });
  }
}

const callers: Caller[] = [];
const turns = { count: 0 };
let counting = setImmediate(count);

function count(): void {
  turns.count += 1;
  counting = setImmediate(count);
}

afterAll(() => clearImmediate(counting));

afterEach(async () => {
  for (const { session } of callers.splice(0)) session.destroy();
  await waitUntil(async () => (await openCalls(suite.server.httpAddress)) === 0, { what: 'every call has ended' });
});

/** Lets so many turns of the loop go by. */
async function pass(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Calls that have reached the handler of a method so far. */
async function begun(method: string): Promise<number> {
  const metric = await registry.getSingleMetric('grpc_server_started_total')?.get();
  const values = metric?.values.filter(({ labels }) => method.endsWith(`/${labels['grpc_method']}`)) ?? [];
  return values.reduce((sum, { value }) => sum + value, 0);
}

/** The `grpc-status` of a call, or `cut` where it ended without one. */
function statusOf(call: ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    let status = 'cut';
    for (const event of ['response', 'trailers']) {
      call.on(event, (headers: Record<string, string>) => {
        status = headers['grpc-status'] ?? status;
      });
    }
    call.on('close', () => resolve(status)).resume();
  });
}

describe('a burst of 1,000 calls', () => {
  it('that are cancelled reaches handlers no further than turns went by', async () => {
    const caller = await Caller.from('127.0.0.2');
    const [before, { count: turn }] = [await begun(READ_EVENTS), { ...turns }];
    const calls = caller.calls(1_000, READ_EVENTS, FOLLOW);
    await pass(5);
    for (const call of calls) call.close(CANCEL);
    // So many may hand the connection over, which then ends: all was read in either case.
    await caller.ping().catch(() => {});
    await pass(2);
    const reached = (await begun(READ_EVENTS)) - before;
    expect(reached).toBeGreaterThan(0);
    expect(reached).toBeLessThanOrEqual((turns.count - turn) * IN_TURN.most);
    expect(reached).toBeLessThan(500);
    await pass(50);
    expect((await begun(READ_EVENTS)) - before).toBe(reached);
  });

  it('keeps no call of another caller waiting for all of them', async () => {
    const [many, few] = [await Caller.from('127.0.0.2'), await Caller.from('127.0.0.1')];
    const before = await begun(READ_EVENTS);
    many.calls(1_000, READ_EVENTS, FOLLOW);
    while ((await begun(READ_EVENTS)) === before) await pass(1);
    const [already, { count: turn }] = [await begun(READ_EVENTS), { ...turns }];
    expect(await statusOf(few.call(CHECK, framed(Buffer.alloc(0))))).toBe('0');
    const took = turns.count - turn;
    expect(took).toBeLessThanOrEqual(12);
    expect((await begun(READ_EVENTS)) - already).toBeLessThanOrEqual(took * IN_TURN.most);
    await waitUntil(async () => (await begun(READ_EVENTS)) - before === 1_000, {
      what: 'all have begun in the end',
      timeoutMs: 30_000,
    });
  });

  it('whose connection ends while they wait leaves nothing', async () => {
    const caller = await Caller.from('127.0.0.2');
    const before = await begun(READ_EVENTS);
    caller.calls(1_000, READ_EVENTS, FOLLOW);
    while ((await begun(READ_EVENTS)) === before) await pass(1);
    caller.session.destroy();
    await waitUntil(async () => (await openCalls(suite.server.httpAddress)) === 0, { what: 'every call has ended' });
    const reached = await begun(READ_EVENTS);
    expect(reached - before).toBeLessThan(1_000);
    await pass(50);
    expect(await begun(READ_EVENTS)).toBe(reached);
  });

  it('that are cancelled while they wait is counted: the connection is handed over, and what is open on it goes on', async () => {
    const caller = await Caller.from('127.0.0.2');
    const open = caller.call(READ_EVENTS, FOLLOW);
    await once(open, 'response');
    const goneAway = once(caller.session, 'goaway');
    const before = await begun(READ_EVENTS);
    const calls = caller.calls(990, READ_EVENTS, FOLLOW);
    while ((await begun(READ_EVENTS)) === before) await pass(1);
    for (const call of calls) call.close(CANCEL);
    expect((await goneAway)[0]).toBe(0);
    expect(open.closed).toBe(false);
    expect((await begun(READ_EVENTS)) - before).toBeLessThan(500);
  });
});

describe('a call that waits for its turn', () => {
  it('gets what was sent for it meanwhile, and all of it', async () => {
    const caller = await Caller.from('127.0.0.2');
    const before = await begun(PUSH_EVENT);
    const small = caller.calls(200, PUSH_EVENT, push(10));
    const large = caller.calls(50, PUSH_EVENT, push(100_000));
    const late = Array.from({ length: 100 }, () => caller.open(PUSH_EVENT));
    const cut = late.map((call, n) => ({ call, body: push(n) }));
    for (const { call, body } of cut) call.write(body.subarray(0, 3));
    const statuses = Promise.all([...small, ...large, ...late].map(statusOf));
    while ((await begun(PUSH_EVENT)) === before) await pass(1);
    for (const { call, body } of cut) call.end(body.subarray(3));
    expect(new Set(await statuses)).toEqual(new Set(['0']));
    expect((await begun(PUSH_EVENT)) - before).toBe(350);
  });

  it.each([
    ['a message too few', PUSH_EVENT, '12'],
    ['a stream of none', PUSH_EVENT_STREAM, '0'],
  ])('and sends nothing at all is answered: %s', async (_, method, status) => {
    const caller = await Caller.from('127.0.0.2');
    // The end comes with the headers, in a frame behind them, and when the call has begun to wait.
    const calls = Array.from({ length: 100 }, () => caller.open(method, { endStream: true }));
    calls.push(...Array.from({ length: 100 }, () => caller.open(method).end()));
    const late = Array.from({ length: 100 }, () => caller.open(method));
    const statuses = Promise.all([...calls, ...late].map(statusOf));
    await pass(3);
    for (const call of late) call.end();
    expect(new Set(await statuses)).toEqual(new Set([status]));
  });

  it('is answered when the server stops meanwhile', async () => {
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '5000' });
    const caller = await Caller.from('127.0.0.2', server.address);
    const before = await begun(PUSH_EVENT);
    const calls = caller.calls(500, PUSH_EVENT, push(10));
    const statuses = Promise.all(calls.map(statusOf));
    while ((await begun(PUSH_EVENT)) === before) await pass(1);
    expect((await begun(PUSH_EVENT)) - before).toBeLessThan(500);
    await server.stop();
    expect(await statuses).not.toContain('cut');
    expect((await begun(PUSH_EVENT)) - before).toBe(500);
  });
});
