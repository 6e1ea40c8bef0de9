// Secrets go in and never come out: not in answers, not in the database, not in logs, also when a receiver repeats them.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { Attempt, Cawin, CawinState } from '../../../generated/madeleine/v1/cawin_service.js';
import { callbackTo, created, pushed, SECRET, useCawins } from '../../support/cawins/cawin-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { createTestDatabase } from '../../support/database/database.js';
import { startServer, TestClient } from '../../support/server/server.js';

const scene = useCawins();
const TOKEN = 'tok-4711-very-secret';
const FORMS = [SECRET, SECRET.slice('whsec_'.length), TOKEN];

/** Every column of every table as text. */
async function dump(url: string): Promise<string> {
  const connection = await createConnection(url);
  try {
    const [tables] = await connection.query<RowDataPacket[]>("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'");
    const parts: string[] = [];
    for (const table of tables) {
      const [rows] = await connection.query<RowDataPacket[]>(`SELECT * FROM \`${Object.values(table)[0]}\``);
      for (const row of rows)
        for (const value of Object.values(row)) parts.push(Buffer.from(String(value ?? '')).toString());
    }
    return parts.join('\n');
  } finally {
    await connection.end();
  }
}

/** Every file of the database server, those of its log too. */
async function filesWith(forms: readonly string[]): Promise<string[]> {
  const connection = await createConnection(scene.database.adminUrl);
  try {
    const [[row]] = await connection.query<RowDataPacket[]>('SELECT @@datadir AS directory');
    const directory = String(row?.directory);
    const found: string[] = [];
    for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      // Files of other tests' databases come and go.
      const bytes = await readFile(path).catch(() => Buffer.alloc(0));
      for (const form of forms) if (bytes.includes(form)) found.push(`${form} in ${path}`);
    }
    return found;
  } finally {
    await connection.end();
  }
}

describe('secrets of callbacks', () => {
  it('are in no answer, no table and no log line', async () => {
    scene.receiver.respond = (response, { headers, body }) => {
      const isFirst = scene.receiver.received.length === 1;
      response
        .writeHead(isFirst ? 500 : 200)
        .end(`${SECRET} ${JSON.stringify(headers)} ${body.toString().slice(0, 100)}`);
    };
    const callback = { secret: SECRET, headers: { Authorization: `Bearer ${TOKEN}`, 'X-Token': TOKEN } };
    const cawin = await scene.create(await scene.occurred(), { requestId: 'secret-1' }, callback);
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    const attempts = await scene.attempts(cawin.id);
    const update = {
      id: cawin.id,
      callback: callbackTo('', callback),
      updateMask: ['callback.secret', 'callback.headers'],
    };
    const { cawin: updated } = await scene.client.cawins.updateCawin(update);
    const reused = await refusalOf(scene.create(cawin.eventId + 0n, { requestId: 'secret-1' }, { secret: SECRET }));
    const { cawins } = await scene.client.cawins.listCawins({});
    const answers = [cawin, fired, updated, ...cawins].map((each) => JSON.stringify(Cawin.toJSON(each as Cawin)));
    const texts = {
      answers: [
        ...answers,
        ...attempts.map((each) => JSON.stringify(Attempt.toJSON(each))),
        JSON.stringify(reused),
      ].join('\n'),
      database: await dump(scene.database.url),
      log: scene.logged.join('\n'),
    };
    for (const [place, text] of Object.entries(texts)) {
      expect(text.length, place).toBeGreaterThan(100);
      for (const form of FORMS) expect(text.includes(form), `${form} in ${place}`).toBe(false);
    }
    expect(texts.answers).toContain('[redacted]');
    expect(await filesWith(FORMS)).toEqual([]);
    // What is no secret is found, so that the search does search.
    expect(await filesWith([new URL(scene.receiver.url()).host])).not.toEqual([]);
    // The receiver did get them.
    expect(scene.receiver.received[0]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'x-token': TOKEN });
  });
});

describe('a server without a key', () => {
  it('keeps no secrets, and says what to do; what is not secret it takes', async () => {
    const database = await createTestDatabase();
    const server = await startServer({ databaseUrl: database.url, callbackAllow: '127.0.0.1' });
    const client = new TestClient(server.address);
    try {
      const eventId = await pushed(client);
      const url = scene.receiver.url();
      for (const [field, secrets] of [
        ['callback.secret', { secret: SECRET }],
        ['callback.headers', { headers: { 'X-Token': TOKEN } }],
      ] as const) {
        const refusal = await refusalOf(created(client, { eventId, callback: callbackTo(url, secrets) }));
        expect(refusal).toMatchObject({
          status: 'FAILED_PRECONDITION',
          reason: 'CALLBACK_NOT_ALLOWED',
          fields: [field],
        });
        expect(refusal.message).toContain('MADELEINE_SECRET_KEY');
      }
      const { callback } = await created(client, { eventId, callback: callbackTo(url) });
      expect(callback?.signed).toBe(false);
    } finally {
      client.close();
      await server.stop();
      await database.drop();
    }
  });
});
