// Calls back: finds endpoints with something due, claims as much as there is room for, makes the calls, and has their results
// written down. Several instances do so side by side; the claims keep them apart.
//
// One endpoint gets at most so many calls at a time from an instance, fewer with every failure in a row and the less room there is,
// so that those that hang take little of the room that all share.

import { JITTER, spreadMs } from '../../domain/backoff.js';
import { callsAtOnce } from '../../domain/cawins/endpoint-circuit.js';
import { UrlFailures } from '../../domain/cawins/url-failures.js';
import type { Clock } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import { within } from '../../lib/within.js';
import type { CallbackStore, ClaimedFiring, ReadyEndpoint } from '../../storage/ports/cawin-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { CallbackCall } from './callback-call.js';
import type { CallbackResults } from './callback-results.js';

/** Calls of an instance at a time. */
const MAX_CALLS = 512;
/** Calls at a time to one endpoint. */
const MAX_ENDPOINT_CALLS = 32;
/** Endpoints that are looked at together. */
const MAX_ENDPOINTS = 64;
/** Claims are transactions: they may not take every connection. */
const CLAIMS_AT_ONCE = 4;
/** How often the database is asked for what other instances made due, jittered; what time makes due is known. */
const POLL_MS = 1_000;
/** No endpoint gets more than this part of the calls that it and nobody else makes: many that hang leave room for others. */
const SHARE = 16;

export interface CallbackRunnerOptions {
  readonly store: CallbackStore;
  readonly call: CallbackCall;
  readonly results: CallbackResults;
  readonly clock: Clock;
  /** Gives numbers in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

export class CallbackRunner {
  readonly #options: CallbackRunnerOptions;
  readonly #stopping = new AbortController();
  /** Cuts calls under way off. */
  readonly #cutting = new AbortController();
  /** Calls under way by endpoint, each until its result is written. */
  readonly #calls = new Map<number, number>();
  /** Calls that an endpoint may have at a time, as last seen. */
  readonly #most = new Map<number, number>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #urlFailures = new UrlFailures();
  #wakeUp = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: CallbackRunnerOptions) {
    this.#options = options;
  }

  /** Calls that are under way, each until its result is written. */
  get callsUnderWay(): number {
    return this.#underWay.size;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Looks for what is due at once, as something may be. */
  wake(): void {
    this.#wakeUp.abort();
  }

  /** Starts nothing more; gives calls under way the time to end, then cuts them off: their firings are due again at once. */
  async drain(graceMs: Millis): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
    if (this.#underWay.size === 0) return;
    const all = Promise.all(this.#underWay);
    await within(this.#options.clock, graceMs, all, () => {
      this.#cutting.abort();
      this.#options.results.hurry();
    });
    await all;
  }

  async #run(): Promise<void> {
    const { clock, logger, random } = this.#options;
    const { signal } = this.#stopping;
    let isFailing = false;
    while (!signal.aborted) {
      this.#wakeUp = new AbortController();
      let pauseMs = spreadMs(POLL_MS, JITTER.upperQuarter, random);
      try {
        pauseMs = Math.min(pauseMs, (await this.#claimAll()) ?? pauseMs);
        isFailing = false;
      } catch (error) {
        // Said once: it is tried again every second.
        if (!isFailing) logger.warn({ err: error }, 'no callbacks are claimed at present');
        isFailing = true;
      }
      // The drain wakes it too.
      await pause(clock, pauseMs, this.#wakeUp.signal);
    }
  }

  /**
   * Claims until nothing is due, or there is no room; returns in how many milliseconds something is due, if that is
   * known.
   */
  async #claimAll(): Promise<number | undefined> {
    while (!this.#stopping.signal.aborted && this.#underWay.size < MAX_CALLS) {
      const full = this.#full();
      const { ready: endpoints, nextMs } = await this.#options.store.readyEndpoints(full, MAX_ENDPOINTS);
      let claimed = 0;
      for (let from = 0; from < endpoints.length; from += CLAIMS_AT_ONCE) {
        const some = endpoints.slice(from, from + CLAIMS_AT_ONCE);
        const counts = await Promise.all(some.map((endpoint) => this.#claim(endpoint)));
        claimed += counts.reduce((sum, count) => sum + count, 0);
      }
      // Those that turned out to be full are left out next time: others may stand behind them.
      if (claimed === 0 && this.#full().length <= full.length) return nextMs;
    }
    return undefined;
  }

  /** Returns endpoints that have about as many calls as they may have. */
  #full(): number[] {
    return [...this.#calls.keys()].filter((id) => this.#isFull(id));
  }

  /**
   * Whether an endpoint is to be left alone until a quarter of its calls have ended: a claim costs as much for one as
   * for many.
   */
  #isFull(id: number): boolean {
    const most = this.#most.get(id) ?? 0;
    return (this.#calls.get(id) ?? 0) > most - Math.ceil(most / 4);
  }

  async #claim(endpoint: ReadyEndpoint): Promise<number> {
    const { store, random } = this.#options;
    const { id } = endpoint;
    const calls = this.#calls.get(id) ?? 0;
    const share = Math.ceil((MAX_CALLS - this.#underWay.size + calls) / SHARE);
    const most = Math.min(callsAtOnce(endpoint, MAX_ENDPOINT_CALLS), share);
    if (calls > 0) this.#most.set(id, most);
    const room = Math.min(most - calls, MAX_CALLS - this.#underWay.size);
    if (room <= 0 || this.#stopping.signal.aborted) return 0;
    // Tokens are told apart within one firing only: two of 2^52 will do.
    const firings = await store.claim(id, { limit: room, token: Math.floor(random() * 2 ** 52) });
    if (firings.length > 0) this.#most.set(id, most);
    for (const firing of firings) this.#call(firing);
    return firings.length;
  }

  #call(firing: ClaimedFiring): void {
    const { endpointId } = firing;
    this.#calls.set(endpointId, (this.#calls.get(endpointId) ?? 0) + 1);
    const call = this.#make(firing).finally(() => {
      this.#underWay.delete(call);
      const left = (this.#calls.get(endpointId) ?? 1) - 1;
      this.#calls.set(endpointId, left);
      if (left === 0) {
        this.#calls.delete(endpointId);
        this.#most.delete(endpointId);
      }
      if (!this.#isFull(endpointId) || this.#underWay.size === MAX_CALLS - 1) this.wake();
    });
    this.#underWay.add(call);
  }

  async #make(firing: ClaimedFiring): Promise<void> {
    const end = await this.#options.call.make(firing, this.#cutting.signal);
    const urlFailures = this.#urlFailures.note(firing.url, end.health);
    await this.#options.results.write({ firing, ...end, urlFailures });
  }
}
