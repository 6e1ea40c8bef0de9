// What waits for its turn, by caller: the callers take turns, so that whoever brings little waits for little, whatever others
// bring. What one caller brings stays in its order.

/** How much a caller may bring at its turn; what is larger waits for several turns. */
export const TURN = 32;

interface Line<T> {
  readonly caller: string;
  readonly items: T[];
  credit: number;
}

export class FairQueue<T> {
  readonly #sizeOf: (item: T) => number;
  readonly #lines = new Map<string, Line<T>>();
  /** The lines, the one whose turn it is first. */
  #turns: Line<T>[] = [];

  constructor(sizeOf: (item: T) => number) {
    this.#sizeOf = sizeOf;
  }

  get isEmpty(): boolean {
    return this.#turns.length === 0;
  }

  /** Whether anything of the caller waits. */
  has(caller: string): boolean {
    return this.#lines.has(caller);
  }

  push(caller: string, item: T): void {
    const line = this.#lines.get(caller);
    if (line !== undefined) line.items.push(item);
    else this.#add({ caller, items: [item], credit: TURN });
  }

  /** Takes what comes next; undefined: nothing waits. Passes over callers whose next one may not come now. */
  shift(mayCome: (item: T) => boolean = always): T | undefined {
    // A turn that cannot be used is kept: its caller is the first again.
    for (let passed = 0; passed < this.#turns.length; ) {
      const line = this.#turns[passed];
      const item = line?.items[0];
      if (line === undefined || item === undefined) return undefined;
      if (!mayCome(item)) {
        passed += 1;
        continue;
      }
      const size = this.#sizeOf(item);
      if (line.credit >= size || this.#turns.length === passed + 1) return this.#take(passed, line, size);
      line.credit += TURN;
      this.#turns.push(...this.#turns.splice(passed, 1));
    }
    return undefined;
  }

  /** Takes one item of the caller out; false: it is not there any more. */
  remove(caller: string, item: T): boolean {
    const line = this.#lines.get(caller);
    const at = line?.items.indexOf(item) ?? -1;
    if (line === undefined || at === -1) return false;
    line.items.splice(at, 1);
    if (line.items.length === 0) this.#end(this.#turns.indexOf(line), line);
    return true;
  }

  /** Takes out what is not to be kept, and returns it. */
  drop(isKept: (item: T) => boolean): T[] {
    const dropped: T[] = [];
    const lines = this.#turns;
    this.#turns = [];
    this.#lines.clear();
    for (const { caller, items, credit } of lines) {
      const kept = items.filter(isKept);
      if (kept.length < items.length) dropped.push(...items.filter((item) => !isKept(item)));
      if (kept.length > 0) this.#add({ caller, items: kept, credit });
    }
    return dropped;
  }

  #add(line: Line<T>): void {
    this.#lines.set(line.caller, line);
    this.#turns.push(line);
  }

  #take(at: number, line: Line<T>, size: number): T | undefined {
    line.credit = Math.max(0, line.credit - size);
    const item = line.items.shift();
    if (line.items.length === 0) this.#end(at, line);
    return item;
  }

  #end(at: number, line: Line<T>): void {
    this.#lines.delete(line.caller);
    this.#turns.splice(at, 1);
  }
}

function always(): boolean {
  return true;
}
