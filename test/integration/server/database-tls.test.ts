// TLS to the database by the words of its URL, on a real server: pool, lane and barrier talk encrypted or not at all.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../../src/storage/mysql/sql/database.js';
import { TestAuthority } from '../../support/cawins/certificates.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { PrivateDatabase } from '../../support/database/private-database.js';
import { newEvent } from '../../support/events/builders.js';
import { startServer, TestClient } from '../../support/server/server.js';

describe('TLS to the database', { timeout: 60_000 }, () => {
  const authority = new TestAuthority();
  const stranger = new TestAuthority();
  let directory: string;
  let server: PrivateDatabase;
  let plain: PrivateDatabase;
  let database: TestDatabase;
  const file = (name: string) => join(directory, name);

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'madeleine-tls-'));
    await Promise.all([authority.start(), stranger.start()]);
    const { cert, key } = await authority.issue('IP:127.0.0.1');
    const files = { 'ca.pem': authority.ca, 'other.pem': stranger.ca, 'cert.pem': cert, 'key.pem': key };
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(file(name), text)));
    server = new PrivateDatabase({ arguments: [`--ssl-cert=${file('cert.pem')}`, `--ssl-key=${file('key.pem')}`] });
    plain = new PrivateDatabase({ arguments: ['--skip-ssl'] });
    await Promise.all([server.start(), plain.start()]);
    database = await createTestDatabase(server.adminUrl);
  });

  afterAll(async () => {
    await Promise.all([server?.stop(), plain?.stop(), authority.stop(), stranger.stop()]);
    await rm(directory, { recursive: true });
  });

  async function cipher(url: string): Promise<string> {
    const pool = new Database({ url, poolSize: 1, random: () => 0 });
    try {
      const [row] = await pool.query<{ Value: string }>("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
      return row?.Value ?? '';
    } finally {
      await pool.close();
    }
  }

  const cause = (url: string) =>
    cipher(url).then(
      () => 'connected',
      (error: Error) => `${error.message} ${(error.cause as Error | undefined)?.message}`,
    );

  it('encrypts as it is told, and does not where it is not', async () => {
    const [disabled, required, ca, identity] = await Promise.all([
      cipher(`${database.url}?ssl-mode=DISABLED`),
      cipher(`${database.url}?ssl-mode=REQUIRED`),
      cipher(`${database.url}?ssl-ca=${file('ca.pem')}`),
      cipher(`${database.url}?ssl-mode=VERIFY_IDENTITY&ssl-ca=${file('ca.pem')}`),
    ]);
    expect(disabled).toBe('');
    for (const one of [required, ca, identity]) expect(one).toMatch(/^TLS_|-/);
  });

  it('refuses the certificate of a stranger, and of another host, where it has to look', async () => {
    const url = (host: string, parameters: string) => database.url.replace('127.0.0.1', host) + parameters;
    expect(await cause(url('127.0.0.1', `?ssl-mode=VERIFY_CA&ssl-ca=${file('other.pem')}`))).toMatch(/certificate/i);
    expect(await cause(url('127.0.0.1', '?ssl-mode=VERIFY_IDENTITY'))).toMatch(/certificate/i);
    const other = `&ssl-ca=${file('ca.pem')}`;
    expect(await cause(url('localhost', `?ssl-mode=VERIFY_IDENTITY${other}`))).toMatch(/does not match certificate/);
    expect(await cause(url('localhost', `?ssl-mode=VERIFY_CA${other}`))).toBe('connected');
    expect(await cause(url('127.0.0.2', `?ssl-mode=VERIFY_IDENTITY${other}`))).not.toBe('connected');
  });

  it('does not go on in the clear where the server has no TLS', async () => {
    expect(await cause(`${plain.adminUrl}mysql?ssl-mode=REQUIRED`)).toMatch(/does not support secure/);
  });

  it('encrypts every connection of a server, for pool, lanes and barrier', async () => {
    // The account may not connect in the clear.
    const admin = new Database({ url: database.adminUrl, poolSize: 1, random: () => 0 });
    await admin.query(`ALTER USER ${database.name}@'127.0.0.1' REQUIRE SSL`);
    await admin.close();
    await expect(startServer({ databaseUrl: database.url })).rejects.toThrow(/denied/);
    const parameters = `?ssl-mode=VERIFY_IDENTITY&ssl-ca=${file('ca.pem')}`;
    const running = await startServer({ databaseUrl: database.url + parameters });
    const client = new TestClient(running.address);
    try {
      await client.events.pushEvent({ event: newEvent() });
      const { event } = await client.events.peekEvent({ topic: 'orders' });
      expect(event?.topic).toBe('orders');
    } finally {
      client.close();
      await running.stop();
    }
  });
});
