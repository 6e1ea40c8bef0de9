// Writes down what became of attempts: many in one transaction, one transaction at a time. While the database is away they are
// kept and tried again, until their leases have surely ended: then somebody else makes the call again. A report that the database
// refuses is found by halving its batch, so that the others are stored, and is stored without what the receiver said.

import { MadeleineError } from '../../domain/errors.js';
import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import type { AttemptReport, CallbackStore } from '../../storage/ports/cawin-storage.js';
import type { Logger } from '../../telemetry.js';
import type { EndpointReports } from './endpoint-reports.js';

/** Reports in one transaction. */
const MAX_REPORTS = 64;
const RETRY_MS = 500;
/** Tries until a report is given up: its firing is claimed again anyway. */
const MAX_TRIES = 120;
/** When a firing is due again whose report was refused. */
const REFUSED_RETRY_MS = 60_000;

interface Waiting {
  readonly report: AttemptReport;
  readonly done: () => void;
}

export interface CallbackResultsOptions {
  readonly store: CallbackStore;
  readonly endpointReports: EndpointReports;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

export class CallbackResults {
  readonly #options: CallbackResultsOptions;
  /** Aborted when nothing is to be tried again: the server is about to end. */
  readonly #hurrying = new AbortController();
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(options: CallbackResultsOptions) {
    this.#options = options;
  }

  /** Resolves when the report is written, or given up. Never rejects. */
  write(report: AttemptReport): Promise<void> {
    return new Promise((done) => {
      this.#waiting.push({ report, done });
      if (!this.#writing) void this.#writeAll();
    });
  }

  /**
   * Gives up what cannot be written at the next try, here and from now on: another instance makes those calls again.
   */
  hurry(): void {
    this.#hurrying.abort();
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_REPORTS);
      const written = await this.#writeBatch(batch.map(({ report }) => report));
      for (const { done } of batch) done();
      if (!written && this.#hurrying.signal.aborted) for (const { done } of this.#waiting.splice(0)) done();
    }
    this.#writing = false;
  }

  async #writeBatch(reports: readonly AttemptReport[]): Promise<boolean> {
    const { store, clock, random, endpointReports, logger } = this.#options;
    const { signal } = this.#hurrying;
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      try {
        endpointReports.tell(await store.finish(reports, random));
        return true;
      } catch (error) {
        if (!isAway(error)) return this.#writeApart(reports, error);
        logger.warn({ err: error, attempts: reports.length }, 'attempts not written down yet');
        if (signal.aborted) break;
        await pause(clock, RETRY_MS, signal);
      }
    }
    logger.error({ attempts: reports.length }, 'attempts never written down: their calls are made again');
    return false;
  }

  /** Writes a batch that the database refuses as a whole in halves, and a single report without the receiver's words. */
  async #writeApart(reports: readonly AttemptReport[], error: unknown): Promise<boolean> {
    const [report] = reports;
    if (report === undefined) return true;
    if (reports.length > 1) {
      const middle = Math.ceil(reports.length / 2);
      const first = await this.#writeBatch(reports.slice(0, middle));
      return (await this.#writeBatch(reports.slice(middle))) && first;
    }
    const { logger } = this.#options;
    const { cawinId: cawin } = report.firing;
    if (report.attempt.error === NOT_WRITTEN) {
      logger.error({ err: error, cawin }, 'an attempt is never written down: its call is made again');
      return true;
    }
    logger.error({ err: error, cawin }, 'an attempt cannot be written down as it is');
    return this.#writeBatch([withoutWords(report)]);
  }
}

/** Whether the database could not be asked: whatever else it says, it says of what it was given. */
function isAway(error: unknown): boolean {
  return error instanceof MadeleineError && error.reason === 'STORAGE_UNAVAILABLE';
}

const NOT_WRITTEN = 'what became of the attempt could not be written down';

/** The report with nothing in it that came from outside. */
function withoutWords({ firing, attempt, verdict, ...health }: AttemptReport): AttemptReport {
  const { kind, number, startedAt, outcome } = attempt;
  const words = { reason: 'internal', status: '', statusCode: 0, latencyMicros: 0, firstBytes: '', error: NOT_WRITTEN };
  return {
    ...health,
    firing,
    attempt: { kind, number, startedAt, outcome, ...words },
    verdict: verdict.kind === 'retry' ? { ...verdict, delayMs: REFUSED_RETRY_MS } : verdict,
  };
}
