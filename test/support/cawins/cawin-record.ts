// What the database says of the waits and cawins of one topic, judged by a naive reading of the log: how each wait had to end, and
// which firings each cawin had to have.

import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';

export const KINDS = ['AWAITED', 'OCCURRED', 'INVALIDATED', 'EXPIRED'] as const;
const [AWAITED, OCCURRED, INVALIDATED, EXPIRED] = [0, 1, 2, 3];
const DELIVERED = 2;
/** Deadlines further ahead than this are not waited for, in microseconds. */
const SOON = 3_600_000_000;

type Json = Record<string, unknown>;

interface Entry {
  readonly position: number;
  readonly kind: number;
  readonly eventId: number;
  readonly createdAt: number;
  readonly payload: Json | undefined;
}

interface StoredWait {
  readonly eventId: number;
  readonly state: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Null: by nothing else than itself. */
  readonly endedBy: number | null;
  readonly description: Json;
}

interface StoredCawin {
  readonly id: number;
  readonly eventId: number;
  readonly active: number;
  readonly notifyOn: number;
  readonly expiresAt: number | null;
}

interface StoredFiring {
  readonly cawinId: number;
  readonly kind: number;
  readonly state: number;
}

/** How an event ended: in the order of the log. */
interface End {
  readonly kind: number;
  readonly createdAt: number;
}

const contains = (payload: Json, part: Json) => Object.entries(part).every(([key, value]) => payload[key] === value);

export class CawinRecord {
  readonly entries: readonly Entry[];
  readonly waits: readonly StoredWait[];
  readonly cawins: readonly StoredCawin[];
  readonly firings: readonly StoredFiring[];
  readonly now: number;

  private constructor(rows: { [name: string]: RowDataPacket[] }) {
    const json = (value: unknown) => (value === null ? undefined : (JSON.parse(String(value)) as Json));
    this.entries = rows.entries!.map((row) => ({ ...row, payload: json(row.payload) }) as unknown as Entry);
    this.waits = rows.waits!.map((row) => ({ ...row, description: json(row.description) }) as unknown as StoredWait);
    this.cawins = rows.cawins as unknown as StoredCawin[];
    this.firings = rows.firings as unknown as StoredFiring[];
    this.now = Number(rows.now![0]?.now);
  }

  static async read(url: string, topic: string): Promise<CawinRecord> {
    const connection = await createConnection(url);
    try {
      // One snapshot: what is read later does not know more.
      await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      await connection.query('START TRANSACTION WITH CONSISTENT SNAPSHOT');
      return new CawinRecord(await readRows(connection, topic));
    } finally {
      await connection.end();
    }
  }

  /** Deadlines that pass soon and of which nothing was made yet. */
  get pendingDeadlines(): number {
    const horizon = this.now + SOON;
    const due = this.waits.filter(({ state, expiresAt }) => state === AWAITED && expiresAt < horizon).length;
    const own = this.cawins.filter(
      ({ expiresAt }) => expiresAt !== null && expiresAt > this.now && expiresAt < horizon,
    );
    return due + own.length;
  }

  /** What the waits should have come to and did not. */
  waitFaults(): string[] {
    return this.waits.flatMap((wait) => {
      const { kind, by } = this.#endOfWait(wait);
      const actual = this.#firstEnd(wait);
      const faults: string[] = [];
      if (actual.kind !== kind) faults.push(`wait ${wait.eventId}: ${KINDS[actual.kind]} where ${KINDS[kind]} was due`);
      if (kind === OCCURRED && by !== (wait.endedBy ?? wait.eventId))
        faults.push(`wait ${wait.eventId}: ended by ${wait.endedBy} where ${by} was due`);
      return faults;
    });
  }

  /** What has to be fired, and what is recorded as fired and taken, as text, sorted. Every cawin has to be active. */
  get due(): string[] {
    return this.cawins.flatMap((cawin) => this.#dueOf(cawin).map((kind) => `${cawin.id} ${KINDS[kind]}`)).sort();
  }

  get delivered(): string[] {
    return this.firings
      .filter(({ state }) => state === DELIVERED)
      .map(({ cawinId, kind }) => `${cawinId} ${KINDS[kind]}`)
      .sort();
  }

  get fired(): string[] {
    return this.firings.map(({ cawinId, kind }) => `${cawinId} ${KINDS[kind]}`).sort();
  }

  /** By looking through the whole log. */
  #endOfWait({ eventId, description, createdAt, expiresAt }: StoredWait): { kind: number; by: number } {
    for (const entry of this.entries) {
      if (entry.createdAt < createdAt) continue;
      if (entry.kind === INVALIDATED && entry.eventId === eventId) return { kind: INVALIDATED, by: 0 };
      if (entry.kind === EXPIRED && entry.eventId === eventId) return { kind: EXPIRED, by: 0 };
      if (entry.kind !== OCCURRED || entry.payload === undefined || !contains(entry.payload, description)) continue;
      if (entry.createdAt < expiresAt) return { kind: OCCURRED, by: entry.eventId };
    }
    return { kind: AWAITED, by: 0 };
  }

  /** As the wait's row and the entries of what it names say. */
  #firstEnd({ eventId, endedBy, state }: StoredWait): { kind: number } {
    return { kind: this.#endsOf(endedBy ?? eventId)[0]?.kind ?? state };
  }

  #endsOf(main: number): End[] {
    return this.entries.filter((entry) => entry.eventId === main);
  }

  #dueOf({ eventId, notifyOn, expiresAt }: StoredCawin): number[] {
    const wait = this.waits.find((one) => one.eventId === eventId);
    const ends = this.#endsOf(wait?.endedBy ?? eventId);
    const [first] = ends;
    const inTime =
      expiresAt === null || (first !== undefined && (first.kind === EXPIRED || first.createdAt < expiresAt));
    const passed = expiresAt !== null && expiresAt <= this.now ? [{ kind: EXPIRED as number }] : [];
    return (inTime ? ends : passed).map(({ kind }) => kind).filter((kind) => (notifyOn & (1 << kind)) !== 0);
  }
}

async function readRows(connection: Connection, topic: string): Promise<{ [name: string]: RowDataPacket[] }> {
  const read = async (sql: string, values: unknown[] = [topic]) =>
    (await connection.query<RowDataPacket[]>(sql, values))[0];
  return {
    now: await read('SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED) AS now', []),
    entries: await read(`SELECT l.position, l.kind, l.event_id AS eventId, l.created_at AS createdAt, l.payload
      FROM log l JOIN topic t ON t.id = l.topic_id WHERE t.name = ? ORDER BY l.position`),
    waits: await read(`SELECT w.event_id AS eventId, w.state, w.created_at AS createdAt, w.expires_at AS expiresAt,
      w.entry_event_id AS endedBy, w.description
      FROM wait w JOIN topic t ON t.id = w.topic_id WHERE t.name = ? ORDER BY w.event_id`),
    cawins: await read(
      `SELECT id, event_id AS eventId, active, notify_on AS notifyOn, expires_at AS expiresAt FROM cawin ORDER BY id`,
      [],
    ),
    firings: await read('SELECT cawin_id AS cawinId, kind, state FROM firing', []),
  };
}
