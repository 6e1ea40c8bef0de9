// Where the actors of a schedule call: the servers that serve now. Which one is chosen, and what an error of a call means.

import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, Status } from 'nice-grpc';
import { refusalFrom } from '../contract/refusals.js';
import type { RandomChoices } from '../random.js';
import type { TestClient } from '../server/server.js';

export interface LiveInstance {
  readonly address: string;
  readonly client: TestClient;
}

export interface Instances {
  /** Those that serve, or seem to. */
  readonly live: readonly LiveInstance[];
}

/** What every actor works with. */
export interface ActorScene {
  readonly instances: Instances;
  readonly random: RandomChoices;
  /** Ends every call and every pause, when the schedule is given up. */
  readonly signal: AbortSignal;
}

/** A pause that ends with the schedule. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

/** Does something that is given up after some time, and when one of the signals says so. */
export async function limited<T>(
  ms: number,
  signals: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // AbortSignal.any would keep something of every call for as long as the signals live.
  const limit = new AbortController();
  const abort = () => limit.abort();
  const timer = setTimeout(abort, ms);
  for (const signal of signals) signal.addEventListener('abort', abort, { once: true });
  if (signals.some(({ aborted }) => aborted)) abort();
  try {
    return await work(limit.signal);
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', abort);
  }
}

/** Refusals that the actors bring about: by each other, or by a server that comes or goes. */
const EXPECTED = new Set([
  'OWNED_ELSEWHERE',
  'DRAINING',
  'STORAGE_UNAVAILABLE',
  'MEMBER_REPLACED',
  'CONSUMER_UNKNOWN',
  'SETTINGS_DIFFER',
]);
const OF_TRANSPORT = new Set([Status.UNAVAILABLE, Status.CANCELLED, Status.INTERNAL, Status.UNKNOWN]);

/** What is wrong with an error that a call ended with; undefined: it was to be expected. */
export function surpriseOf(error: unknown): string | undefined {
  if (!(error instanceof ClientError)) return isAbort(error) ? undefined : String((error as Error).stack ?? error);
  const { reason, message, status } = refusalFrom(error);
  if (reason !== undefined) return EXPECTED.has(reason) ? undefined : `${status} ${reason}: ${message}`;
  const isOurs = message.includes('internal error');
  return OF_TRANSPORT.has(error.code) && !isOurs ? undefined : `${status}: ${message}`;
}

/** Whether another instance runs the consumer. */
export function isElsewhere(error: unknown): boolean {
  return error instanceof ClientError && refusalFrom(error).reason === 'OWNED_ELSEWHERE';
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}
