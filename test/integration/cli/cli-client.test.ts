// What the command line's connection tells a server that does not answer: the deadline of a call.

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventServiceDefinition } from '../../../generated/madeleine/v1/event_service.js';
import { MadeleineClient } from '../../../src/cli/connection/client.js';

describe('the connection of the command line', () => {
  const server = new Server();
  let address: string;
  let deadlineMs: number | undefined;

  beforeAll(async () => {
    const identity = (bytes: Buffer) => bytes;
    const method = {
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      responseSerialize: identity,
    };
    const path = `/${EventServiceDefinition.fullName}/PeekEvent`;
    server.addService(
      { peekEvent: { ...method, path, requestDeserialize: identity, responseDeserialize: identity } },
      {
        peekEvent: (call: { getDeadline(): Date | number }, answer: (error: null, bytes: Buffer) => void) => {
          deadlineMs = Number(call.getDeadline()) - Date.now();
          answer(null, Buffer.alloc(0));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    address = `127.0.0.1:${port}`;
  });

  afterAll(() => server.forceShutdown());

  it('sends the deadline of a unary call', async () => {
    const client = new MadeleineClient({ address, signal: new AbortController().signal });
    await client.call((options) => client.events.peekEvent({}, options));
    client.close();
    expect(deadlineMs).toBeGreaterThan(20_000);
    expect(deadlineMs).toBeLessThanOrEqual(30_000);
  });
});
