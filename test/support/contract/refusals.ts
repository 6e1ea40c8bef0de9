// What a refused call says: its status, reason, fields and facts.

import { type ClientError, Status } from 'nice-grpc';
import { BadRequest, ErrorInfo, RetryInfo, RichClientError } from 'nice-grpc-error-details';

export interface Refusal {
  readonly status: string;
  readonly reason: string | undefined;
  readonly fields: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryable: boolean;
  readonly message: string;
}

/** The refusal that the call is answered with; fails when it is answered otherwise. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    return refusalFrom(error);
  }
  throw new Error('the call was not refused');
}

/** What the error of a call says; throws what is no status. */
export function refusalFrom(error: unknown): Refusal {
  const { code, details } = error as ClientError;
  if (code === undefined) throw error;
  const extra = error instanceof RichClientError ? error.extra : [];
  const info = extra.find((detail) => detail.$type === ErrorInfo.$type) as ErrorInfo | undefined;
  const bad = extra.find((detail) => detail.$type === BadRequest.$type) as BadRequest | undefined;
  return {
    status: Status[code],
    reason: info?.reason,
    fields: (bad?.fieldViolations ?? []).map(({ field }) => field),
    metadata: info?.metadata ?? {},
    retryable: extra.some((detail) => detail.$type === RetryInfo.$type),
    message: details,
  };
}

/** Collects the messages of a stream until enough were seen; the stream is then ended. */
export async function take<T>(stream: AsyncIterable<T>, until: (seen: readonly T[]) => boolean): Promise<T[]> {
  const seen: T[] = [];
  for await (const message of stream) {
    seen.push(message);
    if (until(seen)) return seen;
  }
  return seen;
}
