// Read your writes: what a call shows has in it whatever this instance answered before the call began. What this instance stores may lie
// above what another one stored a moment ago and this one has not read yet: it is answered at once, as it is durable, and shown when
// that is read. So it is read now, rather than with the next look at the log.

import type { CallContext } from 'nice-grpc';
import type { ServerDefinition } from '../wire/definitions.js';

/** What this instance stored, and whether it shows all of it. */
export interface OwnWrites {
  readonly isShown: boolean;
  /** Resolves once it does, or when that takes too long. */
  shown(): Promise<void>;
}

/** Calls that show nothing of the log, and are too many to be held up. */
const WRITES: ReadonlySet<string> = new Set([
  'pushEvent',
  'pushEvents',
  'pushEventStream',
  'acknowledge',
  'reject',
  'extendAckDeadline',
]);

type Unary = (request: unknown, context: CallContext) => Promise<unknown>;
type Stream = (request: unknown, context: CallContext) => AsyncIterable<unknown>;

/** Returns the methods of the implementation, which begin once this instance shows what it stored. */
export function afterOwnWrites(definition: ServerDefinition, implementation: object, own: OwnWrites): object {
  const methods = Object.entries(definition).map(([name, { responseStream }]) => {
    // The methods of a definition are those of the implementation by construction.
    const method = (implementation as Record<string, Unary & Stream>)[name]?.bind(implementation) as Unary & Stream;
    if (WRITES.has(name)) return [name, method] as const;
    return [name, responseStream ? streamAfter(method, own) : unaryAfter(method, own)] as const;
  });
  return Object.fromEntries(methods);
}

function unaryAfter(method: Unary, own: OwnWrites): Unary {
  return (request, context) =>
    own.isShown ? method(request, context) : own.shown().then(() => method(request, context));
}

function streamAfter(method: Stream, own: OwnWrites): Stream {
  return (request, context) => (own.isShown ? method(request, context) : afterwards(method, own, request, context));
}

async function* afterwards(method: Stream, own: OwnWrites, request: unknown, context: CallContext) {
  await own.shown();
  yield* method(request, context);
}
