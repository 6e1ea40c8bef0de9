// A binary min-heap of values by a number, for timers and positions. Entries are not removed from within: users mark what
// is void and drop it when it comes up.

/** Equal keys come up in no particular order. Adding in ascending order costs O(1), else O(log n). */
export class KeyedHeap<T> {
  readonly #keys: number[] = [];
  readonly #values: T[] = [];

  get size(): number {
    return this.#keys.length;
  }

  /** The least key, or undefined when empty. */
  get minKey(): number | undefined {
    return this.#keys[0];
  }

  /** The value of the least key, or undefined when empty. */
  get min(): T | undefined {
    return this.#values[0];
  }

  add(key: number, value: T): void {
    const keys = this.#keys;
    const values = this.#values;
    let at = keys.length;
    keys.push(key);
    values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentKey = keys[parent] as number;
      if (parentKey <= key) break;
      keys[at] = parentKey;
      values[at] = values[parent] as T;
      at = parent;
    }
    keys[at] = key;
    values[at] = value;
  }

  /** Removes and returns the value of the least key; undefined when empty. */
  pop(): T | undefined {
    const keys = this.#keys;
    const values = this.#values;
    const top = values[0];
    const key = keys.pop();
    if (key === undefined) return undefined;
    const value = values.pop() as T;
    if (keys.length > 0) this.#sink(key, value);
    return top;
  }

  clear(): void {
    this.#keys.length = 0;
    this.#values.length = 0;
  }

  /** Puts an entry in at the top and moves it down to its place. */
  #sink(key: number, value: T): void {
    const keys = this.#keys;
    const values = this.#values;
    const size = keys.length;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (keys[child + 1] as number) < (keys[child] as number)) child++;
      if ((keys[child] as number) >= key) break;
      keys[at] = keys[child] as number;
      values[at] = values[child] as T;
      at = child;
    }
    keys[at] = key;
    values[at] = value;
  }
}
