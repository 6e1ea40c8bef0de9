// Where events lie in the log, by any of their ids: by the indexes alone, many in one statement.

import { DISCARDED_ID } from '../../../domain/group/group-plan-types.js';
import { uuidText } from '../../../lib/uuid-text.js';
import type { EventId, Position } from '../../../units.js';
import type { EventPlaceStore, KnownPush } from '../../ports/log-storage.js';
import type { Names } from '../names/name-cache.js';
import type { Database } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { uuidToBytes } from './entry-rows.js';

export interface MysqlEventPlaceStoreOptions {
  readonly database: Database;
  readonly names: Names;
}

export class MysqlEventPlaceStore implements EventPlaceStore {
  readonly #database: Database;
  readonly #names: Names;

  constructor({ database, names }: MysqlEventPlaceStoreOptions) {
    this.#database = database;
    this.#names = names;
  }

  /** See EventPlaceStore.positionsOf. */
  async positionsOf(eventIds: readonly EventId[]): Promise<ReadonlyMap<EventId, readonly Position[]>> {
    const positions = new Map<EventId, Position[]>();
    await inChunks([...new Set(eventIds)], async (chunk) => {
      const ids = placeholders(chunk.length);
      const sql = `SELECT event_id, position FROM log FORCE INDEX (log_event) WHERE event_id IN (${ids}) UNION ALL
        SELECT STRAIGHT_JOIN w.event_id, l.position FROM wait w FORCE INDEX (PRIMARY)
        JOIN log l FORCE INDEX (log_event) ON l.event_id = w.entry_event_id
        WHERE w.event_id IN (${ids}) AND w.entry_event_id <> w.event_id`;
      const values = [...chunk, ...chunk];
      for (const row of await this.#database.execute<{ event_id: EventId; position: Position }>(sql, values)) {
        const known = positions.get(row.event_id);
        if (known === undefined) positions.set(row.event_id, [row.position]);
        else known.push(row.position);
      }
    });
    for (const known of positions.values()) known.sort((a, b) => a - b);
    return positions;
  }

  /** See EventPlaceStore.pushedAs. */
  async pushedAs(context: string, messageIds: readonly string[]): Promise<ReadonlyMap<string, KnownPush>> {
    const pushed = new Map<string, KnownPush>();
    const names = this.#names.current;
    await names.load(this.#database, { contexts: [context] });
    const contextId = names.contextId(context);
    if (contextId === undefined) return pushed;
    await inChunks([...new Set(messageIds)], async (chunk) => {
      const isOne = `context_id = ? AND message_id IN (${placeholders(chunk.length)})`;
      const sql = `SELECT message_id, event_id, 1 AS entered FROM log FORCE INDEX (log_message) WHERE ${isOne} UNION ALL
        SELECT message_id, event_id, 0 FROM push_ledger FORCE INDEX (PRIMARY) WHERE ${isOne} AND event_id <> ${DISCARDED_ID}`;
      const values = [contextId, ...chunk.map(uuidToBytes)];
      for (const row of await this.#database.execute<PushedRow>(sql, [...values, ...values])) {
        const messageId = uuidText(row.message_id);
        const isEntered = row.entered === 1;
        if (isEntered || !pushed.has(messageId)) pushed.set(messageId, { eventId: row.event_id, isEntered });
      }
    });
    return pushed;
  }
}

interface PushedRow {
  readonly message_id: Buffer;
  readonly event_id: EventId;
  /** Whether the row is of the log. */
  readonly entered: number;
}
