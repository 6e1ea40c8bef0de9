// What a group reads under the head row before it decides: streams that the cache does not know, and message ids pushed before.

import type { StreamState } from '../../../domain/events/stream.js';
import type { GroupNeeds, PushedBefore } from '../../../domain/group/group-plan-types.js';
import { scopedKey } from '../../../domain/names.js';
import type { EventId, Micros, Position } from '../../../units.js';
import { uuidToBytes } from '../log/entry-rows.js';
import { STREAM_COLUMNS, type StreamRow, streamFromRow } from '../log/stream-rows.js';
import type { NameCache } from '../names/name-cache.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import type { HeadCache } from './head-cache.js';

interface GroupReads {
  readonly names: NameCache;
  /** Told of each statement. */
  readonly onTrip: () => void;
}

/** The streams that exist among the wanted ones, from then on also in the cache. */
export async function readStreams(
  queries: Queries,
  wanted: readonly { context: string; name: string }[],
  { names, headCache, onTrip }: GroupReads & { readonly headCache: HeadCache },
): Promise<StreamState[]> {
  if (wanted.length === 0) return [];
  await names.load(queries, { contexts: new Set(wanted.map(({ context }) => context)) });
  const scoped = wanted.flatMap(({ context, name }) => {
    const contextId = names.contextId(context);
    return contextId === undefined ? [] : [{ context, contextId, name }];
  });
  const found: StreamState[] = [];
  await inChunks(scoped, async (chunk) => {
    onTrip();
    const sql = `SELECT ${STREAM_COLUMNS.join(', ')} FROM stream FORCE INDEX (stream_name) WHERE (context_id, name) IN (${placeholders(chunk.length, '(?, ?)')})`;
    const values = chunk.flatMap(({ contextId, name }): SqlValue[] => [contextId, Buffer.from(name)]);
    for (const row of await queries.execute<StreamRow>(sql, values)) {
      const state = streamFromRow(row, names.contextName(row.context_id) ?? '');
      names.addStream(row.id, state);
      found.push(state);
    }
  });
  for (const { context, name } of wanted) headCache.setStream(context, name, undefined);
  for (const state of found) headCache.setStream(state.context, state.name, state);
  return found;
}

/** The pushes of these message ids that are stored, or left no entry, by context and message id. */
export async function readPushed(
  queries: Queries,
  { messageIds }: GroupNeeds,
  { names, onTrip }: GroupReads,
): Promise<Map<string, PushedBefore>> {
  const pushed = new Map<string, PushedBefore>();
  const scoped = messageIds.flatMap(({ context, messageId }) => {
    const contextId = names.contextId(context);
    return contextId === undefined ? [] : [{ contextId, context, id: uuidToBytes(messageId), messageId }];
  });
  const byRow = new Map(scoped.map((item) => [`${item.contextId}:${item.id.toString('hex')}`, item]));
  await inChunks(scoped, async (chunk) => {
    onTrip();
    const wanted = `(context_id, message_id) IN (${placeholders(chunk.length, '(?, ?)')})`;
    const sql = `SELECT context_id, message_id, position, event_id, issuer, digest, created_at FROM log FORCE INDEX (log_message)
        WHERE ${wanted} UNION ALL
        SELECT context_id, message_id, CAST(0 AS UNSIGNED), event_id, issuer, digest, created_at FROM push_ledger FORCE INDEX (PRIMARY)
        WHERE ${wanted}`;
    const values = chunk.flatMap(({ contextId, id }): SqlValue[] => [contextId, id]);
    for (const row of await queries.execute<PushedRow>(sql, [...values, ...values])) {
      const item = byRow.get(`${row.context_id}:${row.message_id.toString('hex')}`);
      if (item === undefined) continue;
      const { position, event_id: eventId, issuer, digest, created_at: createdAt } = row;
      const before = { position, eventId, issuer: issuer.toString(), digest: digest ?? undefined, createdAt };
      pushed.set(scopedKey(item.context, item.messageId), before);
    }
  });
  return pushed;
}

interface PushedRow {
  context_id: number;
  message_id: Buffer;
  position: Position;
  event_id: EventId;
  issuer: Buffer;
  digest: Buffer | null;
  created_at: Micros;
}
