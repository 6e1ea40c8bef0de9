// Drives one consumer's delivery window: reads what it asks for, offers it, gives the members what was leased to them, and stops
// as soon as nobody waits, no credit is left or the head is reached.

import {
  type ConsumerKey,
  type ConsumerSettings,
  consumerCriteria,
  streamCriteria,
} from '../../domain/consumers/consumer.js';
import type { OfferedEvent, StreamReread } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import { ALL_CONTEXTS, scopedKey } from '../../domain/names.js';
import type { Clock } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { Position } from '../../units.js';
import type { EphemeralTopics } from '../log/ephemeral-topics.js';
import { type LogSource, type ReadBatch, type Selection, selectionOf } from '../log/log-source.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import { type HeldPages, ownBytes, ReadAhead } from './consumer-read-ahead.js';
import type { ConsumerGaps } from './gaps/consumer-gaps.js';
import type { DeliveryLeaseReserve } from './ownership/delivery-lease-reserve.js';

const REDELIVERIES = 256;
/** Streams that are re-read before the window is asked again. */
const REREADS = 16;
const REREAD_EVENTS = 256;
const REREAD_BYTES = 2 * 1024 * 1024;
/** Positions behind the head from which on a consumer is no longer live. */
const LIVE_POSITIONS = 1_024;
/** How long an answer waits for the scan to pass it. */
const PASS_MS = 1_000;
/** What scopedKey puts between context and name. */
const KEY_SEPARATOR = scopedKey('', '');

export interface DispatchHost {
  /** Whether deliveries may be made now: the ownership lease is good, and no change is under way. */
  readonly mayDeliver: boolean;
  /** Called before each wait; `idle`: nothing happens any more until the next `kick`. */
  roundDone(idle: boolean): void;
  /** Called when a read or write failed; the host kicks again later. */
  failed(error: unknown): void;
}

export interface ConsumerDispatcherOptions {
  readonly key: ConsumerKey;
  readonly settings: ConsumerSettings;
  readonly window: DeliveryWindow;
  readonly members: ConsumerMembers;
  readonly gaps: ConsumerGaps;
  readonly progress: ConsumerProgress;
  readonly leases: DeliveryLeaseReserve;
  readonly source: LogSource;
  readonly ephemeral: Pick<EphemeralTopics, 'kept'>;
  readonly held: HeldPages;
  readonly clock: Clock;
  readonly host: DispatchHost;
}

type Step = 'more' | 'idle';

/** What was read, and the window's era at that time. */
interface Page {
  readonly batch: ReadBatch;
  readonly era: number;
  readonly bytes: number;
  /** How far deletions reached when it was read. */
  readonly deletedUpTo: Position;
}

export class ConsumerDispatcher {
  readonly #window: DeliveryWindow;
  readonly #source: LogSource;
  readonly #ephemeral: ConsumerDispatcherOptions['ephemeral'];
  readonly #key: ConsumerKey;
  readonly #members: ConsumerMembers;
  readonly #gaps: ConsumerGaps;
  readonly #progress: ConsumerProgress;
  readonly #leases: DeliveryLeaseReserve;
  readonly #held: HeldPages;
  readonly #clock: Clock;
  readonly #host: DispatchHost;
  #settings: ConsumerSettings;
  #selection: Selection;
  /** What was read after the position of the scan and not all offered yet. */
  #page: Page | undefined;
  #pageIndex = 0;
  /** Made by the first read: most consumers are at the head. */
  #ahead: ReadAhead | undefined;
  #live = false;
  #pumping = false;
  /** Rises when a pump is given up: whatever that one waits for, it goes on no more. */
  #pumps = 0;
  #steps = 0;
  #again = false;
  #stopped = false;
  /** Who waits for the scan to pass what was acknowledged beyond it. */
  #onPassed: (() => void)[] | undefined;
  /** Ends the wait for the log to grow. A signal would do as well, at a kilobyte for each consumer. */
  #endWait: (() => void) | undefined;

  constructor(options: ConsumerDispatcherOptions) {
    const { key, settings } = options;
    this.#window = options.window;
    this.#source = options.source;
    this.#ephemeral = options.ephemeral;
    this.#key = key;
    this.#members = options.members;
    this.#gaps = options.gaps;
    this.#progress = options.progress;
    this.#leases = options.leases;
    this.#held = options.held;
    this.#clock = options.clock;
    this.#host = options.host;
    this.#settings = settings;
    this.#selection = selectionOf(consumerCriteria(key, settings));
  }

  /** The position up to which everything was delivered; undefined while the consumer is behind. */
  get livePosition(): Position | undefined {
    return this.#live ? this.#window.scan.position : undefined;
  }

  get selection(): Selection {
    return this.#selection;
  }

  /** Whether there is something to look at or to deliver again, as far as it was told; a comparison, as it is asked for every consumer. */
  get hasBacklog(): boolean {
    return this.#window.report.hasBacklog(this.#source.visible);
  }

  /** Rises with every read and write, and with every page that is looked through. */
  get steps(): number {
    return this.#steps;
  }

  /** Whether it waits for a read or a write. */
  get isWaiting(): boolean {
    return this.#pumping;
  }

  /** Whether its read waits for its turn, as the database is read for others first. */
  get isQueued(): boolean {
    return this.#source.isQueued(this.#caller);
  }

  /** Whether what it read is kept until it can go on; false: it reads anew whenever it looks. */
  get keepsPages(): boolean {
    return !this.#held.isFull;
  }

  /** Takes other settings; the window was told already. */
  configure(settings: ConsumerSettings): void {
    this.#settings = settings;
    this.#selection = selectionOf(consumerCriteria(this.#key, settings));
    this.restart();
  }

  /** Begins the scan anew where the window says. */
  restart(): void {
    // It may begin before where it waits, or wait for something else.
    this.#endWait?.();
    this.#endWait = undefined;
    this.#dropPages();
    this.#live = false;
    // Who moved it may have recorded one.
    this.#gaps.noteDue();
  }

  /** Gives up what it waits for, which may never come, and begins the scan anew where the window says. */
  giveUp(): void {
    this.#pumps += 1;
    this.#pumping = false;
    this.restart();
    this.#tellPassed();
  }

  /** Lets go of what was read: the scan goes on after what it has passed, by reading again. */
  #dropPages(): void {
    this.#setPage(undefined);
    this.#ahead?.clear();
  }

  #setPage(page: Page | undefined): void {
    this.#held.count((page?.bytes ?? 0) - (this.#page?.bytes ?? 0));
    this.#page = page;
    this.#pageIndex = 0;
  }

  stop(): void {
    this.#stopped = true;
    this.restart();
  }

  /** Does what can be done now, after a change of any kind. What memory can serve is delivered before it returns. */
  kick(): void {
    this.#again = true;
    if (!this.#pumping && !this.#stopped) void this.#pump();
  }

  /**
   * Resolves once the scan has passed what was acknowledged beyond it, or cannot go on at present; at the latest after a second:
   * there may be many pages that do not match.
   */
  async passAnswered(): Promise<void> {
    if (!this.#pumping || !this.#window.scan.isBehindAnswers) return;
    const passed = new Promise<void>((resolve) => {
      this.#onPassed = [...(this.#onPassed ?? []), resolve];
    });
    await within(this.#clock, PASS_MS, passed, () => {});
  }

  #tellPassed(): void {
    for (const resolve of this.#onPassed?.splice(0) ?? []) resolve();
  }

  async #pump(): Promise<void> {
    const pump = this.#pumps;
    this.#pumping = true;
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        const step = this.#step();
        if (step === 'idle') continue;
        this.#again = true;
        this.#steps += 1;
        if (step === 'more') continue;
        this.#beforeWait();
        await step;
        if (pump !== this.#pumps) return;
        this.#steps += 1;
      }
    } catch (error) {
      if (pump !== this.#pumps) return;
      this.#again = false;
      if (!this.#stopped) this.#host.failed(error);
    }
    this.#rested();
  }

  #beforeWait(): void {
    this.#host.roundDone(false);
    if (!this.#window.scan.isBehindAnswers) this.#tellPassed();
  }

  #rested(): void {
    this.#pumping = false;
    this.#tellPassed();
    if (this.#held.isFull) this.#dropPages();
    if (!this.#stopped) this.#host.roundDone(true);
  }

  /** Does one step of what the window's docstring prescribes, always from the top. */
  #step(): Step | Promise<unknown> {
    const now = this.#clock.monotonicMs();
    const window = this.#window;
    if (window.redeliveries.expire(now).length > 0) this.#members.markStale();
    if (window.unsaved.anyFailure) return this.#progress.flush();
    if (!this.#canDeliver) return window.scan.isBehindAnswers ? this.#scan(now) : 'idle';
    if (window.leases.left === 0) return this.#leases.refill();
    if (this.#gaps.isDue) return this.#gaps.look();
    if (this.#gaps.nextAt <= window.scan.position) this.#tellGaps(window.scan.position);
    const positions = window.redeliveries.next(now, REDELIVERIES);
    if (positions.length > 0) return this.#redeliver(positions);
    const rereads = window.rereads.next(REREADS);
    if (rereads.length > 0) return this.#reread(rereads);
    return this.#scan(now);
  }

  get #canDeliver(): boolean {
    return this.#host.mayDeliver && this.#members.wanted && this.#window.members.hasCredit;
  }

  async #redeliver(positions: readonly Position[]): Promise<void> {
    const { era } = this.#window;
    const entries = new Map((await this.#source.readAt(positions)).map((entry) => [entry.position, entry]));
    if (this.#window.era !== era || this.#stopped || !this.#host.mayDeliver) return;
    const now = this.#clock.monotonicMs();
    for (const position of positions) {
      const entry = entries.get(position);
      if (entry === undefined) {
        this.#window.redeliveries.gone(position);
        this.#gaps.noteDue();
        continue;
      }
      const result = this.#window.redeliveries.offer(this.#offered(entry), now);
      if (result.kind === 'delivered') this.#members.deliver(entry, result);
      if (result.kind === 'no-credit') return;
    }
  }

  async #reread(rereads: readonly StreamReread[]): Promise<void> {
    const { era } = this.#window;
    for (const reread of rereads) {
      const batch = await this.#read(this.#streamSelection(reread.stream), {
        after: reread.from - 1,
        limit: Math.min(reread.room, REREAD_EVENTS),
        maxBytes: Math.min(reread.bytes, REREAD_BYTES),
      });
      if (this.#window.era !== era || this.#stopped || !this.#host.mayDeliver) return;
      this.#tellGaps(this.#window.scan.position);
      this.#offerHeld(reread, batch);
    }
  }

  #offerHeld(reread: StreamReread, batch: ReadBatch): void {
    const now = this.#clock.monotonicMs();
    for (const entry of batch.entries) {
      const result = this.#window.rereads.offer(reread, this.#offered(entry), now);
      if (result.kind === 'delivered') this.#members.deliver(entry, result);
      else if (result.kind !== 'done') return;
    }
    this.#window.rereads.passedTo(reread, Math.min(batch.scannedTo, this.#window.scan.position));
  }

  #scan(now: number): Step | Promise<unknown> {
    this.passQuiet();
    const { era } = this.#window;
    const scanned = this.#window.scan.position;
    if (this.#source.visible - scanned > LIVE_POSITIONS) this.#live = false;
    const page = this.#page;
    if (page !== undefined && !this.#isOutdated(page, scanned)) return this.#offerPage(page, now);
    if (page !== undefined) this.#dropPages();
    if (scanned >= this.#source.visible) return this.#atHead(scanned);
    this.#ahead ??= this.#newReadAhead();
    const batch = this.#ahead.take(scanned);
    if (!(batch instanceof Promise)) return this.#takePage(batch, era);
    return batch.then((stored) => this.#takePage(stored, era));
  }

  #newReadAhead(): ReadAhead {
    return new ReadAhead({
      read: (options) => this.#read(this.#selection, options),
      visible: () => this.#source.visible,
      credit: () => this.#window.members.credit,
      held: this.#held,
    });
  }

  #read(
    selection: Selection,
    options: { readonly after: Position; readonly limit: number; readonly maxBytes: number },
  ): Promise<ReadBatch> | ReadBatch {
    const batch = this.#source.read(selection, { ...options, caller: this.#caller });
    return batch instanceof Promise ? this.#withGapsOf(batch, this.#source.deletedUpTo) : batch;
  }

  /** What is stored may lack what was deleted: that is known before any of it is offered. */
  async #withGapsOf(read: Promise<ReadBatch>, deletedUpTo: Position): Promise<ReadBatch> {
    const batch = await read;
    if (batch.isStored) await this.#gaps.look();
    return { ...batch, deletedUpTo };
  }

  #tellGaps(upTo: Position): void {
    this.#gaps.tellUpTo(upTo, (gap) => this.#members.tellGap(gap));
  }

  #takePage(batch: ReadBatch, era: number): Step {
    if (era !== this.#window.era || this.#stopped) return 'more';
    const { deletedUpTo = this.#source.deletedUpTo } = batch;
    // A consumer gets of what is ephemeral what came while it listened.
    const heard = this.#live ? batch : { ...batch, entries: this.#ephemeral.kept(batch.entries) };
    this.#setPage({ batch: heard, era, bytes: ownBytes(heard), deletedUpTo });
    return 'more';
  }

  /** Whether something was deleted since of what is still to be offered of a page. */
  #isOutdated({ deletedUpTo }: Page, scanned: Position): boolean {
    const { deletedUpTo: now } = this.#source;
    return now > deletedUpTo && now > scanned;
  }

  /** Offers a page, the hot loop: nothing per event but the offer and the delivery. */
  #offerPage(page: Page, now: number): Step {
    const { entries, scannedTo } = page.batch;
    const window = this.#window;
    const canDeliver = this.#canDeliver;
    while (this.#pageIndex < entries.length) {
      const entry = entries[this.#pageIndex] as LogEntry;
      if (!canDeliver && !window.scan.isAnswered(entry.position)) return this.#rest(entry.position - 1);
      if (canDeliver && entry.position >= this.#gaps.nextAt) this.#tellGaps(entry.position);
      const result = window.scan.offer(this.#offered(entry), now);
      if (result.kind === 'no-credit' || result.kind === 'blocked') return this.#rest(entry.position - 1);
      this.#pageIndex += 1;
      if (result.kind !== 'delivered') continue;
      this.#members.deliver(entry, result);
      if (!this.#members.wanted) return this.#rest(entry.position);
    }
    this.#setPage(undefined);
    window.scan.passedTo(scannedTo);
    return 'more';
  }

  /** Stops within a page; everything up to the position was looked at. */
  #rest(position: Position): Step {
    this.#window.scan.passedTo(position);
    return 'idle';
  }

  #atHead(scanned: Position): Step {
    if (!this.#live && this.#window.report.stats().heldStreams === 0) {
      this.#live = true;
      this.#members.tellCaughtUp(scanned);
    }
    this.#endWait ??= this.#source.onBeyond(scanned, (passed) => this.#grown(passed), this.#selection);
    return 'idle';
  }

  /** Takes note of what is known not to concern the consumer; returns what goes on after it. */
  #grown(passed: Position): () => void {
    this.#endWait = undefined;
    this.#window.scan.passedTo(passed);
    // Whoever publishes goes on first.
    return () => queueMicrotask(() => this.kick());
  }

  /** Passes what came since it waits at the head: nothing that concerns the consumer, else it would have been woken. */
  passQuiet(): void {
    if (this.#endWait !== undefined) this.#window.scan.passedTo(this.#source.visible);
  }

  #offered(entry: LogEntry): OfferedEvent {
    return { position: entry.position, stream: this.#streamKey(entry), bytes: entryBytes(entry) };
  }

  /** Consumers take turns with each other, and with those who read without one. */
  get #caller(): string {
    return scopedKey(this.#key.context, this.#key.name);
  }

  #streamKey(entry: LogEntry): string | null {
    if (entry.stream === '') return null;
    return this.#key.context === ALL_CONTEXTS ? scopedKey(entry.context, entry.stream) : entry.stream;
  }

  #streamSelection(stream: string): Selection {
    // The key that #streamKey made: of `all`, the context comes first.
    const split = this.#key.context === ALL_CONTEXTS ? stream.indexOf(KEY_SEPARATOR) : -1;
    const context = split === -1 ? this.#key.context : stream.slice(0, split);
    return selectionOf(streamCriteria(this.#key, this.#settings, { context, name: stream.slice(split + 1) }));
  }
}
