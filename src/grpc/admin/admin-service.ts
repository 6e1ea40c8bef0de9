// AdminService: tells of the server and of what was counted, and finds events.

import type { CallContext } from 'nice-grpc';
import type {
  GetServerInfoResponse,
  GetStatsRequest,
  GetStatsResponse,
  SearchEventsRequest,
} from '../../../generated/madeleine/v1/admin_service.js';
import type { ServerInfo } from '../../engine/admin/server-info.js';
import type { Statistics } from '../../engine/statistics/statistics.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';
import { encoded, type MethodCodec } from '../wire/definitions.js';
import { decodeSearchEvents } from '../wire/filter-decoders.js';
import { workingMs } from '../wire/time-left.js';
import { callerOf } from '../wire/wire.js';
import type { SearchCalls } from './search-calls.js';
import { type Component, type ServerIdentity, serverInfoToWire } from './server-info-wire.js';
import { statsFromWire, statsToWire } from './stats-wire.js';

export interface AdminServiceOptions {
  readonly identity: ServerIdentity;
  /** When the server began, by the clock that never jumps. */
  readonly startedMs: Millis;
  readonly components: () => readonly Component[];
  readonly info: ServerInfo;
  readonly searches: SearchCalls;
  readonly statistics: Statistics;
  readonly clock: Clock;
}

export const ADMIN_CODECS: Readonly<Record<string, MethodCodec>> = {
  searchEvents: { decode: decodeSearchEvents, ...encoded },
};

export class AdminService {
  readonly #options: AdminServiceOptions;

  constructor(options: AdminServiceOptions) {
    this.#options = options;
  }

  async getServerInfo(): Promise<GetServerInfoResponse> {
    const { identity, startedMs, components, info, clock } = this.#options;
    const state = await info.read();
    return serverInfoToWire({
      identity,
      uptimeMs: clock.monotonicMs() - startedMs,
      components: components(),
      state,
    });
  }

  async getStats(request: GetStatsRequest, { signal, peer }: CallContext): Promise<GetStatsResponse> {
    const by = { caller: callerOf(peer), signal };
    return statsToWire(await this.#options.statistics.stats(statsFromWire(request), by));
  }

  searchEvents(request: SearchEventsRequest, { signal, peer, metadata }: CallContext): Promise<Uint8Array> {
    const caller = { signal, caller: callerOf(peer), timeMs: workingMs(metadata) };
    return this.#options.searches.search(request, caller);
  }
}
