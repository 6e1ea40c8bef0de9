// A map that is never changed, and of which changed copies are cheap: its entries lie in buckets, and a copy shares those that are the same.

const BUCKETS = 1_024;

export class SharedMap<K extends string | number, V> {
  readonly size: number;
  readonly #buckets: readonly (ReadonlyMap<K, V> | undefined)[];

  private constructor(size: number, buckets: readonly (ReadonlyMap<K, V> | undefined)[]) {
    this.size = size;
    this.#buckets = buckets;
  }

  /** The map of entries with distinct keys. */
  static of<K extends string | number, V>(entries: ReadonlyMap<K, V>): SharedMap<K, V> {
    const buckets = new Array<Map<K, V> | undefined>(BUCKETS).fill(undefined);
    for (const [key, value] of entries) {
      const at = bucketOf(key);
      const bucket = buckets[at];
      if (bucket === undefined) buckets[at] = new Map([[key, value]]);
      else bucket.set(key, value);
    }
    return new SharedMap(entries.size, buckets);
  }

  get(key: K): V | undefined {
    return this.#buckets[bucketOf(key)]?.get(key);
  }

  *values(): Generator<V> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.values();
  }

  /** A copy in which the key has the value; undefined: in which it is not. */
  with(key: K, value: V | undefined): SharedMap<K, V> {
    const at = bucketOf(key);
    const bucket = new Map(this.#buckets[at]);
    const before = bucket.size;
    if (value === undefined) bucket.delete(key);
    else bucket.set(key, value);
    return new SharedMap(this.size + bucket.size - before, this.#buckets.with(at, bucket));
  }
}

/** Numbers come one after another; of names a client may choose those of one bucket, which then is a map as others are. */
function bucketOf(key: string | number): number {
  if (typeof key === 'number') return key % BUCKETS;
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  return ((hash >>> 16) ^ hash) & (BUCKETS - 1);
}
