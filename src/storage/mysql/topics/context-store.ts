// Reads of contexts. See ContextStore.

import type { ContextRead, ContextStore } from '../../ports/topic-storage.js';
import type { Database } from '../sql/database.js';
import { contextFromText } from './context-rows.js';

const FIND = `SELECT h.catalog_version, c.id, s.settings FROM log_head h LEFT JOIN context c ON c.name = ?
  LEFT JOIN context_setting s ON s.context_id = c.id WHERE h.id = 1`;

interface ContextRow {
  catalog_version: number;
  id: number | null;
  settings: string | null;
}

export class MysqlContextStore implements ContextStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See ContextStore.find. */
  async find(context: string): Promise<ContextRead> {
    const [row] = await this.#database.execute<ContextRow>(FIND, [Buffer.from(context)]);
    if (row === undefined) throw new Error('log_head has no row');
    const { id, settings, catalog_version: catalogVersion } = row;
    return { settings: id === null ? undefined : contextFromText(settings), catalogVersion };
  }
}
