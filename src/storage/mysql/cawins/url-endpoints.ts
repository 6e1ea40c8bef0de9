// Endpoints of single URLs: made when the answers of one fail, so that its firings wait there and not before those of its neighbours.
// Firings come to their host's endpoint, and are moved to that of their URL when they are claimed while its circuit is open; what is
// there once it has closed goes out from there. A host has few such endpoints, and an idle one is given to another URL.

import { createHash } from 'node:crypto';
import { type Circuit, CircuitState } from '../../../domain/cawins/endpoint-circuit.js';
import type { Queries } from '../sql/database.js';
import { NEVER, NOW_MICROS } from '../sql/database-time.js';

/** Endpoints of URLs that a host has at most: the callbacks of further URLs wait by their own back-off alone. */
const MAX_URLS = 64;

const SELECT_OPEN = `SELECT id, origin FROM endpoint FORCE INDEX (endpoint_host) WHERE host_id = ? AND state = ${CircuitState.OPEN}`;
const SELECT_ALL =
  'SELECT id, origin, state, ready_at FROM endpoint FORCE INDEX (endpoint_host) WHERE host_id = ? ORDER BY id';
const INSERT = `
  INSERT INTO endpoint (origin, host_id, state, failures, ready_at, next_probe_at, changed_at)
  VALUES (?, ?, ${CircuitState.OPEN}, ?, ${NEVER}, ?, ${NOW_MICROS})
  ON DUPLICATE KEY UPDATE state = VALUES(state), failures = VALUES(failures), next_probe_at = VALUES(next_probe_at),
    ready_at = IF(ready_at = ${NEVER}, ready_at, GREATEST(ready_at, VALUES(next_probe_at))), changed_at = VALUES(changed_at)`;
const GIVE = `
  UPDATE endpoint SET origin = ?, state = ${CircuitState.OPEN}, failures = ?, next_probe_at = ?, changed_at = ${NOW_MICROS}
  WHERE id = ? AND state = ${CircuitState.CLOSED} AND ready_at = ${NEVER}`;

/** A short text that stands for a URL. URLs may hold tokens, and endpoints are shown. */
export function urlDigest(url: string): string {
  return createHash('sha256').update(url).digest('base64url').slice(0, 11);
}

/** The origin of a URL's endpoint. No origin of a host has a fragment. */
export function urlOrigin(hostOrigin: string, url: string): string {
  return `${hostOrigin}#${urlDigest(url)}`;
}

/** The host's origin, which people are told of. */
export function hostOriginOf(origin: string): string {
  return origin.replace(/#.*$/, '');
}

/** The endpoints of a host's URLs whose circuits are open, by digest. */
export async function openUrls(queries: Queries, hostId: number): Promise<ReadonlyMap<string, number>> {
  const rows = await queries.query<{ id: number; origin: Buffer }>(SELECT_OPEN, [hostId]);
  return new Map(rows.map(({ id, origin }) => [digestIn(origin), id]));
}

/** Whether the circuit of a URL on a host is open. */
export async function isUrlOpen(queries: Queries, hostOrigin: string, url: string): Promise<boolean> {
  const [row] = await queries.query<{ state: number }>('SELECT state FROM endpoint WHERE origin = ?', [
    Buffer.from(urlOrigin(hostOrigin, url)),
  ]);
  return row?.state === CircuitState.OPEN;
}

/** Opens the circuit of a URL on a host whose row is locked. False: the host has as many as it may. */
export async function openUrl(
  queries: Queries,
  host: { readonly id: number; readonly origin: string },
  url: string,
  { failures, nextProbeAt }: Circuit,
): Promise<boolean> {
  const origin = Buffer.from(urlOrigin(host.origin, url));
  const all = await queries.query<{ id: number; origin: Buffer; state: number; ready_at: number }>(SELECT_ALL, [
    host.id,
  ]);
  if (all.length < MAX_URLS || all.some((row) => row.origin.equals(origin))) {
    await queries.write(INSERT, [origin, host.id, failures, nextProbeAt]);
    return true;
  }
  const idle = all.find(({ state, ready_at: readyAt }) => state === CircuitState.CLOSED && readyAt === NEVER);
  if (idle === undefined) return false;
  return (await queries.write(GIVE, [origin, failures, nextProbeAt, idle.id])).affectedRows === 1;
}

/** The digest of the URL whose endpoint has the origin. */
export function digestIn(origin: Buffer): string {
  return origin.toString().replace(/^.*#/, '');
}
