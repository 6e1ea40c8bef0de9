// AdminService: tells of the server, and what was counted.

import type {
  GetServerInfoResponse,
  GetStatsRequest,
  GetStatsResponse,
} from '../../../generated/madeleine/v1/admin_service.js';
import type { ServerInfo } from '../../engine/admin/server-info.js';
import type { Statistics } from '../../engine/statistics/statistics.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis } from '../../units.js';
import { type Component, type ServerIdentity, serverInfoToWire } from './server-info-wire.js';
import { statsFromWire, statsToWire } from './stats-wire.js';

export interface AdminServiceOptions {
  readonly identity: ServerIdentity;
  /** When the server began, by the clock that never jumps. */
  readonly startedMs: Millis;
  readonly components: () => readonly Component[];
  readonly info: ServerInfo;
  readonly statistics: Statistics;
  readonly clock: Clock;
}

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

  async getStats(request: GetStatsRequest): Promise<GetStatsResponse> {
    return statsToWire(await this.#options.statistics.stats(statsFromWire(request)));
  }
}
