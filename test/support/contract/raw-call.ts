// Calls with requests as bytes, whatever they are, and what becomes of them.

import type { CompatServiceDefinition } from 'nice-grpc';
import { PushEventStreamResponse } from '../../../generated/madeleine/v1/event_service.js';
import { STATUS } from '../../../src/grpc/wire/status.js';
import type { TestClient } from '../server/server.js';
import type { MethodInfo } from './descriptors.js';
import { type Refusal, refusalFrom } from './refusals.js';

const DEADLINE_MS = 5_000;

type RawMethod = (request: unknown, options: { signal: AbortSignal }) => Promise<unknown> & AsyncIterable<Uint8Array>;

/**
 * Sends one request and waits for the first answer, or the end of the answers. Resolves with the refusal, or undefined when it
 * was accepted. Past 5 s the call is ended and counts as hanging.
 */
export async function rawCall(
  client: TestClient,
  method: MethodInfo,
  request: Uint8Array,
): Promise<Refusal | undefined> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const call = (client.of(definitionOf(method)) as unknown as Record<string, RawMethod>)['call'] as RawMethod;
  try {
    const answer = await firstAnswer(method, call, request, deadline);
    return method.requestStream && answer !== undefined ? batchRefusal(answer) : undefined;
  } catch (error) {
    if (deadline.aborted) throw new Error(`${method.name} gave no answer in ${DEADLINE_MS} ms`, { cause: error });
    return refusalFrom(error);
  }
}

async function firstAnswer(
  method: MethodInfo,
  call: RawMethod,
  request: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const sent = method.requestStream ? once(request) : request;
  if (!method.responseStream) return (await call(sent, { signal })) as Uint8Array;
  for await (const answer of call(sent, { signal })) return answer;
  return undefined;
}

/** The answers of a call to a request as bytes, each as it came. Ends, without an error, when the signal aborts. */
export async function* rawAnswers(
  client: TestClient,
  method: MethodInfo,
  request: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const call = (client.of(definitionOf(method)) as unknown as Record<string, RawMethod>)['call'] as RawMethod;
  try {
    if (method.responseStream) yield* call(request, { signal });
    else yield (await call(request, { signal })) as Uint8Array;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function* once<T>(item: T): AsyncGenerator<T> {
  yield item;
}

/** What is wrong with an event of a batch is told in its result. */
function batchRefusal(answer: Uint8Array): Refusal | undefined {
  const result = PushEventStreamResponse.decode(answer).results.find(({ result }) => result?.$case === 'error')?.result;
  if (result?.$case !== 'error') return undefined;
  const { reason, violations, metadata, message } = result.value;
  const status = Object.entries(STATUS).find(([known]) => known === reason)?.[1];
  if (status !== result.value.code) throw new Error(`${reason} came with code ${result.value.code}`);
  return {
    status: STATUS_NAMES[result.value.code] ?? String(result.value.code),
    reason,
    fields: violations.map(({ field }) => field),
    metadata,
    retryable: false,
    message,
  };
}

const STATUS_NAMES: Readonly<Record<number, string>> = {
  3: 'INVALID_ARGUMENT',
  6: 'ALREADY_EXISTS',
  9: 'FAILED_PRECONDITION',
  10: 'ABORTED',
  12: 'UNIMPLEMENTED',
};

function definitionOf({ path, requestStream, responseStream }: MethodInfo): CompatServiceDefinition {
  const asIs = (bytes: Uint8Array) => bytes as Buffer;
  return {
    call: {
      path,
      requestStream,
      responseStream,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
      options: {},
    },
  } as unknown as CompatServiceDefinition;
}
