// What stands beside the events of a page: the consumers that have passed each of them.

import { EventConsumers } from '../../../generated/madeleine/v1/event_service.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { Asking, PassedConsumers } from '../../engine/consumers/passed/passed-consumers.js';

const NOBODY = EventConsumers.encode({ consumers: [], more: false }).finish();

/** Encoded EventConsumers of the events of one listing. */
export class PassedBeside {
  readonly #passed: Pick<PassedConsumers, 'of'>;
  readonly #context: string;
  readonly #asking: Asking;
  readonly #encoded = new Map<LogEntry, Uint8Array>();

  constructor(passed: Pick<PassedConsumers, 'of'>, context: string, asking: Asking) {
    this.#passed = passed;
    this.#context = context;
    this.#asking = asking;
  }

  /** Looks who has passed each of the entries. */
  async look(entries: readonly LogEntry[]): Promise<void> {
    for (const [entry, { consumers, more }] of await this.#passed.of(this.#context, entries, this.#asking)) {
      const names = consumers.map(({ context, name }) => ({ context, name }));
      this.#encoded.set(entry, EventConsumers.encode({ consumers: names, more }).finish());
    }
  }

  of(entry: LogEntry): Uint8Array {
    return this.#encoded.get(entry) ?? NOBODY;
  }
}
