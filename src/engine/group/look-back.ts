// How far back a description looks for what has occurred: the time, and a position that is known to be no later, so that the
// index is read from there. The position of the default look-back is found once a minute.

import { DEFAULT_LOOKBACK_MICROS } from '../../domain/waits/wait.js';
import type { Clock } from '../../lib/clock.js';
import { SharedRun } from '../../lib/shared-run.js';
import type { Micros, Position } from '../../units.js';
import type { LogSource } from '../log/log-source.js';

const REFRESH_MS = 60_000;

export interface LookBackOptions {
  readonly source: Pick<LogSource, 'positionAt'>;
  readonly clock: Clock;
}

export class LookBack {
  readonly #options: LookBackOptions;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #position: Position = 0;
  readonly #refreshes = new SharedRun(() => this.#refresh());
  /** The last time that was asked for: the pushes of one call often share it. */
  #last = { since: 0, after: 0 };

  constructor(options: LookBackOptions) {
    this.#options = options;
  }

  /** The bounds for what occurred after the time; undefined: the default look-back. */
  async from(since: Micros | undefined): Promise<{ since: Micros; after: Position }> {
    const { source, clock } = this.#options;
    if (since !== undefined) {
      if (since > 0 && since !== this.#last.since) this.#last = { since, after: await source.positionAt(since) };
      return since > 0 ? this.#last : { since, after: 0 };
    }
    if (clock.monotonicMs() - this.#refreshedAt > REFRESH_MS) await this.#refreshes.join();
    // Read after the refresh: the position is then no later.
    return { since: this.#defaultTime, after: this.#position };
  }

  get #defaultTime(): Micros {
    return this.#options.clock.nowMs() * 1000 - DEFAULT_LOOKBACK_MICROS;
  }

  async #refresh(): Promise<void> {
    const { source, clock } = this.#options;
    this.#position = await source.positionAt(this.#defaultTime);
    this.#refreshedAt = clock.monotonicMs();
  }
}
