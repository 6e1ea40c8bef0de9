// Calls that are cancelled in the moment in which they begin.

import { connect } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();

/** A message with the five bytes that gRPC puts before it. */
function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

describe('a call that is cancelled as it begins', () => {
  it('leaves no member behind', async () => {
    const session = connect(`http://${suite.server.address}`);
    const headers = {
      ':method': 'POST',
      ':path': '/madeleine.v1.ConsumerService/Subscribe',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const body = framed(SubscribeRequest.encode(SubscribeRequest.fromPartial({ consumer: 'hasty' })).finish());
    let closed = 0;
    for (let call = 0; call < 300; call += 1) {
      const stream = session.request(headers);
      stream.on('error', () => {});
      stream.on('close', () => {
        closed += 1;
      });
      stream.end(body);
      // The request and its cancellation travel together, or nearly so.
      if (call % 3 === 0) stream.close(8);
      else if (call % 3 === 1) setImmediate(() => stream.close(8));
      else setTimeout(() => stream.close(8), 1);
    }
    await waitUntil(() => closed === 300, { what: 'all calls closed' });
    await suite.client.consumers.createConsumer({ name: 'hasty' });
    await waitUntil(
      async () => (await suite.client.consumers.getConsumer({ name: 'hasty' })).consumer?.members.length === 0,
      { what: 'no members' },
    );
    session.close();
    expect(closed).toBe(300);
  });
});
