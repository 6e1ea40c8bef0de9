// Waits and what belongs to them as rows: what a group reads of them under the lock, and what it writes, each in one round trip of
// several statements.

import { EMPTY_ENVELOPE } from '../../../domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../domain/events/event.js';
import { isFor, waitKeyText } from '../../../domain/group/group-plan-needs.js';
import type {
  Identity,
  LockedWaits,
  Occurrence,
  StoredEvent,
  WaitKey,
  WaitNeeds,
  WaitWrites,
} from '../../../domain/group/group-plan-types.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import type { Wait } from '../../../domain/waits/wait.js';
import { uuidText } from '../../../lib/uuid-text.js';
import type { EventId, Micros, Position } from '../../../units.js';
import { COLUMNS_READ, entryFromRow, rowNameIds, uuidToBytes } from '../log/entry-rows.js';
import type { NameCache } from '../names/name-cache.js';
import type { NameMinter } from '../names/name-minter.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { fixedInSubquery } from '../sql/dialect.js';
import { placeholders } from '../sql/placeholders.js';
import { Statements } from '../sql/statements.js';
import { addShapeWrites, LIFE_COLUMNS, lifeFromRow, type ShapeLifeRow } from './shape-rows.js';
import { waitEnvelope, waitEnvelopeText } from './wait-envelope.js';
import { addFinds, addOpenWaits, type FoundRow, readFound, WAIT_COLUMNS } from './wait-searches.js';

/** Written as if it were of several tables: a DELETE of one cannot be told its index. */
const FREE_IDENTITY = 'DELETE i FROM event_identity i FORCE INDEX (event_identity_event) WHERE i.event_id = ?';

export interface WaitRow {
  event_id: EventId;
  topic_id: number;
  version: number;
  shape_id: number;
  value_hash: Buffer;
  state: number;
  created_at: Micros;
  expires_at: Micros;
  entry_event_id: EventId | null;
  position: Position;
  issuer: Buffer;
  message_id: Buffer;
  description: string;
  envelope: string | null;
}

/** The waits of rows; the names of their topics are looked up where they are not known. */
export async function waitsFromRows(queries: Queries, names: NameCache, rows: readonly WaitRow[]): Promise<Wait[]> {
  await names.loadByIds(queries, new Set(rows.map((row) => row.topic_id)), new Set());
  return rows.map((row) => waitFromRow(row, names));
}

function waitFromRow(row: WaitRow, names: NameCache): Wait {
  const topic = names.topicScope(row.topic_id);
  if (topic === undefined) throw new Error('invariant broken: a wait without its topic');
  const { version, issuer } = row;
  const columns = { context: topic.context, topic: topic.name, version, issuer: issuer.toString() };
  return {
    eventId: row.event_id,
    state: row.state as EntryKind,
    envelope: waitEnvelope(columns, row.envelope),
    messageId: uuidText(row.message_id),
    description: row.description,
    shapeId: row.shape_id,
    hash: row.value_hash,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    endedById: row.entry_event_id ?? undefined,
    position: row.position,
  };
}

/** What a group needs of waits, read under the lock. */
export async function readWaits(
  queries: Queries,
  names: NameCache,
  needs: WaitNeeds,
  onTrip: () => void,
): Promise<LockedWaits> {
  const { keys, finds, eventIds, shapeIds } = needs;
  const contexts = new Set(needs.identities.map(({ context }) => context));
  await names.load(queries, { contexts });
  await names.load(queries, { topics: needs.identities.map(({ context, topic }) => ({ context, name: topic })) });
  const identities = needs.identities.flatMap((identity) => {
    const topicId = names.topicId(identity.context, identity.topic);
    return topicId === undefined ? [] : [{ topicId, identity }];
  });
  const statements = new Statements();
  const parts: ('keys' | 'finds' | 'identities' | 'waits' | 'entries' | 'shapes')[] = [];
  if (keys.length > 0) {
    parts.push('keys');
    addOpenWaits(statements, keys);
  }
  if (finds.length > 0) {
    parts.push('finds');
    addFinds(statements, finds);
  }
  if (identities.length > 0) {
    parts.push('identities');
    addIdentities(statements, identities);
  }
  if (eventIds.length > 0) {
    parts.push('waits', 'entries');
    const ids = placeholders(eventIds.length);
    statements.add(`SELECT ${WAIT_COLUMNS} FROM wait FORCE INDEX (PRIMARY) WHERE event_id IN (${ids})`, eventIds);
    const columns = COLUMNS_READ.replace(/\w+/g, 'l.$&');
    statements.add(
      `SELECT ${columns} FROM log l FORCE INDEX (log_event) WHERE l.event_id IN (${ids}) UNION ALL
       SELECT STRAIGHT_JOIN ${columns} FROM wait w FORCE INDEX (PRIMARY)
       JOIN log l FORCE INDEX (log_event) ON l.event_id = w.entry_event_id WHERE w.event_id IN (${ids})`,
      [...eventIds, ...eventIds],
    );
  }
  if (shapeIds.length > 0) {
    parts.push('shapes');
    statements.add(`SELECT ${LIFE_COLUMNS} FROM shape s WHERE s.id IN (${placeholders(shapeIds.length)})`, shapeIds);
  }
  if (statements.isEmpty) return NOTHING;
  onTrip();
  const results = await statements.run(queries);
  const rowsOf = <T>(part: (typeof parts)[number]) => (results[parts.indexOf(part)] ?? []) as T[];
  const open = await waitsFromRows(queries, names, rowsOf<WaitRow>('keys'));
  return {
    awaited: awaitedByKey(open, keys),
    found: await readFound(queries, finds, rowsOf<FoundRow>('finds'), onTrip),
    identities: identifiedBy(rowsOf<IdentityRow>('identities'), identities),
    events: await storedEvents(queries, names, rowsOf<WaitRow>('waits'), rowsOf<object>('entries'), eventIds),
    shapes: new Map(rowsOf<ShapeLifeRow>('shapes').map((row) => [row.id, lifeFromRow(row)])),
  };
}

/** An event that has an identity of a topic; none is found with NULL. */
const FIRST_EVENT = `SELECT STRAIGHT_JOIN CONCAT(i.event_id, ' ', i.position) FROM event_identity i FORCE INDEX (PRIMARY)
  JOIN log l FORCE INDEX (PRIMARY) ON l.position = i.position
  LEFT JOIN log x FORCE INDEX (log_event) ON x.event_id = i.event_id AND x.kind = ${EntryKind.INVALIDATED}
  WHERE i.topic_id = k.topic_id AND i.digest = k.digest AND x.position IS NULL
  ORDER BY ${fixedInSubquery('i.topic_id, i.digest')} i.event_id LIMIT 1`;

interface WantedIdentity {
  readonly topicId: number;
  readonly identity: Identity;
}

/**
 * One event of each identity, however many have it: identities that were built leave as many as there are. Of an event that was deleted or
 * invalidated while they were built a row may be left.
 */
function addIdentities(statements: Statements, identities: readonly WantedIdentity[]): void {
  const others = ' UNION ALL SELECT ?, ?'.repeat(identities.length - 1);
  statements.add(
    `SELECT k.topic_id, k.digest, (${FIRST_EVENT}) AS first FROM (SELECT ? AS topic_id, ? AS digest${others}) k`,
    identities.flatMap(({ topicId, identity }) => [topicId, asBuffer(identity.digest)]),
  );
}

const NOTHING: LockedWaits = {
  awaited: new Map(),
  found: new Map(),
  identities: new Map(),
  events: new Map(),
  shapes: new Map(),
};

interface IdentityRow {
  topic_id: number;
  digest: Buffer;
  first: string | null;
}

/** The first event that has each identity, by its id. */
function identifiedBy(rows: readonly IdentityRow[], wanted: readonly WantedIdentity[]): Map<string, Occurrence> {
  const texts = new Map(wanted.map(({ topicId, identity }) => [identityKey(topicId, identity.digest), identity.text]));
  const found = new Map<string, Occurrence>();
  for (const { topic_id: topicId, digest, first } of rows) {
    const text = texts.get(identityKey(topicId, digest));
    if (text === undefined || first === null) continue;
    const [eventId = 0, position = 0] = first.split(' ').map(Number);
    found.set(text, { eventId, position });
  }
  return found;
}

function identityKey(topicId: number, digest: Uint8Array): string {
  return `${topicId}:${asBuffer(digest).toString('latin1')}`;
}

/** The open wait of each key: of several with the same hash the one that is for its values. */
function awaitedByKey(open: readonly Wait[], keys: readonly WaitKey[]): Map<string, Wait> {
  const byText = new Map(keys.map((key) => [key.text, key]));
  const awaited = new Map<string, Wait>();
  for (const wait of open) {
    const text = waitKeyText(wait.shapeId, wait.hash);
    const key = byText.get(text);
    if (key !== undefined && isFor(wait, key)) awaited.set(text, wait);
  }
  return awaited;
}

async function storedEvents(
  queries: Queries,
  names: NameCache,
  waitRows: readonly WaitRow[],
  entryRows: readonly object[],
  eventIds: readonly EventId[],
): Promise<Map<number, StoredEvent>> {
  // Columns keep their order in the objects of a text query.
  const rows = entryRows.map((row) => Object.values(row) as unknown[]);
  const ids = rows.map(rowNameIds);
  const streams = new Set(ids.map(({ streamId }) => streamId).filter((id) => id !== null));
  await names.loadByIds(queries, new Set(ids.map(({ topicId }) => topicId)), streams);
  const entries = rows.map((row) => entryFromRow(row, names)).filter((entry): entry is LogEntry => entry !== undefined);
  const waits = new Map((await waitsFromRows(queries, names, waitRows)).map((wait) => [wait.eventId, wait]));
  const events = new Map<number, StoredEvent>();
  for (const id of eventIds) {
    const wait = waits.get(id);
    const own = entries.filter(({ eventId }) => eventId === (wait?.endedById ?? id));
    if (wait !== undefined || own.length > 0) events.set(id, { wait, entries: own });
  }
  return events;
}

/** Writes what a group does to waits. `onTrip` is told of the statement. */
export async function writeWaits(
  queries: Queries,
  writes: WaitWrites,
  { minter, onTrip }: { minter: NameMinter; onTrip: () => void },
): Promise<void> {
  const statements = new Statements();
  statements.addRows(
    `INSERT INTO wait (context_id, ${WAIT_COLUMNS})`,
    writes.added.map((wait) => waitValues(wait, minter)),
  );
  // All are there already: one statement for many rows, without what does not change and may be long.
  statements.addRows(
    `INSERT INTO wait (context_id, ${WAIT_COLUMNS})`,
    writes.changed.map((wait) => waitValues({ ...wait, description: '', envelope: bare(wait.envelope) }, minter)),
    `ON DUPLICATE KEY UPDATE state = VALUES(state), expires_at = VALUES(expires_at), entry_event_id = VALUES(entry_event_id),
       position = VALUES(position)`,
  );
  statements.addRows(
    'INSERT INTO push_ledger (context_id, message_id, issuer, digest, event_id, created_at)',
    writes.ledger.map(({ context, messageId, issuer, digest, eventId, createdAt }) => [
      minter.contextId(context),
      uuidToBytes(messageId),
      Buffer.from(issuer),
      digest === undefined ? null : asBuffer(digest),
      eventId,
      createdAt,
    ]),
    // Of the same id only what nobody looks up any more can be there.
    `ON DUPLICATE KEY UPDATE issuer = VALUES(issuer), digest = VALUES(digest), event_id = VALUES(event_id),
       created_at = VALUES(created_at)`,
  );
  statements.addRows(
    'INSERT INTO shape_index (shape_id, value_hash, position)',
    writes.indexed.map(({ key, position }) => [key.shapeId, asBuffer(key.hash), position]),
  );
  statements.addRows(
    'INSERT IGNORE INTO event_identity (topic_id, digest, event_id, position)',
    writes.identities.map(({ identity: { context, topic, digest }, occurrence: { eventId, position } }) => [
      minter.topicId(context, topic),
      asBuffer(digest),
      eventId,
      position,
    ]),
  );
  if (writes.freed !== undefined) {
    const { eventId, position } = writes.freed;
    statements.add(FREE_IDENTITY, [eventId]);
    statements.add(
      `UPDATE wait FORCE INDEX (wait_entry) SET state = ${EntryKind.INVALIDATED}, position = ? WHERE entry_event_id = ?`,
      [position, eventId],
    );
  }
  for (const { key, position } of writes.unindexed) {
    statements.add('DELETE FROM shape_index WHERE shape_id = ? AND value_hash = ? AND position = ?', [
      key.shapeId,
      asBuffer(key.hash),
      position,
    ]);
  }
  if (writes.catalog !== undefined) addShapeWrites(statements, writes.catalog.change, minter);
  if (statements.isEmpty) return;
  onTrip();
  await statements.run(queries);
}

/** An envelope whose row has only the columns that each has. */
function bare({ context, topic, version, issuer }: Wait['envelope']): Wait['envelope'] {
  return { ...EMPTY_ENVELOPE, context, topic, version, issuer };
}

function waitValues(wait: Wait, minter: NameMinter): SqlValue[] {
  const { envelope } = wait;
  return [
    minter.contextId(envelope.context),
    wait.eventId,
    minter.topicId(envelope.context, envelope.topic),
    envelope.version,
    wait.shapeId,
    asBuffer(wait.hash),
    wait.state,
    wait.createdAt,
    wait.expiresAt,
    wait.endedById ?? null,
    wait.position,
    Buffer.from(envelope.issuer),
    uuidToBytes(wait.messageId),
    wait.description,
    waitEnvelopeText(envelope),
  ];
}
