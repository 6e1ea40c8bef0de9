// The operation log of a test and its checker: what was answered, shown, delivered and acknowledged, held against what is stored.

import type { Delivery } from '../../../generated/madeleine/v1/consumer_service.js';

/** What the checker has to know of a stored event; a message of the contract has it all. */
export interface StoredEvent {
  readonly messageId: string;
  readonly position: bigint;
  /** Empty: of no stream. */
  readonly stream: string;
  readonly sequence: bigint;
}

export interface HistoryOptions {
  /** Consumers that promise no order. */
  readonly unordered?: readonly string[];
  /** Which stored events a consumer is to get, by its name: all of them unless told. */
  readonly matching?: Readonly<Record<string, (event: StoredEvent) => boolean>>;
}

const MAX_FAULTS = 20;

export class History {
  readonly #answered = new Map<string, bigint>();
  /** The message of each position that anybody was told of. */
  readonly #told = new Map<bigint, string>();
  readonly #consumers = new Map<string, ConsumerHistory>();
  readonly #faults: string[] = [];
  #moment = 0;

  /** A push was answered. A second answer for the same message id has to be the same. */
  answered(event: StoredEvent): void {
    const { messageId, position } = event;
    const before = this.#answered.get(messageId);
    if (before !== undefined && before !== position)
      this.#faults.push(`message ${messageId} was answered with ${before} and with ${position}`);
    this.#answered.set(messageId, position);
    this.shown(event);
  }

  get answeredCount(): number {
    return this.#answered.size;
  }

  /** Anybody was shown an event. */
  shown({ position, messageId }: Pick<StoredEvent, 'position' | 'messageId'>): void {
    const before = this.#told.get(position);
    if (before !== undefined && before !== messageId)
      this.#faults.push(`position ${position} is of ${before} and of ${messageId}`);
    this.#told.set(position, messageId);
  }

  /** What anybody was told so far: the message of each position. */
  told(): ReadonlyMap<bigint, string> {
    return new Map(this.#told);
  }

  /** A consumer was given an event. */
  delivered(consumer: string, { event }: Delivery): void {
    if (event === undefined) return void this.#faults.push(`${consumer}: a delivery without an event`);
    this.shown(event);
    this.#consumer(consumer).delivered(event);
  }

  deliveredCount(consumer: string): number {
    return this.#consumer(consumer).deliveredCount;
  }

  /** A consumer's member is about to acknowledge; told before the call, because its answer may be lost. */
  acknowledging(consumer: string, positions: Iterable<bigint>): void {
    this.#moment += 1;
    this.#consumer(consumer).acknowledging(positions, this.#moment);
  }

  /** An answer showed the consumer's offset. */
  offset(consumer: string, offset: bigint): void {
    this.#moment += 1;
    this.#consumer(consumer).offset(offset, this.#moment);
  }

  /**
   * Everything that is wrong: an answered push that is not stored exactly once; something shown that is not stored; holes in
   * positions or sequences; a consumer that did not get every event that it matches, got one before an earlier one of its
   * stream, or whose offset passed one that nobody had acknowledged.
   */
  faults(stored: readonly StoredEvent[], { unordered = [], matching = {} }: HistoryOptions = {}): string[] {
    const byConsumer = [...this.#consumers].flatMap(([name, consumer]) => {
      const due = matching[name] === undefined ? stored : stored.filter(matching[name]);
      return consumer.faults(due, !unordered.includes(name)).map((fault) => `${name}: ${fault}`);
    });
    return [...this.#faults, ...this.#storageFaults(stored), ...sequenceFaults(stored), ...byConsumer];
  }

  #consumer(name: string): ConsumerHistory {
    const known = this.#consumers.get(name) ?? new ConsumerHistory();
    this.#consumers.set(name, known);
    return known;
  }

  #storageFaults(stored: readonly StoredEvent[]): string[] {
    const faults: string[] = [];
    const positions = new Map<string, bigint[]>();
    // The end of a wait, and an invalidation, come from no push of a message.
    for (const { messageId, position } of stored) if (messageId !== '') append(positions, messageId, position);
    for (const [messageId, found] of positions)
      if (found.length > 1) faults.push(`message ${messageId} is stored at ${found}`);
    for (const [messageId, position] of this.#answered)
      if (positions.get(messageId)?.[0] !== position)
        faults.push(`answered ${messageId} at ${position} is stored at ${positions.get(messageId)}`);
    faults.push(...missingFrom(stored, this.#told));
    // Positions between them are those of the server's own entries; that none is missing is what logFaults tells.
    stored.forEach(({ position }, index) => {
      const former = stored[index - 1]?.position ?? 0n;
      if (position <= former) faults.push(`position ${position} comes after ${former}`);
    });
    return faults.slice(0, MAX_FAULTS);
  }
}

/** Pushes were answered with these events. */
export function answeredAll(history: History, events: readonly (StoredEvent | undefined)[]): void {
  for (const event of events) {
    if (event === undefined) throw new Error('a push was answered without its event');
    history.answered(event);
  }
}

/** What was told and is not stored as it was. */
export function missingFrom(stored: readonly StoredEvent[], told: ReadonlyMap<bigint, string>): string[] {
  const messages = new Map(stored.map(({ position, messageId }) => [position, messageId]));
  return [...told]
    .filter(([position, messageId]) => messages.get(position) !== messageId)
    .map(([position, messageId]) => `${messageId}, told to be at ${position}, is not stored there`);
}

/** What one consumer was given, in the order given, and what it acknowledged when. */
class ConsumerHistory {
  readonly #first: StoredEvent[] = [];
  readonly #seen = new Set<bigint>();
  /** The moment of the first acknowledgement. */
  readonly #acknowledged = new Map<bigint, number>();
  /** Offsets, each greater than all before it. */
  readonly #offsets: { readonly offset: bigint; readonly moment: number }[] = [];

  get deliveredCount(): number {
    return this.#seen.size;
  }

  delivered(event: StoredEvent): void {
    if (this.#seen.has(event.position)) return;
    this.#seen.add(event.position);
    this.#first.push(event);
  }

  acknowledging(positions: Iterable<bigint>, moment: number): void {
    for (const position of positions) if (!this.#acknowledged.has(position)) this.#acknowledged.set(position, moment);
  }

  offset(offset: bigint, moment: number): void {
    if (offset > (this.#offsets.at(-1)?.offset ?? -1n)) this.#offsets.push({ offset, moment });
  }

  faults(due: readonly StoredEvent[], ordered: boolean): string[] {
    const missing = due.filter(({ position }) => !this.#seen.has(position));
    const faults = missing.slice(0, MAX_FAULTS).map(({ position }) => `never got ${position}`);
    const dueAt = new Set(due.map(({ position }) => position));
    for (const { position } of this.#first)
      if (!dueAt.has(position)) faults.push(`got ${position}, which is not for it`);
    return [...faults, ...(ordered ? this.#orderFaults(due) : []), ...this.#offsetFaults(due)].slice(0, MAX_FAULTS);
  }

  /** Of each stream, the first deliveries come in the order of the stored events that are for this consumer. */
  #orderFaults(due: readonly StoredEvent[]): string[] {
    const order = new Map<string, bigint[]>();
    for (const { stream, position } of due) append(order, stream, position);
    const next = new Map<string, number>();
    return this.#first.flatMap(({ stream, position }) => {
      if (stream === '') return [];
      const index = next.get(stream) ?? 0;
      next.set(stream, index + 1);
      const expected = order.get(stream)?.[index];
      return expected === position ? [] : [`got ${position} of ${stream} where ${expected} was due`];
    });
  }

  #offsetFaults(due: readonly StoredEvent[]): string[] {
    let index = 0;
    return due.flatMap(({ position }) => {
      for (let at = this.#offsets[index]; at !== undefined && at.offset < position; at = this.#offsets[index])
        index += 1;
      const passed = this.#offsets[index];
      if (passed === undefined || (this.#acknowledged.get(position) ?? Number.POSITIVE_INFINITY) < passed.moment)
        return [];
      return [`offset ${passed.offset} is past ${position}, which nobody had acknowledged`];
    });
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function sequenceFaults(stored: readonly StoredEvent[]): string[] {
  const newest = new Map<string, bigint>();
  return stored.flatMap(({ stream, sequence }) => {
    if (stream === '') return [];
    const expected = (newest.get(stream) ?? 0n) + 1n;
    newest.set(stream, sequence);
    return sequence === expected ? [] : [`${stream}: #${sequence} where #${expected} was due`];
  });
}
