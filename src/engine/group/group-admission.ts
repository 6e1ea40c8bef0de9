// Who may have how much of what waits for groups, and whose turn it is: callers are admitted in turns, and while they share the queue
// what is admitted of one is a group of a few milliseconds, so that another one's next push waits for that and not for what it brought.

import { type Callers, SERVER } from '../../lib/callers.js';
import type { Clock } from '../../lib/clock.js';
import { FairQueue } from '../../lib/fair-queue.js';
import type { Millis } from '../../units.js';
import { GroupPace } from './group-pace.js';

/** Events that are admitted and wait for a group, of one caller alone. */
const MAX_ADMITTED = 1_000;
/** Events of one caller in a group after which it pauses for as long as the group took, while others push too. */
const MANY_EVENTS = 32;
/** Bytes that count as an event more. */
const BYTES_OF_EVENT = 4 * 1024;
/** The part of what may wait that one caller may have, and that those leave free who wait before they submit. */
const CALLER_PART = 0.5;
const WAITING_PART = 0.75;

/** What waits, or is to. */
export interface Load {
  readonly events: number;
  readonly bytes: number;
}

/** A unit as its admission sees it. */
export interface Admissible {
  readonly caller: string;
  readonly events: number;
  /** Bytes that it holds while it waits. */
  readonly memory: number;
  /** What it takes of its caller's turn. */
  readonly turn: number;
  /** Whether it is a group by itself. */
  readonly alone: boolean;
}

interface CallerUse {
  events: number;
  bytes: number;
  /** Events that are admitted or in groups. */
  underWay: number;
}

export interface GroupAdmissionOptions {
  /** Events and bytes that may wait. */
  readonly most: Load;
  readonly callers: Callers;
  readonly clock: Clock;
  /** Called when somebody's pause is over. */
  readonly onPauseOver: () => void;
}

export class GroupAdmission<T extends Admissible> {
  readonly #options: GroupAdmissionOptions;
  readonly #waiting = new FairQueue<T>(({ turn }) => turn);
  readonly #uses = new Map<string, CallerUse>();
  /** Callers that pause: nothing of theirs is admitted. */
  readonly #pausing = new Set<string>();
  /** What all callers have together. */
  readonly #all = { events: 0, bytes: 0 };
  #admittedEvents = 0;
  readonly pace = new GroupPace();

  constructor(options: GroupAdmissionOptions) {
    this.#options = options;
  }

  /** Events that wait to be admitted, or for a group. */
  get waitingEvents(): number {
    return this.#all.events;
  }

  /** Whether there is room for so much more of the caller. */
  fits(caller: string, more: Load): boolean {
    return this.#isWithin(this.#all, more, 1) && this.#isWithin(this.#useOf(caller), more, partOf(caller));
  }

  /** Whether there is room for who can wait: they leave a part of it to those who cannot, a caller half of its own. */
  hasRoom(caller: string): boolean {
    const isFree = this.#isWithin(this.#all, NOTHING, WAITING_PART);
    return isFree && this.#isWithin(this.#useOf(caller), NOTHING, partOf(caller) / 2);
  }

  /** Takes one that waits from now on. */
  add(item: T): void {
    this.#count(item, 1);
    this.#options.callers.note(item.caller);
    this.#waiting.push(item.caller, item);
  }

  /** Admits the next one; undefined while nothing may be. */
  next(): T | undefined {
    const shared = this.#options.callers.areMany ? this.pace.sharedEvents : undefined;
    if (this.#admittedEvents >= (shared ?? MAX_ADMITTED)) return undefined;
    const item = this.#waiting.shift(shared === undefined ? undefined : (next) => this.#mayShare(next, shared));
    if (item === undefined) return undefined;
    this.#admittedEvents += item.events;
    this.#addUnderWay(item, item.events);
    return item;
  }

  /** Takes note that admitted ones are in a group now. */
  grouped(items: readonly T[]): void {
    for (const item of items) {
      this.#count(item, -1);
      this.#admittedEvents -= item.events;
    }
  }

  /** Takes note that these are to have another group, before the present one is settled. */
  regrouped(items: readonly T[]): void {
    for (const item of items) {
      this.#count(item, 1);
      this.#admittedEvents += item.events;
      this.#addUnderWay(item, item.events);
    }
  }

  /** Takes note that the group of these is over, which took so long. */
  settled(items: readonly T[], tookMs: Millis): void {
    const brought = new Map<string, number>();
    for (const item of items) {
      const { caller, events, memory } = item;
      this.#addUnderWay(item, -events);
      brought.set(caller, (brought.get(caller) ?? 0) + events + memory / BYTES_OF_EVENT);
    }
    if (!this.#options.callers.areMany) return;
    for (const [caller, events] of brought) {
      if (caller !== SERVER && events > MANY_EVENTS) this.#pause(caller, tookMs);
    }
  }

  /** Forgets admitted ones that come into no group. */
  withdrawn(items: readonly T[]): void {
    this.grouped(items);
    for (const item of items) this.#addUnderWay(item, -item.events);
  }

  /** Takes out of those that are not admitted yet what is not to be kept, and returns it. */
  drop(isKept: (item: T) => boolean): T[] {
    const dropped = this.#waiting.drop(isKept);
    for (const item of dropped) this.#count(item, -1);
    return dropped;
  }

  /** Whether it leaves room in a shared queue: one caller's events make one group at a time, or a unit alone does. */
  #mayShare({ caller, events, alone }: T, most: number): boolean {
    const { underWay } = this.#useOf(caller);
    const isLittle = underWay === 0 || (!alone && underWay + events <= most);
    return caller === SERVER || (isLittle && !this.#pausing.has(caller));
  }

  /** Leaves the groups to others for as long as they were not: what the caller has waits. */
  #pause(caller: string, ms: Millis): void {
    this.#pausing.add(caller);
    this.#options.clock.after(ms, () => {
      this.#pausing.delete(caller);
      this.#options.onPauseOver();
    });
  }

  #useOf(caller: string): CallerUse {
    return this.#uses.get(caller) ?? { events: 0, bytes: 0, underWay: 0 };
  }

  #isWithin(load: Load, more: Load, part: number): boolean {
    const { events, bytes } = this.#options.most;
    return load.events + more.events <= events * part && load.bytes + more.bytes <= bytes * part;
  }

  /** Counts what waits: 1 adds it, -1 takes it off. */
  #count({ caller, events, memory }: T, sign: 1 | -1): void {
    const own = this.#useOf(caller);
    for (const load of [own, this.#all]) {
      load.events += sign * events;
      load.bytes += sign * memory;
    }
    this.#keep(caller, own);
  }

  #addUnderWay({ caller }: T, events: number): void {
    const own = this.#useOf(caller);
    own.underWay += events;
    this.#keep(caller, own);
  }

  #keep(caller: string, own: CallerUse): void {
    if (own.events > 0 || own.underWay > 0) this.#uses.set(caller, own);
    else this.#uses.delete(caller);
  }
}

/** The part of what may wait that is for one caller. */
function partOf(caller: string): number {
  return caller === SERVER ? 1 : CALLER_PART;
}

const NOTHING: Load = Object.freeze({ events: 0, bytes: 0 });
