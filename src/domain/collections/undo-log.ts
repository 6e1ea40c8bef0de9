// Changes of maps and lists that can be taken back in reverse order: what an atomic unit did before it was refused.

export class UndoLog {
  readonly #steps: (() => void)[] = [];

  get mark(): number {
    return this.#steps.length;
  }

  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.has(key);
    const former = map.get(key);
    map.set(key, value);
    this.#steps.push(() => {
      if (had) map.set(key, former as V);
      else map.delete(key);
    });
  }

  push<T>(list: T[], item: T): void {
    list.push(item);
    this.#steps.push(() => {
      list.pop();
    });
  }

  /** Takes back everything after the mark. */
  undoTo(mark: number): void {
    for (const step of this.#steps.splice(mark).reverse()) step();
  }
}
