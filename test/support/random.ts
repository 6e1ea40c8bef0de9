// Random numbers that can be had again: the same seed gives the same numbers.

/** Numbers in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Choices that depend on the seed alone. */
export class RandomChoices {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  /** True so often, of once. */
  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** A whole number from the least to the greatest, both included. */
  between(least: number, greatest: number): number {
    return least + Math.floor(this.#random() * (greatest - least + 1));
  }

  of<T>(items: readonly [T, ...T[]]): T;
  of<T>(items: readonly T[]): T | undefined;
  of<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  /** One of the kinds, each as often as its weight says. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const kinds = Object.keys(weights) as K[];
    let left = this.#random() * kinds.reduce((sum, kind) => sum + weights[kind], 0);
    for (const kind of kinds) {
      left -= weights[kind];
      if (left < 0) return kind;
    }
    return kinds[0] as K;
  }

  /** Each item with this probability, in another order. */
  some<T>(items: readonly T[], probability: number): T[] {
    return items
      .filter(() => this.chance(probability))
      .map((item) => ({ item, rank: this.#random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  }

  /** Choices for somebody else: how often they are made changes nothing here. */
  branch(): RandomChoices {
    return new RandomChoices(Math.floor(this.#random() * 2 ** 32));
  }
}
