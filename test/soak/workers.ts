// Workers that go from round to round until they are told to rest.

import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, Status } from 'nice-grpc';
import { ROUNDS, type Round, type Surroundings } from './churn.js';

/** How many go through each kind of round at once. */
const WORKERS_A_KIND = 4;
/** What a restart answers. */
const TRANSIENT: readonly Status[] = [Status.UNAVAILABLE, Status.CANCELLED];
const PAUSE_MS = 20;

export class Workers {
  readonly #surroundings: () => Surroundings;
  readonly rounds: Record<string, number> = {};
  /** Failures that no restart explains, by their text. */
  readonly failures = new Map<string, number>();
  /** Rounds that a restart broke off. */
  broken = 0;
  #resting = true;
  #working: Promise<unknown> = Promise.resolve();

  /** `surroundings` is asked before every round: whom to call changes. */
  constructor(surroundings: () => Surroundings) {
    this.#surroundings = surroundings;
  }

  work(): void {
    this.#resting = false;
    const all = Object.entries(ROUNDS).flatMap(([name, round]) => {
      return Array.from({ length: WORKERS_A_KIND }, () => this.#loop(name, round));
    });
    this.#working = Promise.all(all);
  }

  /** Resolves when every worker has ended its round. */
  async rest(): Promise<void> {
    this.#resting = true;
    await this.#working;
  }

  async #loop(name: string, round: Round): Promise<void> {
    while (!this.#resting) {
      try {
        await round(this.#surroundings());
        this.rounds[name] = (this.rounds[name] ?? 0) + 1;
      } catch (error) {
        this.#failed(name, error);
      }
      await sleep(PAUSE_MS);
    }
  }

  #failed(name: string, error: unknown): void {
    if (error instanceof ClientError && TRANSIENT.includes(error.code)) {
      this.broken += 1;
      return;
    }
    const text = `${name}: ${error instanceof Error ? error.message : error}`;
    this.failures.set(text, (this.failures.get(text) ?? 0) + 1);
  }
}
