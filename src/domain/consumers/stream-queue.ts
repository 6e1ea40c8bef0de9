// The open events of each stream, in order: those in flight with one member, then those that wait, then those passed over.

import type { Position } from '../events/event.js';
import type { DeliveryMember } from './member-pool.js';
import { type DeliveryRecord, LinkedList } from './open-events.js';

/** One stream with open events. */
export class StreamQueue {
  readonly key: string;
  /** Its records by position: in flight ones, then waiting ones. */
  readonly records = new LinkedList<DeliveryRecord>();
  firstWaiting: DeliveryRecord | undefined;
  inFlight = 0;
  /** The member that has what is in flight; undefined: nothing is, any member may take the stream. */
  holder: DeliveryMember | undefined;
  /** No event that was passed over lies before this position; 0: none was passed over. */
  heldFrom: Position = 0;
  /** Size of the event at `heldFrom`, as far as known. */
  heldBytes = 0;
  /** A re-read had to stop at `heldFrom`: it is to be named again before it may go on. */
  rereadStopped = false;
  /** The set in which it waits to be re-read. */
  heldIn: Set<StreamQueue> | undefined;
  /** The member that takes nothing else until what comes next here fits. */
  reservedOn: DeliveryMember | undefined;

  constructor(key: string) {
    this.key = key;
  }

  /** Whether a new event has to queue behind older ones that are not in flight. */
  get waits(): boolean {
    return this.firstWaiting !== undefined || this.heldFrom !== 0;
  }

  /** Size of what comes next of it to a member, as far as known. */
  get nextBytes(): number {
    return this.firstWaiting === undefined ? this.heldBytes : this.firstWaiting.bytes;
  }

  get isEmpty(): boolean {
    return this.records.first === undefined && this.heldFrom === 0;
  }
}
