// Who waits for the log to grow, by what they wait for: an entry wakes those that it concerns, and costs the others nothing. There
// may be thousands that wait for other topics.

import type { LogEntry } from '../../domain/events/event.js';
import type { Position } from '../../units.js';
import type { Selection, Wake } from './log-source.js';

/** Waiters that go on in one turn of the event loop; where they are more, others get turns in between. */
const WOKEN_AT_ONCE = 64;

interface Waiter {
  readonly position: Position;
  readonly wake: Wake;
  /** What it waits for; undefined: for any entry. */
  readonly selection: Selection | undefined;
}

export class LogWaiters {
  /** Waiters for any entry, or by what is not indexed here. */
  readonly #others = new Set<Waiter>();
  /** Waiters by each topic that they name. */
  readonly #byTopic = new WaitersByName();
  /** Waiters that name no topic, by each stream that they name. */
  readonly #byStream = new WaitersByName();
  /** What goes on in later turns. */
  readonly #due: (() => void)[] = [];
  /** Waiters that may still go on in this turn. */
  #left = WOKEN_AT_ONCE;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds a waiter, which nothing visible is beyond; returns what takes it away. */
  add(position: Position, wake: Wake, selection?: Selection): () => void {
    const waiter: Waiter = { position, wake, selection };
    const { topics = [], streams = [] } = selection?.criteria ?? {};
    if (topics.length > 0) this.#byTopic.add(topics, waiter);
    else if (streams.length > 0) this.#byStream.add(streams, waiter);
    else this.#others.add(waiter);
    this.#size += 1;
    return () => this.#remove(waiter);
  }

  /** Wakes whom these entries concern, which are visible now. */
  grown(entries: readonly LogEntry[]): void {
    for (const entry of this.#byTopic.isEmpty && this.#byStream.isEmpty ? [] : entries) {
      for (const waiter of this.#byTopic.of(entry.topic)) this.#wakeFor(entry, waiter);
      for (const waiter of this.#byStream.of(entry.stream)) this.#wakeFor(entry, waiter);
    }
    for (const waiter of this.#others) {
      const entry = entries.find((one) => concerns(one, waiter));
      if (entry !== undefined) this.#wake(waiter, entry.position - 1);
    }
  }

  /** Wakes everybody whom this position is beyond: what lies before it is not known here. */
  wakeAll(position: Position): void {
    for (const waiter of new Set([...this.#others, ...this.#byTopic.all(), ...this.#byStream.all()])) {
      if (waiter.position < position) this.#wake(waiter, waiter.position);
    }
  }

  #wakeFor(entry: LogEntry, waiter: Waiter): void {
    if (concerns(entry, waiter)) this.#wake(waiter, entry.position - 1);
  }

  /** Tells a waiter at once: one that were told later would believe meanwhile that nothing had come for it. */
  #wake(waiter: Waiter, passed: Position): void {
    this.#remove(waiter);
    const goOn = waiter.wake(Math.max(passed, waiter.position));
    if (this.#left === 0) this.#due.push(goOn);
    else this.#goOn(goOn);
  }

  #goOn(goOn: () => void): void {
    if (this.#left === WOKEN_AT_ONCE) setImmediate(() => this.#nextTurn());
    this.#left -= 1;
    goOn();
  }

  #nextTurn(): void {
    this.#left = WOKEN_AT_ONCE;
    for (const goOn of this.#due.splice(0, WOKEN_AT_ONCE)) this.#goOn(goOn);
  }

  #remove(waiter: Waiter): void {
    const { topics = [], streams = [] } = waiter.selection?.criteria ?? {};
    const wasThere =
      this.#others.delete(waiter) || this.#byTopic.delete(topics, waiter) || this.#byStream.delete(streams, waiter);
    if (wasThere) this.#size -= 1;
  }
}

/** Waiters by names; a set is made for the second one of a name only, as most names have one. */
class WaitersByName {
  readonly #byName = new Map<string, Waiter | Set<Waiter>>();

  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  of(name: string): Iterable<Waiter> {
    const found = this.#byName.get(name);
    return found === undefined ? [] : found instanceof Set ? found : [found];
  }

  all(): Waiter[] {
    return [...this.#byName.values()].flatMap((found) => (found instanceof Set ? [...found] : [found]));
  }

  add(names: readonly string[], waiter: Waiter): void {
    for (const name of names) {
      const found = this.#byName.get(name);
      if (found instanceof Set) found.add(waiter);
      else this.#byName.set(name, found === undefined ? waiter : new Set([found, waiter]));
    }
  }

  /** Whether it was there. */
  delete(names: readonly string[], waiter: Waiter): boolean {
    let wasThere = false;
    for (const name of names) {
      const found = this.#byName.get(name);
      const isOne = found instanceof Set ? found.delete(waiter) : found === waiter;
      if (!isOne) continue;
      wasThere = true;
      if (!(found instanceof Set) || found.size === 0) this.#byName.delete(name);
    }
    return wasThere;
  }
}

/** Whether a waiter has to look at an entry. Payloads are not looked into here. */
function concerns(entry: LogEntry, { position, selection }: Waiter): boolean {
  if (entry.position <= position) return false;
  return selection === undefined || selection.criteria.description !== undefined || selection.matches(entry);
}
