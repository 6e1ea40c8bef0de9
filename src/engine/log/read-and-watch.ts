// Readers and watchers: from a position or from now on, in commit order, without a seam between the stored and the live part.
// Both keep nothing: whoever reads remembers the position.

import type { LogEntry } from '../../domain/events/event.js';
import type { LoopTurns } from '../../lib/loop-turns.js';
import type { Paced } from '../../lib/paced.js';
import type { Position } from '../../units.js';
import type { EphemeralTopics } from './ephemeral-topics.js';
import type { LogSource, ReadBatch, Selection } from './log-source.js';
import { joinSignals, waitForMore } from './log-wait.js';
import type { Recipient } from './recipient.js';

export type ReadFrame =
  | { readonly kind: 'events'; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'gap'; readonly first: Position; readonly last: Position }
  | { readonly kind: 'progress'; readonly position: Position; readonly head: Position }
  | { readonly kind: 'caught_up'; readonly position: Position }
  | { readonly kind: 'going_away'; readonly position: Position };

export type WatchFrame =
  | { readonly kind: 'events'; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'watching'; readonly position: Position }
  | { readonly kind: 'missed'; readonly first: Position; readonly last: Position }
  | { readonly kind: 'going_away'; readonly position: Position };

export interface StreamSignals {
  /** The caller went away. */
  readonly cancelled: AbortSignal;
  /** The server drains. */
  readonly draining: AbortSignal;
}

/** Silence after which a frame says how far the stream is. */
const SILENCE_MS = 10_000;
/** Positions scanned without a match before a frame says so. */
const PROGRESS_POSITIONS = 20_000;
/** Further behind than this, a watcher is told what it missed instead of getting it. */
export const WATCH_MAX_LAG = 10_000;
const WATCH_BATCH = 256;

export interface ReadOptions {
  readonly recipient: Recipient;
  /** Shared by all streams. */
  readonly turns: LoopTurns;
  readonly paced: Paced;
  readonly ephemeral: Pick<EphemeralTopics, 'kept'>;
  readonly after: Position;
  /** The last position that is read; undefined: the head, wherever that is. */
  readonly upTo?: Position | undefined;
  /** Go on live instead of ending at the head; without `upTo`. */
  readonly follow: boolean;
  readonly batchSize: number;
}

/**
 * Reads matching events after a position. With `follow` it ends only by a signal, else at its end or the head. A consumer of the generator
 * that does not ask for the next frame holds it back; nothing is read ahead.
 */
export async function* readEvents(
  source: LogSource,
  selection: Selection,
  options: ReadOptions,
  { cancelled, draining }: StreamSignals,
): AsyncGenerator<ReadFrame, void> {
  const reader = new EventReader(source, selection, options);
  const stop = joinSignals([cancelled, draining]);
  try {
    while (!cancelled.aborted) {
      if (draining.aborted) return yield { kind: 'going_away', position: reader.position };
      yield* await reader.next();
      if (!reader.atHead) {
        await options.turns.next(options.recipient.caller);
        continue;
      }
      if (!options.follow) return;
      reader.pass(
        await waitForMore(source, reader.position, { signal: stop.signal, timeoutMs: SILENCE_MS, selection }),
      );
      if (reader.atHead && !stop.signal.aborted) yield reader.progress();
    }
  } finally {
    stop.release();
  }
}

/** How far one reader is, and what it has been told of it. */
class EventReader {
  readonly #source: LogSource;
  readonly #selection: Selection;
  readonly #batchSize: number;
  readonly #upTo: Position;
  readonly #options: Pick<ReadOptions, 'recipient' | 'paced' | 'ephemeral'>;
  #position: Position;
  #toldPosition: Position;
  /** The position up to which the reader was told of deletions. */
  #gapTold: Position;
  #live = false;

  constructor(source: LogSource, selection: Selection, options: ReadOptions) {
    this.#source = source;
    this.#selection = selection;
    this.#batchSize = options.batchSize;
    this.#upTo = options.upTo ?? Number.POSITIVE_INFINITY;
    this.#options = options;
    this.#position = options.after;
    this.#toldPosition = options.after;
    this.#gapTold = options.after;
  }

  get position(): Position {
    return this.#position;
  }

  /** Whether there is nothing to read at present, as it is at the head or at its end. */
  get atHead(): boolean {
    return this.#position >= Math.min(this.#source.visible, this.#upTo);
  }

  /** Goes on after a position up to which there is nothing to read. */
  pass(position: Position): void {
    this.#position = position;
  }

  progress(): ReadFrame {
    this.#toldPosition = this.#position;
    return { kind: 'progress', position: this.#position, head: this.#source.visible };
  }

  /** The frames of the next batch: none when nothing matched and there is nothing to tell. */
  async next(): Promise<ReadFrame[]> {
    if (this.#position >= this.#upTo) return this.#caughtUp();
    const options = { after: this.#position, upTo: this.#upTo, limit: this.#batchSize };
    const batch = await readFor(this.#options, this.#source, this.#selection, options);
    const { scannedTo, isStored } = batch;
    // Who listens gets what comes; who comes later does not.
    const entries = this.#live ? batch.entries : this.#options.ephemeral.kept(batch.entries);
    const frames: ReadFrame[] = isStored === true ? await this.#gap() : [];
    this.#position = scannedTo;
    if (entries.length > 0) {
      frames.push({ kind: 'events', entries });
      this.#toldPosition = scannedTo;
    } else if (scannedTo - this.#toldPosition >= PROGRESS_POSITIONS) {
      frames.push(this.progress());
    }
    return [...frames, ...this.#caughtUp()];
  }

  /** What was deleted of what comes next, as far as it was not told before. */
  async #gap(): Promise<ReadFrame[]> {
    const after = Math.max(this.#position, this.#gapTold);
    const last = Math.min(await this.#source.deletedTo(this.#selection, after), this.#upTo);
    if (last <= after) return [];
    this.#gapTold = last;
    return [{ kind: 'gap', first: after + 1, last }];
  }

  #caughtUp(): ReadFrame[] {
    const wasLive = this.#live;
    // A live reader that falls a batch behind has to be told anew when it is back.
    this.#live = this.atHead || (wasLive && this.#source.visible - this.#position <= this.#batchSize);
    return this.atHead && !wasLive ? [{ kind: 'caught_up', position: this.#position }] : [];
  }
}

/** Reads what there is room to send, once there is some. */
async function readFor(
  { recipient, paced }: Pick<ReadOptions, 'recipient' | 'paced'>,
  source: LogSource,
  selection: Selection,
  { upTo, ...options }: { readonly after: Position; readonly upTo?: Position; readonly limit: number },
): Promise<ReadBatch> {
  await recipient.ready();
  const { caller } = recipient;
  const read = await source.read(selection, { ...options, maxBytes: recipient.reserve(), caller, paced });
  const batch = upTo === undefined ? read : within(read, upTo);
  if (batch.entries.length === 0) recipient.unused();
  return batch;
}

/** What of a batch lies at or below a position. */
function within(batch: ReadBatch, upTo: Position): ReadBatch {
  if (batch.scannedTo <= upTo) return batch;
  return { ...batch, entries: batch.entries.filter(({ position }) => position <= upTo), scannedTo: upTo };
}

/** Watches what occurs from now on. Never falls further behind than WATCH_MAX_LAG: then it says what it left out. */
export async function* watchEvents(
  source: LogSource,
  selection: Selection,
  { recipient, turns, paced }: Pick<ReadOptions, 'recipient' | 'turns' | 'paced'>,
  { cancelled, draining }: StreamSignals,
): AsyncGenerator<WatchFrame, void> {
  const stop = joinSignals([cancelled, draining]);
  try {
    let after = source.visible;
    yield { kind: 'watching', position: after };
    while (!cancelled.aborted) {
      if (draining.aborted) return yield { kind: 'going_away', position: after };
      await recipient.ready();
      const head = source.visible;
      if (head - after > WATCH_MAX_LAG) {
        yield { kind: 'missed', first: after + 1, last: head };
        after = head;
      }
      const batch = await readFor({ recipient, paced }, source, selection, { after, limit: WATCH_BATCH });
      after = batch.scannedTo;
      if (batch.entries.length > 0) yield { kind: 'events', entries: batch.entries };
      if (after < source.visible) {
        await turns.next(recipient.caller);
        continue;
      }
      after = await waitForMore(source, after, { signal: stop.signal, timeoutMs: SILENCE_MS, selection });
      if (source.visible === after && !stop.signal.aborted) yield { kind: 'watching', position: after };
    }
  } finally {
    stop.release();
  }
}
