// A tail of the log without a database, for tests that publish into it by hand.

import { pino } from 'pino';
import { LogTail, type LogTailOptions } from '../../../src/engine/log/log-tail.js';
import { systemClock } from '../../../src/lib/clock.js';
import type { EventLog } from '../../../src/storage/ports/log-storage.js';
import { Metrics } from '../../../src/telemetry.js';

/** Makes a tail that never polls by itself. `log`: what of the stored log the test needs. */
export function newTail(log: Partial<EventLog> = {}, changes: Partial<LogTailOptions> = {}): LogTail {
  return new LogTail({
    log: log as EventLog,
    durableReads: { durable: (read) => read() },
    maxBytes: 1_000_000,
    pollMs: 50,
    isOwnToken: () => false,
    onDatabase: () => {},
    clock: systemClock,
    random: () => 0,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
    ...changes,
  });
}
