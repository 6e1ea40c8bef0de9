// What every group of parts works with: settings, clock, chance, metrics and log.

import type { Config } from '../config.js';
import type { Clock } from '../lib/clock.js';
import type { Logger, Metrics } from '../telemetry.js';

export interface Surroundings {
  readonly config: Config;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}
