// What was started, in order; it is stopped in the reverse order.

import type { Logger } from '../telemetry.js';

interface Part {
  readonly name: string;
  readonly stop: () => Promise<void>;
}

export class Started {
  readonly #parts: Part[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Takes a part that has to be stopped before those that were added earlier. */
  add(name: string, stop: () => Promise<void>): void {
    this.#parts.push({ name, stop });
  }

  /** Stops everything, one after the other; one that fails keeps none of the others from it. Never rejects. */
  async stop(): Promise<void> {
    for (const { name, stop } of this.#parts.splice(0).reverse()) {
      await stop().catch((error: unknown) => {
        this.#logger.warn({ err: error, part: name }, 'part did not stop cleanly');
      });
    }
  }
}
