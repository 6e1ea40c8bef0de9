// What clients meet: the limits of docs/limits.md that are numbers, each where it is declared. GetServerInfo tells them.

import type { Config } from '../config.js';
import { MAX_CALLBACK_HEADERS } from '../domain/cawins/callback-headers.js';
import { CALLBACK_TIMEOUT } from '../domain/cawins/cawin.js';
import { DEFAULT_RETRY_POLICY } from '../domain/cawins/retry-policy.js';
import {
  MAX_EXACT_PENDING,
  MAX_EXTENSION_MS,
  MAX_FILTER_VALUES,
  MAX_RETRY_DELAY_MS,
} from '../domain/consumers/consumer.js';
import { DEFAULT_LIMITS } from '../domain/consumers/delivery-window.js';
import { MAX_DESCRIPTION_BYTES } from '../domain/descriptions/description.js';
import { MAX_SHAPES } from '../domain/descriptions/shape.js';
import { MAX_LEAVES } from '../domain/json/json-scan.js';
import { MAX_JSON_DEPTH } from '../domain/json/json-text.js';
import { MAX_NAME_BYTES } from '../domain/names.js';
import { DEFAULT_LOOKBACK_MICROS, DEFAULT_WAIT_MICROS, MAX_WAIT_MICROS } from '../domain/waits/wait.js';
import { SEARCH_MS, SEARCH_PAGE } from '../engine/admin/event-search.js';
import { WATCH_MAX_LAG } from '../engine/log/read-and-watch.js';
import type { Limit } from '../grpc/admin/server-info-wire.js';
import {
  CREDIT_BYTES,
  CREDIT_EVENTS,
  MAX_ACKNOWLEDGED_IDS,
  MAX_ACKNOWLEDGEMENTS,
  MAX_CODE_BYTES,
} from '../grpc/consumers/consumer-wire.js';
import { MAX_POSITIONS } from '../grpc/consumers/parked-wire.js';
import { MAX_BATCH_EVENTS, MAX_PROPERTIES } from '../grpc/events/push-decoder.js';
import { MAX_PROPERTIES_BYTES } from '../grpc/events/push-validation.js';
import { MAX_CONNECTIONS } from '../grpc/server/http2-server.js';
import { MAX_REQUEST_BYTES } from '../grpc/server/server.js';
import { OUTGOING_BYTES } from '../grpc/wire/outgoing.js';
import { MAX_MESSAGE_BYTES, PAGE_SIZE } from '../grpc/wire/pages.js';
import { MAX_REASON_BYTES } from '../grpc/wire/wire.js';
import type { Micros } from '../units.js';
import { MAX_QUEUED_BYTES, MAX_QUEUED_EVENTS } from './log.js';

/** A limit's value and what it counts. */
type Bound = readonly [value: number, unit: string];

/** The limits of a server with these settings, in the order of docs/limits.md. */
export function limits(config: Pick<Config, 'maxEventBytes' | 'maxStreams'>): readonly Limit[] {
  return Object.entries({ ...FIXED, ...configured(config) }).map(([name, [value, unit]]) => ({ name, value, unit }));
}

function configured({ maxEventBytes, maxStreams }: Pick<Config, 'maxEventBytes' | 'maxStreams'>) {
  return {
    payload_bytes: [maxEventBytes, 'bytes'],
    connection_calls: [maxStreams, 'calls'],
  } satisfies Record<string, Bound>;
}

const FIXED = {
  request_bytes: [MAX_REQUEST_BYTES, 'bytes'],
  batch_events: [MAX_BATCH_EVENTS, 'events'],
  acknowledgements: [MAX_ACKNOWLEDGEMENTS, 'acknowledgements'],
  acknowledged_ids: [MAX_ACKNOWLEDGED_IDS, 'ids'],
  filter_values: [MAX_FILTER_VALUES, 'values'],
  queued_events: [MAX_QUEUED_EVENTS, 'events'],
  queued_bytes: [MAX_QUEUED_BYTES, 'bytes'],
  page_items: [PAGE_SIZE.max, 'items'],
  page_items_default: [PAGE_SIZE.default, 'items'],
  page_bytes: [MAX_MESSAGE_BYTES, 'bytes'],
  watcher_lag: [WATCH_MAX_LAG, 'positions'],
  name_bytes: [MAX_NAME_BYTES, 'bytes'],
  properties: [MAX_PROPERTIES, 'properties'],
  properties_bytes: [MAX_PROPERTIES_BYTES, 'bytes'],
  description_bytes: [MAX_DESCRIPTION_BYTES, 'bytes'],
  description_leaves: [MAX_LEAVES, 'leaves'],
  description_depth: [MAX_JSON_DEPTH, 'levels'],
  topic_shapes: [MAX_SHAPES, 'shapes'],
  wait: [millis(MAX_WAIT_MICROS), 'ms'],
  wait_default: [millis(DEFAULT_WAIT_MICROS), 'ms'],
  look_back_default: [millis(DEFAULT_LOOKBACK_MICROS), 'ms'],
  search_bytes: [MAX_NAME_BYTES, 'bytes'],
  search_page_events: [SEARCH_PAGE.entries, 'events'],
  search_page_bytes: [SEARCH_PAGE.bytes, 'bytes'],
  search_time: [SEARCH_MS, 'ms'],
  callback_timeout: [CALLBACK_TIMEOUT.maxMs, 'ms'],
  callback_timeout_default: [CALLBACK_TIMEOUT.defaultMs, 'ms'],
  callback_headers: [MAX_CALLBACK_HEADERS, 'headers'],
  callback_attempts: [DEFAULT_RETRY_POLICY.maxAttempts, 'attempts'],
  credit_events: [CREDIT_EVENTS.max, 'events'],
  credit_events_default: [CREDIT_EVENTS.default, 'events'],
  credit_bytes: [CREDIT_BYTES.max, 'bytes'],
  credit_bytes_default: [CREDIT_BYTES.default, 'bytes'],
  retry_delay: [MAX_RETRY_DELAY_MS, 'ms'],
  reject_reason_bytes: [MAX_REASON_BYTES, 'bytes'],
  reject_code_bytes: [MAX_CODE_BYTES, 'bytes'],
  extension: [MAX_EXTENSION_MS, 'ms'],
  consumer_parked_events: [DEFAULT_LIMITS.maxParked, 'events'],
  parked_positions: [MAX_POSITIONS, 'positions'],
  acknowledged_ranges: [DEFAULT_LIMITS.maxAckedRanges, 'ranges'],
  acknowledged_ahead: [DEFAULT_LIMITS.maxAckedAhead, 'positions'],
  pending_exact: [MAX_EXACT_PENDING, 'events'],
  address_connections: [MAX_CONNECTIONS.address, 'connections'],
  connections: [MAX_CONNECTIONS.all, 'connections'],
  stream_outgoing_bytes: [OUTGOING_BYTES.stream, 'bytes'],
  connection_outgoing_bytes: [OUTGOING_BYTES.connection, 'bytes'],
} satisfies Record<string, Bound>;

function millis(micros: Micros): number {
  return micros / 1_000;
}
