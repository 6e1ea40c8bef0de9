// The topics whose events are for those only who listen now: who reads or lists later does not see them, though they are stored for some
// minutes more.

import type { LogEntry } from '../../domain/events/event.js';
import { scopedKey } from '../../domain/names.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';

/** How often it is looked which topics these are. */
const LOOK_MS: Millis = 5_000;

export interface EphemeralTopicsOptions {
  /** The topics that are ephemeral now; cheap where nothing was registered since. */
  readonly read: () => Promise<readonly { readonly context: string; readonly name: string }[]>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class EphemeralTopics {
  readonly #options: EphemeralTopicsOptions;
  #topics: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: EphemeralTopicsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.look();
    const { clock, logger } = this.#options;
    this.#timer = clock.every(LOOK_MS, () => {
      this.#looking ??= this.look()
        .catch((error: unknown) => logger.debug({ err: error }, 'it was not looked which topics are ephemeral'))
        .finally(() => {
          this.#looking = undefined;
        });
    });
  }

  async stop(): Promise<void> {
    this.#timer?.stop();
    await this.#looking;
  }

  /** Looks now. */
  async look(): Promise<void> {
    const topics = await this.#options.read();
    this.#topics = new Set(topics.map(({ context, name }) => scopedKey(context, name)));
  }

  /** Whether there is none: then nobody need ask for each event. */
  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  has({ context, topic }: Pick<LogEntry, 'context' | 'topic'>): boolean {
    return this.#topics.size > 0 && this.#topics.has(scopedKey(context, topic));
  }

  /** Returns the entries that are told to those who did not listen when they came. */
  kept(entries: readonly LogEntry[]): readonly LogEntry[] {
    return this.isEmpty ? entries : entries.filter((entry) => !this.has(entry));
  }
}
