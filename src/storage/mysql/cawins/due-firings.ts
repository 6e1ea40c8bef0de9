// Firings of an endpoint that are due: the oldest ones, without those whose URL is held, which are moved to its endpoint in passing;
// of a host that is probed, one firing of the URL whose turn it is.

import { CircuitState } from '../../../domain/cawins/endpoint-circuit.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { expectWork } from './cawin-endpoints.js';
import { digestIn, openUrls, urlDigest } from './url-endpoints.js';

/** Rows that are looked at for a probe, and together where some are moved. */
const WINDOW = 128;
/** Rounds of moving in one transaction: what is left is moved by the next claim. */
const MAX_ROUNDS = 16;

const COLUMNS = 'cawin_id, kind, position, attempts, round_start, created_at, due_at';
/** Reads the index firing_due in its order. */
const SELECT_DUE = `
  SELECT ${COLUMNS} FROM firing FORCE INDEX (firing_due) WHERE endpoint_id = ? AND due_at >= ? AND due_at <= ${NOW_MICROS}
  ORDER BY due_at LIMIT ? FOR UPDATE`;
const SET_PROBED = 'UPDATE endpoint SET probed = ? WHERE id = ?';

export interface DueRow {
  readonly cawin_id: number;
  readonly kind: number;
  readonly position: Position | null;
  readonly attempts: number;
  readonly round_start: number;
  readonly created_at: Micros;
  readonly due_at: number;
}

export interface TargetRow {
  readonly id: number;
  readonly event_id: EventId;
  readonly endpoint_id: number;
  readonly active: number;
  readonly url: Buffer;
  readonly timeout_ms: number;
  readonly sealed: Buffer | null;
  readonly expires_at: Micros | null;
  readonly description: string | null;
  readonly awaited_until: Micros | null;
  readonly awaited_by: Buffer | null;
  readonly awaited_at: Micros | null;
}

/** The endpoint that is claimed from, its row locked. */
export interface ClaimedEndpoint {
  readonly id: number;
  readonly origin: Buffer;
  readonly state: number;
  readonly probed: Buffer;
  /** The host, of whose URLs it is one; null: a host. */
  readonly host_id: number | null;
  /** Circuits of its URLs that are open. */
  readonly open_urls: number;
  readonly now_micros: Micros;
}

export interface DueFirings {
  readonly due: readonly DueRow[];
  readonly targets: ReadonlyMap<number, TargetRow>;
  /** When the first of the others is due, if that is known. */
  readonly nextDueAt: number | undefined;
}

/** Returns at most `limit` due firings with their cawins, as far as these exist; one, where the endpoint is probed. */
export async function readDue(
  queries: Queries,
  endpoint: ClaimedEndpoint,
  limit: number,
  random: () => number,
): Promise<DueFirings> {
  const homes = endpoint.open_urls > 0 ? await openUrls(queries, endpoint.id) : NO_HOMES;
  const reader = new DueReader(queries, endpoint, homes);
  // All of a URL's endpoint are of one URL: the oldest one will do.
  if (endpoint.state === CircuitState.OPEN && endpoint.host_id === null) return readProbe(reader, random);
  await reader.readAtLeast(limit + 1);
  return { due: reader.rows.slice(0, limit), targets: reader.targets, nextDueAt: reader.rows[limit]?.due_at };
}

async function readProbe(reader: DueReader, random: () => number): Promise<DueFirings> {
  await reader.readAtLeast(WINDOW);
  const [oldest] = reader.rows;
  // There may be so many of one URL that those of others are met from another time on only.
  if (oldest !== undefined) await reader.readFrom(someTime(oldest.due_at, reader.endpoint.now_micros, random), WINDOW);
  const probe = await nextProbe(reader);
  return { due: probe === undefined ? [] : [probe], targets: reader.targets, nextDueAt: undefined };
}

const NO_HOMES: ReadonlyMap<string, number> = new Map();

/** Reads due firings, and moves those that belong elsewhere. */
class DueReader {
  readonly queries: Queries;
  readonly endpoint: ClaimedEndpoint;
  readonly #homes: ReadonlyMap<string, number>;
  readonly targets = new Map<number, TargetRow>();
  readonly #rows = new Map<string, DueRow>();

  constructor(queries: Queries, endpoint: ClaimedEndpoint, homes: ReadonlyMap<string, number>) {
    this.queries = queries;
    this.endpoint = endpoint;
    this.#homes = homes;
  }

  /** What is due here, in the order in which it was read. */
  get rows(): readonly DueRow[] {
    return [...this.#rows.values()];
  }

  /** Reads the oldest ones until there are so many, or no more. */
  async readAtLeast(count: number): Promise<void> {
    // Where some are moved, more of them are looked at together.
    const size = this.#homes.size > 0 ? Math.max(count, WINDOW) : count;
    for (let round = 0; round < MAX_ROUNDS && this.#rows.size < count; round += 1) {
      if ((await this.readFrom(0, size)) < size) return;
    }
  }

  /** Returns how many were read. */
  async readFrom(dueAt: Micros, limit: number): Promise<number> {
    const rows = await this.queries.query<DueRow>(SELECT_DUE, [this.endpoint.id, dueAt, limit]);
    for (const target of await readTargets(this.queries, rows)) this.targets.set(target.id, target);
    const moved = await this.#moveHome(rows);
    for (const row of rows) if (!moved.has(row)) this.#rows.set(`${row.cawin_id}:${row.kind}`, row);
    return rows.length;
  }

  /** Moves firings to the endpoint of their URL if that is held, and away from one that has become another URL's. */
  async #moveHome(rows: readonly DueRow[]): Promise<ReadonlySet<DueRow>> {
    const moved = new Map<DueRow, number>();
    for (const row of rows) {
      const home = this.#homeOf(row);
      if (home !== this.endpoint.id) moved.set(row, home);
    }
    for (const home of new Set(moved.values())) {
      const there = rows.filter((row) => moved.get(row) === home);
      await onRows(this.queries, 'UPDATE firing SET endpoint_id = ?', there, [home]);
    }
    await expectWork(this.queries, [...moved.values()]);
    return new Set(moved.keys());
  }

  #homeOf({ cawin_id: cawinId }: DueRow): number {
    const { id, host_id: hostId, origin } = this.endpoint;
    const target = this.targets.get(cawinId);
    if (target === undefined || (hostId === null && this.#homes.size === 0)) return id;
    const digest = urlDigest(target.url.toString());
    if (hostId === null) return this.#homes.get(digest) ?? id;
    return digest === digestIn(origin) ? id : target.endpoint_id;
  }
}

/** A time between the oldest that is due and now: many firings of one URL are then passed over at once. */
function someTime(oldest: Micros, now: Micros, random: () => number): Micros {
  return Math.floor(oldest + random() * Math.max(0, now - oldest));
}

/** Takes the firing that is due the longest of the URL that follows, in the order of digests, the one that was probed last. */
async function nextProbe({ queries, endpoint, rows, targets }: DueReader): Promise<DueRow | undefined> {
  const oldest = new Map<string, DueRow>();
  for (const row of rows) {
    const digest = urlDigest(targets.get(row.cawin_id)?.url.toString() ?? '');
    if (!oldest.has(digest)) oldest.set(digest, row);
  }
  const digests = [...oldest.keys()].sort();
  const last = endpoint.probed.toString();
  const next = digests.find((digest) => digest > last) ?? digests[0];
  if (next === undefined) return undefined;
  await queries.write(SET_PROBED, [Buffer.from(next), endpoint.id]);
  return oldest.get(next);
}

async function readTargets(queries: Queries, due: readonly DueRow[]): Promise<readonly TargetRow[]> {
  if (due.length === 0) return [];
  const ids = due.map((row) => row.cawin_id);
  return queries.query<TargetRow>(
    `SELECT c.id, c.event_id, c.endpoint_id, c.active, c.url, c.timeout_ms, c.sealed, c.expires_at, w.description,
       w.expires_at AS awaited_until, w.issuer AS awaited_by, w.created_at AS awaited_at
     FROM cawin c FORCE INDEX (PRIMARY) LEFT JOIN wait w FORCE INDEX (PRIMARY) ON w.event_id = c.event_id
     WHERE c.id IN (${placeholders(ids.length)})`,
    ids,
  );
}

/** Changes firings by their keys. */
export async function onRows(
  queries: Queries,
  change: string,
  rows: readonly { readonly cawin_id: number; readonly kind: number }[],
  values: readonly SqlValue[] = [],
): Promise<void> {
  if (rows.length === 0) return;
  const keys = rows.map(() => '(cawin_id = ? AND kind = ?)').join(' OR ');
  await queries.query(`${change} WHERE ${keys}`, [...values, ...rows.flatMap((row) => [row.cawin_id, row.kind])]);
}
