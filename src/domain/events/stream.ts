// A stream as a group sees it: who owns it and how far it is. Its one writer is the issuer of its first event, until it is handed over.

import type { Micros, Position } from '../../units.js';

export interface StreamState {
  readonly context: string;
  readonly name: string;
  readonly owner: string;
  /** How many owners it has had: 1 at first. */
  readonly epoch: number;
  readonly lastSequence: number;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly firstEventAt: Micros;
  readonly lastEventAt: Micros;
  /** Who owned it in the epoch before; empty: nobody. */
  readonly formerOwner: string;
  /** The entry by which it was handed over last; 0: it never was. */
  readonly transferPosition: Position;
  /** The sequence up to which its events were, or are to be, deleted by a truncation; 0: none was. */
  readonly truncatedTo: number;
}

/** The first epoch of a stream, that of an event which begins it too. */
export const FIRST_EPOCH = 1;

/** The state after one more event. */
export function extendStream(
  before: StreamState | undefined,
  event: { context: string; stream: string; issuer: string; position: Position; createdAt: Micros },
): StreamState {
  return {
    context: event.context,
    name: event.stream,
    owner: before?.owner ?? event.issuer,
    epoch: before?.epoch ?? FIRST_EPOCH,
    lastSequence: (before?.lastSequence ?? 0) + 1,
    firstPosition: before?.firstPosition ?? event.position,
    lastPosition: event.position,
    firstEventAt: before?.firstEventAt ?? event.createdAt,
    lastEventAt: event.createdAt,
    formerOwner: before?.formerOwner ?? '',
    transferPosition: before?.transferPosition ?? 0,
    truncatedTo: before?.truncatedTo ?? 0,
  };
}

/** The state after it was handed to another owner. */
export function handedOver(before: StreamState, owner: string, transferPosition: Position): StreamState {
  return { ...before, owner, epoch: before.epoch + 1, formerOwner: before.owner, transferPosition };
}

/** The newest position that what is told of the stream rests on. */
export function restsOn({ lastPosition, transferPosition }: StreamState): Position {
  return Math.max(lastPosition, transferPosition);
}
