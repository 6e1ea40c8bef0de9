// The dumps of earlier commits, and how they become databases.

import { readdirSync, readFileSync } from 'node:fs';
import { createConnection } from 'mysql2/promise';
import { createTestDatabase, type TestDatabase } from '../database/database.js';
import type { Readings } from './readings.js';

export const DUMPS = new URL('../../migrations/dumps/', import.meta.url);

/** What the server that wrote a dump said about it. */
export interface Expected {
  readonly commit: string;
  readonly version: number;
  readonly readings: Readings;
}

export interface Dump extends Expected {
  /** Of the file, without its ending: the schema's version and the commit. */
  readonly name: string;
}

/** All dumps, the oldest schema first. */
export function listDumps(): readonly Dump[] {
  const names = readdirSync(DUMPS).flatMap((file) => /^(?<name>.+)\.sql$/.exec(file)?.groups?.name ?? []);
  return names.sort().map((name) => {
    const expected = JSON.parse(readFileSync(new URL(`${name}.expected.json`, DUMPS), 'utf8')) as Expected;
    return { ...expected, name };
  });
}

/** A database of its own with what the dump holds. */
export async function restoreDump(dump: Dump): Promise<TestDatabase> {
  const database = await createTestDatabase();
  const connection = await createConnection({ uri: database.adminUrl, multipleStatements: true, charset: 'utf8mb4' });
  try {
    await connection.query(readFileSync(new URL(`${dump.name}.sql`, DUMPS), 'utf8'));
  } finally {
    await connection.end();
  }
  return database;
}
