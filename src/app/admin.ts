// What is told of the server: who it is, and how its parts are.

import { productVersion } from '../cli/commands/product-version.js';
import { EventSearch } from '../engine/admin/event-search.js';
import { ServerInfo } from '../engine/admin/server-info.js';
import type { UpSince } from '../engine/admin/up-since.js';
import type { Statistics } from '../engine/statistics/statistics.js';
import { AdminService } from '../grpc/admin/admin-service.js';
import { SearchCalls } from '../grpc/admin/search-calls.js';
import { SearchFrames } from '../grpc/admin/search-frames.js';
import type { Component, ServerIdentity } from '../grpc/admin/server-info-wire.js';
import type { WireEventEncoder } from '../grpc/events/event-encoder.js';
import { MysqlEventPlaceStore } from '../storage/mysql/log/event-place-store.js';
import { MysqlEventSearch } from '../storage/mysql/log/event-search.js';
import { MysqlServerStore } from '../storage/mysql/server/server-store.js';
import { SCHEMA_VERSION } from '../storage/mysql/sql/schema.js';
import type { Instance } from '../storage/ports/log-storage.js';
import type { CallbackParts } from './callbacks.js';
import type { DatabaseHandle } from './database.js';
import { limits } from './limits.js';
import type { LogParts } from './log.js';
import type { RetentionParts } from './retention.js';
import type { Surroundings } from './surroundings.js';

/** Package of the contract. */
const CONTRACT = 'madeleine.v1';

export interface AdminParts {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly log: LogParts;
  readonly callbacks: CallbackParts;
  readonly retention: Pick<RetentionParts, 'condition'>;
  readonly instance: Instance;
  readonly statistics: Statistics;
  readonly encoder: WireEventEncoder;
  /** Whether the database answers and stores. */
  readonly database: UpSince;
}

export function adminService(parts: AdminParts): AdminService {
  const { surroundings, handle, log, database, statistics } = parts;
  const { clock } = surroundings;
  const info = new ServerInfo({ store: new MysqlServerStore(handle), source: log.reader, database, clock });
  // What is known while the database is away is what was read before.
  void info.read();
  const components = () => componentsOf(parts);
  const searches = searchCalls(parts);
  const identity = identityOf(parts);
  const startedMs = clock.monotonicMs();
  return new AdminService({ identity, startedMs, components, info, searches, statistics, clock });
}

function searchCalls({ surroundings, handle, log: parts, encoder }: AdminParts): SearchCalls {
  const { log, names, pages, paced, slices, ephemeral, reader: source } = parts;
  const database = { database: handle.database, names };
  const store = new MysqlEventSearch(database);
  const places = new MysqlEventPlaceStore(database);
  const events = new EventSearch({ store, log, places, ephemeral, pages, paced, slices, clock: surroundings.clock });
  return new SearchCalls({ events, source, frames: new SearchFrames(encoder), slices });
}

function identityOf({ surroundings, handle, instance }: AdminParts): ServerIdentity {
  const { config, clock } = surroundings;
  return {
    version: productVersion(),
    contract: CONTRACT,
    schemaVersion: SCHEMA_VERSION,
    nodeVersion: process.version,
    instance,
    startedAt: clock.nowMs() * 1_000,
    database: { isEmbedded: config.databaseUrl === '', address: handle.label },
    limits: limits(config),
  };
}

function componentsOf({ log, callbacks, retention, database }: AdminParts): readonly Component[] {
  const { isUp, since } = database;
  const state = isUp ? 'up' : 'down';
  return [
    { name: 'database', state, detail: isUp ? 'answers and stores' : 'does not answer or store', since },
    { name: 'tail', state, detail: `shows what was committed up to position ${log.tail.visible}` },
    { name: 'callbacks', ...callbacks.condition },
    { name: 'broker', ...callbacks.broker },
    { name: 'deletion', ...retention.condition },
  ];
}
