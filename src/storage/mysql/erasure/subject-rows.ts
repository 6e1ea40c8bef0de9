// What finds the events about a subject: a row for each entry, and for each event that is awaited, written by the group that stores it.

import { subjectDigest, subjectKey } from '../../../domain/erasure/erasure.js';
import type { Envelope } from '../../../domain/events/envelope.js';
import type { GroupWrites } from '../../../domain/group/group-plan-types.js';
import type { EventId, Position } from '../../../units.js';
import type { NameMinter } from '../names/name-minter.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { Statements } from '../sql/statements.js';

const INSERT = 'INSERT INTO event_subject (subject_key, context_id, position, event_id)';

/** Writes the rows of a group's events. The names of their contexts have their numbers. `onTrip` is told of the statement. */
export async function writeSubjects(
  queries: Queries,
  { entries, waits }: GroupWrites,
  { minter, onTrip }: { readonly minter: NameMinter; readonly onTrip: () => void },
): Promise<void> {
  const rows: SqlValue[][] = [];
  const add = ({ context, rest }: Envelope, position: Position, eventId: EventId) => {
    const subject = rest?.dataSubject;
    if (subject === undefined) return;
    rows.push([subjectKey(subjectDigest(subject)), minter.contextId(context), position, eventId]);
  };
  for (const { entry } of entries) if (entry.rest !== undefined) add(entry, entry.position, entry.eventId);
  for (const { envelope, eventId } of waits?.added ?? []) add(envelope, 0, eventId);
  if (rows.length === 0) return;
  const statements = new Statements();
  statements.addRows(INSERT, rows);
  onTrip();
  await statements.run(queries);
}
