// Work on files that may fail, or never end: it is tried again later and later, and only what becomes of it is told, each change once.

import { type Backoff, backoffMs, JITTER } from '../../domain/backoff.js';
import type { Clock } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { Millis } from '../../units.js';

/** How long a work may take: a disk that hangs is as one that fails. */
const PATIENCE_MS: Millis = 10_000;
const RETRIES: Backoff = { baseMs: 1_000, capMs: 60_000, jitter: JITTER.upperHalf };
const HANGS = 'the file system does not answer';
/** Characters that are told of a failure. */
const MAX_PROBLEM = 200;

export interface FileGuardOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Is told when work begins to fail, fails otherwise, or succeeds again: then with undefined. */
  readonly onChange: (problem: string | undefined) => void;
}

export class FileGuard {
  readonly #options: FileGuardOptions;
  #failures = 0;
  #problem: string | undefined;
  #retryAtMs: Millis = 0;
  /** Work that did not end in time. */
  #hanging: Promise<void> | undefined;

  constructor(options: FileGuardOptions) {
    this.#options = options;
  }

  /** Why work failed last; undefined: it did not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether work that was given up on may still change files. */
  get isHanging(): boolean {
    return this.#hanging !== undefined;
  }

  /** Whether nothing is to be tried at present. */
  get isWaiting(): boolean {
    return this.isHanging || this.#options.clock.monotonicMs() < this.#retryAtMs;
  }

  /** Returns what the work gives; undefined: it failed, did not end in time, or is not tried at present. */
  async run<T>(work: () => Promise<T>): Promise<{ readonly value: T } | undefined> {
    if (this.isWaiting) return undefined;
    const running = work();
    try {
      const done = await within(
        this.#options.clock,
        PATIENCE_MS,
        running.then((value) => ({ value })),
        () => undefined,
      );
      if (done === undefined) {
        this.#hang(running);
        this.#failed(HANGS);
        return undefined;
      }
      this.#succeeded();
      return done;
    } catch (error) {
      this.#failed(problemOf(error));
      return undefined;
    }
  }

  #hang(work: Promise<unknown>): void {
    const ended = () => {
      this.#hanging = undefined;
    };
    this.#hanging = work.then(ended, ended);
  }

  #failed(problem: string): void {
    const { clock, random } = this.#options;
    this.#failures += 1;
    this.#retryAtMs = clock.monotonicMs() + backoffMs(RETRIES, this.#failures, random);
    this.#tell(problem);
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#tell(undefined);
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onChange(problem);
  }
}

/** Says what failed, without paths. */
function problemOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, code, words] = /^(E[A-Z0-9]+): ([^,]+)/.exec(message) ?? [];
  return (code === undefined ? message : `${words} (${code})`).slice(0, MAX_PROBLEM);
}
