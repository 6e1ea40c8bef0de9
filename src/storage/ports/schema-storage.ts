// The port of the versions of topics' schemas: reading them. They are written by groups only. `storage/mysql` implements it and points back
// here.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { Micros } from '../../units.js';

/** One version, as it is stored. */
export interface StoredSchema {
  readonly version: number;
  readonly createdAt: Micros;
  /** Bytes of its text. */
  readonly bytes: number;
  /** Its text; empty in lists. */
  readonly text: string;
}

/** Versions, and the version of the catalogue that they were read with: they may rest on what is committed and not yet durable. */
export interface SchemaVersionsRead {
  readonly schemas: readonly StoredSchema[];
  /** The version of the catalogue; 0 without schemas. */
  readonly catalogVersion: number;
}

export interface SchemaStore {
  /** The version of a topic's schema, with its text, or none; 0: the latest. */
  find(context: string, topic: string, version: number): Promise<SchemaVersionsRead>;
  /** Versions after another one, ascending, without their texts. */
  list(
    context: string,
    topic: string,
    page: { readonly after: number; readonly limit: number },
  ): Promise<SchemaVersionsRead>;
}
