// A stream as a group sees it: who owns it and how far it is. Its one writer is the issuer of its first event.

import type { Micros, Position } from '../../units.js';

export interface StreamState {
  readonly context: string;
  readonly name: string;
  readonly owner: string;
  readonly epoch: number;
  readonly lastSequence: number;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly firstEventAt: Micros;
  readonly lastEventAt: Micros;
}

/** The state after one more event. */
export function extendStream(
  before: StreamState | undefined,
  event: { context: string; stream: string; issuer: string; position: Position; createdAt: Micros },
): StreamState {
  return {
    context: event.context,
    name: event.stream,
    owner: before?.owner ?? event.issuer,
    epoch: before?.epoch ?? 1,
    lastSequence: (before?.lastSequence ?? 0) + 1,
    firstPosition: before?.firstPosition ?? event.position,
    lastPosition: event.position,
    firstEventAt: before?.firstEventAt ?? event.createdAt,
    lastEventAt: event.createdAt,
  };
}
