// The limits that GetServerInfo tells are those of docs/limits.md.

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { limits } from '../../src/app/limits.js';

/** Where each is told, and how, where not by its number and unit. */
const ROWS: Readonly<Record<string, readonly [row: string, words?: string]>> = {
  payload_bytes: ['Payload of an event'],
  connection_calls: ['Calls of one connection'],
  request_bytes: ['A request'],
  batch_events: ['A request'],
  acknowledgements: ['A request'],
  acknowledged_ids: ['A request'],
  filter_values: ['A request'],
  queued_events: ['Pushes that wait'],
  queued_bytes: ['Pushes that wait'],
  page_items: ['A page of a list'],
  page_items_default: ['A page of a list'],
  page_bytes: ['A page of a list'],
  watcher_lag: ['A watcher'],
  name_bytes: ['Names'],
  properties: ['Properties'],
  properties_bytes: ['Properties'],
  description_bytes: ['Description'],
  description_leaves: ['Description'],
  description_depth: ['Description'],
  topic_shapes: ['Description'],
  wait: ['A wait', 'at most 365 '],
  wait_default: ['A wait'],
  look_back_default: ['Looking back'],
  search_bytes: ['A search'],
  search_page_events: ['A search'],
  search_page_bytes: ['A search'],
  search_time: ['A search'],
  callback_timeout: ['A callback'],
  callback_timeout_default: ['A callback'],
  callback_headers: ['A callback'],
  callback_attempts: ['Attempts'],
  credit_events: ['Unacknowledged, a member'],
  credit_events_default: ['Unacknowledged, a member'],
  credit_bytes: ['Unacknowledged, a member'],
  credit_bytes_default: ['Unacknowledged, a member'],
  retry_delay: ['Rejecting an event', 'a delay of a day'],
  reject_reason_bytes: ['Rejecting an event'],
  reject_code_bytes: ['Rejecting an event'],
  extension: ['More time for an event'],
  consumer_parked_events: ['Parked events of a consumer'],
  parked_positions: ['Parked events, a call'],
  acknowledged_ranges: ['Acknowledged out of order'],
  acknowledged_ahead: ['Acknowledged out of order'],
  pending_exact: ['Pending events of a consumer'],
  address_connections: ['Connections'],
  connections: ['Connections'],
  stream_outgoing_bytes: ['Answers on their way'],
  connection_outgoing_bytes: ['Answers on their way'],
};

/** The limits of settings as they are without any. */
const DEFAULTS = { maxEventBytes: 256 * 1024, maxStreams: 2_000 };

const UNITS: Readonly<Record<string, readonly (readonly [factor: number, unit: string])[]>> = {
  bytes: [
    [1024 * 1024, ' MiB'],
    [1024, ' KiB'],
    [1, ' bytes'],
  ],
  ms: [
    [86_400_000, ' days'],
    [3_600_000, ' h'],
    [1_000, ' s'],
  ],
};

/** As people write it: in the largest unit that it has at least one of. */
function spoken(value: number, unit: string): string {
  const [factor, word] = UNITS[unit]?.find(([size]) => value >= size) ?? [1, ''];
  return `${(value / factor).toLocaleString('en')}${word}`;
}

it.each(limits(DEFAULTS))('$name is told in its row of docs/limits.md', async ({ name, value, unit }) => {
  const page = await readFile(new URL('../../docs/limits.md', import.meta.url), 'utf8');
  const [row = '?', words = spoken(value, unit)] = ROWS[name] ?? [];
  const line = page.split('\n').find((one) => one.startsWith(`| ${row} |`)) ?? `no row ${row}`;
  expect(line).toMatch(new RegExp(`(?<![\\d,.])${words}(?!\\d|,\\d)`));
});
