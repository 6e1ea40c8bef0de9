// Failures in a row of URLs whose hosts answer, as far as this instance has seen them: how it finds those that need an endpoint of
// their own. Pure.

import { type AttemptHealth, FAILURES_TO_OPEN } from './endpoint-circuit.js';

/** URLs that are remembered; of more, those whose last failure is the longest ago are forgotten. */
const MAX_URLS = 4_096;

export class UrlFailures {
  readonly #failures = new Map<string, number>();

  /**
   * Notes what an attempt says of a URL, and returns its failures in a row before. What concerns its host leaves them as they
   * were; after those that open its circuit they are counted anew.
   */
  note(url: string, health: AttemptHealth): number {
    const before = this.#failures.get(url) ?? 0;
    if (health !== 'answers' && health !== 'refuses') return before;
    this.#failures.delete(url);
    if (health === 'refuses') this.#failures.set(url, (before + 1) % FAILURES_TO_OPEN);
    if (this.#failures.size > MAX_URLS) this.#forgetOldest();
    return before;
  }

  #forgetOldest(): void {
    const [oldest] = this.#failures.keys();
    if (oldest !== undefined) this.#failures.delete(oldest);
  }
}
