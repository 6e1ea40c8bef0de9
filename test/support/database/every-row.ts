// Every row of every table of a database, for tests that look for what may be nowhere.

import { createConnection, type RowDataPacket } from 'mysql2/promise';

/** The tables and columns in which a row has the text, in whatever form its bytes are. */
export async function placesOf(url: string, text: string): Promise<readonly string[]> {
  const connection = await createConnection(url);
  try {
    const [tables] = await connection.query<RowDataPacket[]>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'`,
    );
    const places = new Set<string>();
    for (const { name } of tables) {
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT * FROM \`${name}\``);
      for (const row of rows) {
        for (const [column, value] of Object.entries(row)) if (has(value, text)) places.add(`${name}.${column}`);
      }
    }
    return [...places].sort();
  } finally {
    await connection.end();
  }
}

function has(value: unknown, text: string): boolean {
  if (Buffer.isBuffer(value)) return value.includes(text);
  return String(value).includes(text);
}
