// The migrations, in order; the schema's version is their number. Within a major version they only add, and none is changed once it
// has run anywhere: test/migrations holds them against what earlier servers wrote.

import type { Knex } from 'knex';
import { logMigration } from './0001-log.js';
import { consumersMigration } from './0002-consumers.js';
import { waitsMigration } from './0003-waits.js';
import { cawinsMigration } from './0004-cawins.js';
import { topicsMigration } from './0005-topics.js';
import { lateAdditionsMigration } from './0006-late-additions.js';
import { consumerGenerationsMigration } from './0007-consumer-generations.js';
import { urlEndpointsMigration } from './0008-url-endpoints.js';
import { shapeLivesMigration } from './0009-shape-lives.js';
import { verdictsMigration } from './0010-verdicts.js';
import { consumerPausesMigration } from './0011-consumer-pauses.js';
import { transfersMigration } from './0012-transfers.js';
import { statisticsMigration } from './0013-statistics.js';
import { consumerPlacesMigration } from './0014-consumer-places.js';
import { topicSettingsMigration } from './0015-topic-settings.js';
import { contextsMigration } from './0016-contexts.js';
import { topicSchemasMigration } from './0017-topic-schemas.js';
import { retentionMigration } from './0018-retention.js';
import { unreadMigration } from './0020-unread.js';
import { truncationsMigration } from './0021-truncations.js';
import { erasureMigration } from './0022-erasure.js';
import { streamCountsMigration } from './0023-stream-counts.js';
import { archivesMigration } from './0024-archives.js';

export interface Migration {
  readonly name: string;
  /** May be repeated after a crash in its middle. */
  up(knex: Knex): Promise<void>;
}

export const MIGRATIONS: readonly Migration[] = [
  logMigration,
  consumersMigration,
  waitsMigration,
  cawinsMigration,
  topicsMigration,
  lateAdditionsMigration,
  consumerGenerationsMigration,
  urlEndpointsMigration,
  shapeLivesMigration,
  verdictsMigration,
  consumerPausesMigration,
  transfersMigration,
  statisticsMigration,
  consumerPlacesMigration,
  topicSettingsMigration,
  contextsMigration,
  unreadMigration,
  erasureMigration,
  truncationsMigration,
  topicSchemasMigration,
  retentionMigration,
  archivesMigration,
  streamCountsMigration,
];
