// Large work of callers: while several call, each has one work under way at a time, and pauses after it for as long as it took.

import type { Callers } from './callers.js';
import type { Clock } from './clock.js';
import { Gate } from './gate.js';

export interface PacedOptions {
  readonly callers: Callers;
  readonly clock: Clock;
}

interface Lane {
  readonly gate: Gate;
  /** Works that wait or are under way, pauses included. */
  works: number;
}

export class Paced {
  readonly #options: PacedOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: PacedOptions) {
    this.#options = options;
  }

  /** Returns what the work gives; it may begin later. */
  run<T>(caller: string, work: () => Promise<T>): Promise<T> {
    const { callers } = this.#options;
    callers.note(caller);
    if (!callers.areMany && !this.#lanes.has(caller)) return work();
    const lane = this.#lanes.get(caller) ?? { gate: new Gate(1), works: 0 };
    this.#lanes.set(caller, lane);
    lane.works += 1;
    return new Promise((resolve, reject) => {
      const paced = async () => {
        const startedAt = this.#options.clock.monotonicMs();
        await work().then(resolve, reject);
        await this.#pause(this.#options.clock.monotonicMs() - startedAt);
      };
      void lane.gate.run(paced).finally(() => this.#leave(caller, lane));
    });
  }

  #leave(caller: string, lane: Lane): void {
    lane.works -= 1;
    if (lane.works === 0) this.#lanes.delete(caller);
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#options.callers.areMany) return;
    await new Promise<void>((resolve) => this.#options.clock.after(ms, resolve).unref());
  }
}
