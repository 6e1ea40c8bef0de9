// Erasures: what was decided, how far it is, which instances know of it; and what finds the events of a subject, by a part of its
// digest. Events without a subject have no row there, so that they cost what they cost before. What is left of an erased event stands in
// its row of the log as it is: nothing is added to that table.
//
// An instance of before goes on beside: it does not take the subject of what is pushed to it, and knows nothing of erasures, so that it
// may still show from its memory what is erased, until it ends.

import type { Knex } from 'knex';
import { addColumns } from './missing.js';

// position 0: the event is awaited, or was.
const EVENT_SUBJECT = `
  CREATE TABLE IF NOT EXISTS event_subject (
    subject_key BINARY(16) NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    position BIGINT UNSIGNED NOT NULL,
    event_id BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (subject_key, context_id, position, event_id),
    KEY event_subject_event (event_id)
  ) ENGINE=InnoDB`;

// position: that of the entry of the audit. context_id 0: every context. A subject or a stream. Times in microseconds; finished_at NULL: it
// goes on.
const ERASURE = `
  CREATE TABLE IF NOT EXISTS erasure (
    position BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    context_id INT UNSIGNED NOT NULL,
    subject_digest BINARY(32) NULL,
    stream_id BIGINT UNSIGNED NULL,
    before_event_id BIGINT UNSIGNED NOT NULL,
    decided_at BIGINT UNSIGNED NOT NULL,
    done_to BIGINT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    moved_at BIGINT UNSIGNED NOT NULL,
    finished_at BIGINT UNSIGNED NULL,
    KEY erasure_open (finished_at, position),
    KEY erasure_subject (subject_digest, position),
    KEY erasure_stream (stream_id, position)
  ) ENGINE=InnoDB`;

export const erasureMigration = {
  name: '0022-erasure',
  async up(knex: Knex): Promise<void> {
    for (const statement of [EVENT_SUBJECT, ERASURE]) await knex.raw(statement);
    // The newest erasure that the instance keeps to.
    await addColumns(knex, 'instance', { erasures_seen: 'BIGINT UNSIGNED NOT NULL DEFAULT 0' });
  },
};
