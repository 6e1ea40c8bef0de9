// The schema of a database as text: every table and view in the order of their names, keys in the order of theirs, as the order
// in which keys were added means nothing. Left out is what the server chooses: its collation, and who made a view.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { createTestDatabase } from '../database/database.js';
import { migrateDatabase } from './migrate.js';

/** Of a database that all migrations made from nothing. */
export function newSchema(): Promise<string> {
  made ??= makeSchema();
  return made;
}

let made: Promise<string> | undefined;

async function makeSchema(): Promise<string> {
  const database = await createTestDatabase();
  try {
    await migrateDatabase(database.url);
    return await schemaText(database.adminUrl);
  } finally {
    await database.drop();
  }
}

export async function schemaText(url: string): Promise<string> {
  const connection = await createConnection(url);
  try {
    const [names] = await connection.query<RowDataPacket[]>(
      `SELECT TABLE_NAME AS name, TABLE_TYPE AS type FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = DATABASE() ORDER BY BINARY TABLE_NAME`,
    );
    const parts: string[] = [];
    for (const { name, type } of names) {
      const [[row]] = await connection.query<RowDataPacket[]>(`SHOW CREATE ${kindOf(type)} \`${name}\``);
      parts.push(type === 'VIEW' ? viewText(String(row?.['Create View'])) : tableText(String(row?.['Create Table'])));
    }
    return `${parts.join('\n\n')}\n`;
  } finally {
    await connection.end();
  }
}

function kindOf(type: string): string {
  return type === 'VIEW' ? 'VIEW' : 'TABLE';
}

function tableText(statement: string): string {
  const lines = statement.replace(/ AUTO_INCREMENT=\d+| COLLATE=\w+/g, '').split('\n');
  const [first = '', ...rest] = lines;
  const last = rest.pop() ?? '';
  const parts = rest.map((line) => line.replace(/,$/, ''));
  const isKey = (line: string) => /^ +(PRIMARY |UNIQUE )?KEY /.test(line);
  const ordered = [...parts.filter((line) => !isKey(line)), ...parts.filter(isKey).sort()];
  return `${first}\n${ordered.join(',\n')}\n${last};`;
}

/** A column a line. */
function viewText(statement: string): string {
  return `${statement.replace(/ DEFINER=\S+/, '').replace(/,(?=`|[a-z_]+\(|case )/g, ',\n  ')};`;
}
