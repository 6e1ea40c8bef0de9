// Makes the calls of one method, whichever of its sides is a stream.

import type { Message } from '@bufbuild/protobuf';
import type { Millis } from '../../../units.js';
import type { MadeleineClient } from '../../connection/client.js';
import type { Method } from './contract.js';

/** The answers, in order. A method that takes one request is called for each of them, one after the other. */
export async function* answersOf(
  client: MadeleineClient,
  method: Method,
  requests: AsyncIterable<Message>,
  timeoutMs: Millis | undefined,
): AsyncGenerator<Message> {
  if (method.requestStream) {
    yield* method.responseStream ? bothWays(client, method, requests) : oneAnswer(client, method, requests);
    return;
  }
  for await (const request of requests) {
    if (method.responseStream) yield* manyAnswers(client, method, request);
    else yield await unary(client, method, request, timeoutMs);
  }
}

function unary(client: MadeleineClient, { definition }: Method, request: Message, timeoutMs: Millis | undefined) {
  const method = { ...definition, requestStream: false, responseStream: false } as const;
  const { call } = client.of({ call: method });
  return client.callOnce((options) => call(request, options), { timeoutMs });
}

function manyAnswers(client: MadeleineClient, { definition }: Method, request: Message) {
  const method = { ...definition, requestStream: false, responseStream: true } as const;
  return client.of({ call: method }).call(request, { signal: client.signal });
}

async function* oneAnswer(client: MadeleineClient, { definition }: Method, requests: AsyncIterable<Message>) {
  const method = { ...definition, requestStream: true, responseStream: false } as const;
  yield await client.of({ call: method }).call(requests, { signal: client.signal });
}

function bothWays(client: MadeleineClient, { definition }: Method, requests: AsyncIterable<Message>) {
  const method = { ...definition, requestStream: true, responseStream: true } as const;
  return client.of({ call: method }).call(requests, { signal: client.signal });
}
