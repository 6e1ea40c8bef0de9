// Messages of streams on their way to clients, and how many bytes of them there may be. A client that stands still takes no more
// than its connection's window: what was made for it beyond that is held here, and counted, of one stream, one connection and all.

import { callerOf } from './wire.js';

const MIB = 1024 * 1024;
/** What may be on the way. Past it each stream has one small message, or one event, and the next when that is written. */
export const OUTGOING_BYTES = { stream: 2 * MIB, connection: 16 * MIB, all: 64 * MIB } as const;
/** What a message may have. */
export const MESSAGE_BYTES = { least: 16 * 1024, most: MIB } as const;

/** A message that says when it has been written. */
export class OutgoingMessage {
  readonly size: number;
  readonly #lane: OutgoingLane;
  #bytes: Uint8Array | undefined;

  constructor(lane: OutgoingLane, bytes: Uint8Array) {
    this.#lane = lane;
    this.#bytes = bytes;
    this.size = bytes.byteLength;
  }

  /** Hands the bytes over, once: they are copied for the connection. */
  take(): Uint8Array {
    const bytes = this.#bytes ?? new Uint8Array();
    this.#bytes = undefined;
    return bytes;
  }

  /** Takes note that the connection is rid of it. */
  written(): void {
    this.#lane.written(this.size);
  }
}

/** What is on the way to one connection. */
interface Account {
  bytes: number;
  lanes: number;
}

/** What is on the way to all clients of a server. */
export class Outgoing {
  readonly #connections = new Map<string, Account>();
  /** Aborts when the server drains: from then on nobody waits for those who do not read. */
  readonly draining: AbortSignal;
  #bytes = 0;

  constructor(draining: AbortSignal) {
    this.draining = draining;
  }

  /** Bytes of messages that were made and are not written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Opens a lane for the messages of one stream; `peer` names its connection. To be closed when the stream ends. */
  open(peer: string, signal: AbortSignal): OutgoingLane {
    const account = this.#connections.get(peer) ?? { bytes: 0, lanes: 0 };
    this.#connections.set(peer, account);
    account.lanes += 1;
    return new OutgoingLane(this, account, peer, signal);
  }

  /** Bytes that a lane of the connection may add. */
  left({ bytes }: Account): number {
    return Math.min(OUTGOING_BYTES.connection - bytes, OUTGOING_BYTES.all - this.#bytes);
  }

  /** Counts bytes that a lane has added, or is rid of. */
  count(account: Account, bytes: number): void {
    account.bytes += bytes;
    this.#bytes += bytes;
  }

  close(account: Account, peer: string): void {
    account.lanes -= 1;
    if (account.lanes === 0) this.#connections.delete(peer);
  }
}

/** The messages of one stream. Bytes are reserved before a message is read and made, as many others do so meanwhile. */
export class OutgoingLane {
  readonly #outgoing: Outgoing;
  readonly #account: Account;
  readonly #peer: string;
  readonly #signal: AbortSignal;
  /** Bytes of messages that are not written. */
  #bytes = 0;
  #reserved = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(outgoing: Outgoing, account: Account, peer: string, signal: AbortSignal) {
    this.#outgoing = outgoing;
    this.#account = account;
    this.#peer = peer;
    this.#signal = signal;
  }

  /** Names who reads, as callers take turns. */
  get caller(): string {
    return callerOf(this.#peer);
  }

  /** Resolves when what was sent before leaves room for more, or the call is over; undefined: at once. */
  ready(): Promise<void> | undefined {
    return this.#isReady() ? undefined : this.#until(() => this.#isReady());
  }

  /** Resolves when all is written, or the call is over. A stream ends after that: what it has left is counted as long as it is open. */
  finished(): Promise<void> {
    return this.#until(() => this.#bytes === 0);
  }

  /** Whether the connection is rid of all messages. */
  get isWritten(): boolean {
    return this.#bytes === 0;
  }

  /** Bytes that the next message would have. */
  get left(): number {
    return Math.max(this.#left(), MESSAGE_BYTES.least);
  }

  /** Reserves room for the next message; returns how many bytes it may have, about. */
  reserve(): number {
    this.unused();
    this.#reserved = this.left;
    this.#outgoing.count(this.#account, this.#reserved);
    return this.#reserved;
  }

  /** Gives back what was reserved: there was nothing to send. */
  unused(): void {
    this.#outgoing.count(this.#account, -this.#reserved);
    this.#reserved = 0;
  }

  /** Puts a message on the way, in the place of what was reserved. */
  message(bytes: Uint8Array): OutgoingMessage {
    this.unused();
    const message = new OutgoingMessage(this, bytes);
    this.#add(message.size);
    return message;
  }

  written(bytes: number): void {
    // What a call that is over had on the way was taken off already.
    if (this.#closed) return;
    this.#add(-bytes);
    this.#wake?.();
  }

  close(): void {
    if (this.#closed) return;
    this.unused();
    this.#add(-this.#bytes);
    this.#closed = true;
    this.#outgoing.close(this.#account, this.#peer);
  }

  #left(): number {
    return Math.min(OUTGOING_BYTES.stream - this.#bytes, this.#outgoing.left(this.#account), MESSAGE_BYTES.most);
  }

  #isReady(): boolean {
    return this.#bytes === 0 || this.#left() >= MESSAGE_BYTES.least || this.#isOver();
  }

  /** Nobody waits any more for a client to read. */
  #isOver(): boolean {
    return this.#signal.aborted || this.#outgoing.draining.aborted;
  }

  async #until(isMet: () => boolean): Promise<void> {
    // Listeners cost more the more streams there are.
    if (isMet() || this.#isOver()) return;
    const signals = [this.#signal, this.#outgoing.draining];
    const onAbort = () => this.#wake?.();
    for (const signal of signals) signal.addEventListener('abort', onAbort);
    while (!isMet() && !this.#isOver()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  }

  #add(bytes: number): void {
    this.#bytes += bytes;
    this.#outgoing.count(this.#account, bytes);
  }
}
