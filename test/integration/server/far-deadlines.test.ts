// A deadline of a caller is as far away as it says, whatever the timers of the runtime hold.

import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FetchRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { PushEventRequest, PushEventResponse } from '../../../generated/madeleine/v1/event_service.js';
import { newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
let session: ClientHttp2Session;
const LATEST = { $case: 'latest', value: {} } as const;

beforeAll(() => {
  session = connect(`http://${suite.server.address}`);
});
afterAll(() => session.close());

interface Answered {
  readonly status: string | undefined;
  readonly message: string | undefined;
  readonly body: Buffer;
}

/** A unary call with this `grpc-timeout`, as it came: libraries of clients would mend it. */
function call(method: string, message: Uint8Array, timeout: string): Promise<Answered> {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/madeleine.v1.${method}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': timeout,
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let last: IncomingHttpHeaders = {};
    for (const event of ['response', 'trailers']) {
      stream.on(event, (headers: IncomingHttpHeaders) => {
        last = { ...last, ...headers };
      });
    }
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('end', () => {
      const text = (name: string) => last[name]?.toString();
      resolve({
        status: text('grpc-status'),
        message: text('grpc-message'),
        body: Buffer.concat(chunks).subarray(5),
      });
    });
    stream.end(Buffer.concat([head, message]));
  });
}

const push = () => PushEventRequest.encode(PushEventRequest.fromPartial({ event: newEvent() })).finish();

describe('grpc-timeout', () => {
  it.each([
    '1H',
    '596H',
    '597H',
    '99999999H',
    '35791M',
    '35792M',
    '71582789M',
    '2147483S',
    '2147484S',
    // Cut to 32 bits it would be 704 ms, and 0 ms.
    '4294968S',
    '99999999S',
    '99999999m',
    '99999999u',
  ])('of %s leaves time for a push and its answer', async (timeout) => {
    const { status, body } = await call('EventService/PushEvent', push(), timeout);
    expect(status).toBe('0');
    expect(PushEventResponse.decode(body).event?.position).toBeGreaterThan(0n);
  });

  it.each(['2147484S', '4294968S', '99999999H'])('of %s leaves time for a Fetch that waits', async (timeout) => {
    const request = { consumer: `far ${timeout}`, wait: { seconds: 1n, nanos: 0 }, start: { at: LATEST } };
    const message = FetchRequest.encode(FetchRequest.fromPartial(request)).finish();
    const startedMs = performance.now();
    expect(await call('ConsumerService/Fetch', message, timeout)).toMatchObject({ status: '0' });
    expect(performance.now() - startedMs).toBeGreaterThan(900);
  });

  it('that is near still ends the call', async () => {
    const request = { consumer: 'near', wait: { seconds: 30n, nanos: 0 }, start: { at: LATEST } };
    const message = FetchRequest.encode(FetchRequest.fromPartial(request)).finish();
    expect(await call('ConsumerService/Fetch', message, '300m')).toMatchObject({ status: '4' });
  });

  it.each(['', 'soon', '12', 'S'])('of "%s" is none', async (timeout) => {
    const { status, message } = await call('EventService/PushEvent', push(), timeout);
    expect(status).toBe('13');
    expect(message).toContain('grpc-timeout');
  });
});
