// Registered topics as rows: the settings that the catalogue is made of, and what groups write of them.

import type { CatalogChange, RegisteredTopic } from '../../../domain/group/shape-catalog.js';
import type { IdentityBuild } from '../../../domain/topics/identity-build.js';
import type { Registration, Topic } from '../../../domain/topics/topic.js';
import {
  restoredSettings,
  storedChanges,
  storedSettings,
  type TopicSettings,
} from '../../../domain/topics/topic-settings.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { NameMinter } from '../names/name-minter.js';
import type { Queries } from '../sql/database.js';
import { Statements } from '../sql/statements.js';
import { addSchema } from './schema-rows.js';

/** What is read of a topic; NULL where it is not registered, or has no build of identities. */
export interface TopicRow {
  context: Buffer;
  name: Buffer;
  registered_at: Micros | null;
  /** The paths that pushes obey. */
  description_paths: string | null;
  /** The other settings; NULL: all of them are unset. */
  settings: string | null;
  build_id: number | null;
  next_paths: string;
  watched_after: Position;
  built_to: Position;
  identified: number;
  unidentified: number;
  repeated: number;
  repeated_ids: string;
  started_at: Micros;
  ended_at: Micros | null;
}

/** What a TopicRow has of the registration `r` and the build `b`. */
export const REGISTRATION_COLUMNS = `r.registered_at, r.description_paths, r.settings, b.build_id, b.description_paths AS next_paths,
  b.watched_after, b.built_to, b.identified, b.unidentified, b.repeated, b.repeated_ids, b.started_at, b.ended_at`;
/** The build of the registration `r`. */
export const JOIN_BUILD = 'LEFT JOIN identity_build b ON b.topic_id = r.topic_id';

/** What all registered topics are registered with. */
export async function readRegistered(
  queries: Pick<Queries, 'execute'>,
): Promise<(RegisteredTopic & { readonly context: string; readonly topic: string })[]> {
  const rows = await queries.execute<TopicRow>(
    `SELECT c.name AS context, t.name, ${REGISTRATION_COLUMNS}
     FROM registered_topic r JOIN topic t ON t.id = r.topic_id JOIN context c ON c.id = t.context_id ${JOIN_BUILD}`,
  );
  return rows.flatMap((row) => {
    const { context, name, registration } = topicFromRow(row);
    if (registration === undefined) return [];
    const { settings, build } = registration;
    return [{ context, topic: name, settings, pending: build && pendingOf(build) }];
  });
}

function pendingOf({ buildId, inForce, watchedAfter, endedAt }: IdentityBuild): RegisteredTopic['pending'] {
  return endedAt === undefined ? { buildId, inForce, watchedAfter } : undefined;
}

/** A change of what topics are registered with. */
type RegistrationChange = Extract<
  CatalogChange,
  { readonly kind: 'registered' | 'updated' | 'unregistered' | 'identified' }
>;

export function isOfRegistration(change: CatalogChange | undefined): change is RegistrationChange {
  return change !== undefined && 'topic' in change && change.kind !== 'watched';
}

/** Writes what a group does to a registration, in its transaction. The topic has its row. */
export async function writeRegistration(
  queries: Queries,
  change: RegistrationChange,
  minter: NameMinter,
): Promise<void> {
  const topicId = minter.topicId(change.context, change.topic);
  const statements = new Statements();
  switch (change.kind) {
    case 'registered':
      addRegistered(statements, topicId, change);
      break;
    case 'updated':
      addUpdated(statements, topicId, change);
      break;
    case 'identified':
      addIdentified(statements, topicId, change);
      break;
    case 'unregistered':
      statements.add('DELETE FROM registered_topic WHERE topic_id = ?', [topicId]);
      statements.add('DELETE FROM identity_build WHERE topic_id = ?', [topicId]);
      break;
  }
  await statements.run(queries);
}

type Change<Kind> = Extract<RegistrationChange, { readonly kind: Kind }>;

function addRegistered(
  statements: Statements,
  topicId: number,
  { settings, schema, registeredAt }: Change<'registered'>,
): void {
  addSchema(statements, topicId, schema, registeredAt);
  const { description_paths: _, ...others } = storedSettings(settings);
  statements.addRows('INSERT INTO registered_topic (topic_id, registered_at, description_paths, settings)', [
    [topicId, registeredAt, JSON.stringify(settings.descriptionPaths), JSON.stringify(others)],
  ]);
}

/** What a newer server keeps besides stays. */
function addUpdated(statements: Statements, topicId: number, change: Change<'updated'>): void {
  const { former, settings, schema, pending } = change;
  addSchema(statements, topicId, schema, change.at);
  const { description_paths: paths, ...others } = storedChanges(former.settings, settings);
  statements.add(
    `UPDATE registered_topic SET description_paths = ?, settings = JSON_MERGE_PATCH(COALESCE(settings, '{}'), ?)
     WHERE topic_id = ?`,
    [JSON.stringify(pending?.inForce ?? settings.descriptionPaths), JSON.stringify(others), topicId],
  );
  // The last build is of the paths that the topic has.
  if (paths !== undefined) statements.add('DELETE FROM identity_build WHERE topic_id = ?', [topicId]);
  if (paths === undefined || pending === undefined) return;
  const { buildId, watchedAfter } = pending;
  statements.addRows(
    `INSERT INTO identity_build (topic_id, build_id, description_paths, watched_after, built_to, identified, unidentified,
       repeated, repeated_ids, started_at)`,
    [[topicId, buildId, JSON.stringify(paths), watchedAfter, 0, 0, 0, 0, '[]', change.at]],
  );
}

function addIdentified(statements: Statements, topicId: number, change: Change<'identified'>): void {
  const paths = JSON.stringify(change.descriptionPaths);
  statements.add('UPDATE registered_topic SET description_paths = ? WHERE topic_id = ?', [paths, topicId]);
  statements.add(
    'UPDATE identity_build SET ended_at = ?, built_to = watched_after WHERE topic_id = ? AND build_id = ?',
    [change.at, topicId, change.buildId],
  );
}

/** The topic of a row, registered or not. */
export function topicFromRow(row: TopicRow): Topic {
  return { context: row.context.toString(), name: row.name.toString(), registration: registrationOf(row) };
}

function registrationOf(row: TopicRow): Registration | undefined {
  const { registered_at: registeredAt, description_paths: inForce, settings } = row;
  if (registeredAt === null || inForce === null) return undefined;
  const others = settings === null ? {} : (JSON.parse(settings) as Record<string, unknown>);
  const build = buildOf(row, pathsOf(inForce));
  const paths = build === undefined || build.endedAt !== undefined ? inForce : row.next_paths;
  return { settings: restoredSettings({ ...others, description_paths: pathsOf(paths) }), registeredAt, build };
}

function buildOf(row: TopicRow, inForce: readonly string[]): IdentityBuild | undefined {
  if (row.build_id === null) return undefined;
  return {
    buildId: row.build_id,
    inForce,
    watchedAfter: row.watched_after,
    builtTo: row.built_to,
    identified: row.identified,
    unidentified: row.unidentified,
    repeated: row.repeated,
    repeatedIds: JSON.parse(row.repeated_ids) as EventId[],
    startedAt: row.started_at,
    endedAt: row.ended_at ?? undefined,
  };
}

function pathsOf(text: string): TopicSettings['descriptionPaths'] {
  return JSON.parse(text) as string[];
}
