// What happens to a database happens: killed, frozen, read-only, out of connections, its disk full. No answered push is lost,
// readiness tells, and all goes on without help once the database does.

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { refusalOf } from '../support/contract/refusals.js';
import { TroubledScene } from '../support/database/troubled-scene.js';
import { bytesPayload, newEvent } from '../support/events/builders.js';
import type { TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

let scene: TroubledScene | undefined;
let disk: string | undefined;
const connections: Connection[] = [];

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.destroy();
  await scene?.stop();
  scene = undefined;
  if (disk !== undefined) execFileSync('sh', ['-c', `umount -l ${disk} && rmdir ${disk}`]);
  disk = undefined;
});

async function connectAs(url: string): Promise<Connection> {
  const connection = await createConnection(url);
  connection.on('error', () => {});
  connections.push(connection);
  return connection;
}

const unavailable = { status: 'UNAVAILABLE', reason: 'STORAGE_UNAVAILABLE', retryable: true };

describe('a database', () => {
  it('that is killed and comes back under load', async () => {
    scene = await TroubledScene.start();
    for (let life = 0; life < 3; life += 1) {
      await scene.mariadb.kill();
      await scene.becomesUnready();
      await scene.mariadb.run();
      await scene.becomesReady();
      await scene.pushesGoOn(100);
    }
    await scene.expectNothingLost();
  });

  it('that is killed together with the server', async () => {
    scene = await TroubledScene.start();
    for (let life = 0; life < 2; life += 1) {
      const [first, second] = [() => scene?.killServer(), () => scene?.mariadb.kill()];
      await (life === 0 ? Promise.all([first(), second()]) : second()?.then(first));
      await scene.mariadb.run();
      await scene.startServer();
      await scene.becomesReady();
      await scene.pushesGoOn(100);
    }
    await scene.expectNothingLost();
  });

  it('that is restarted in order', async () => {
    scene = await TroubledScene.start();
    await scene.mariadb.shutDown();
    await scene.becomesUnready();
    await scene.mariadb.run();
    await scene.becomesReady();
    await scene.pushesGoOn(100);
    await scene.expectNothingLost();
  });

  it('that is frozen for 20 s', async () => {
    scene = await TroubledScene.start();
    process.kill(scene.mariadb.pid, 'SIGSTOP');
    const thawAt = performance.now() + 20_000;
    await scene.becomesUnready();
    // Longer than a push may wait for its group.
    expect(await refusalOf(scene.client.events.pushEvent({ event: newEvent() }))).toMatchObject(unavailable);
    await waitUntil(() => performance.now() > thawAt, { what: 'the 20 s are over', timeoutMs: 21_000 });
    process.kill(scene.mariadb.pid, 'SIGCONT');
    await scene.becomesReady();
    await scene.pushesGoOn(100);
    await scene.expectNothingLost();
  });

  it('that is read-only for a while', async () => {
    scene = await TroubledScene.start();
    const admin = await connectAs(scene.mariadb.adminUrl);
    await admin.query('SET GLOBAL read_only = 1');
    await scene.becomesUnready();
    expect(await refusalOf(scene.client.events.pushEvent({ event: newEvent() }))).toMatchObject(unavailable);
    const { events } = await scene.client.events.listEvents({ filter: { context: 'all' }, pageSize: 1 });
    expect(events).toHaveLength(1);
    await admin.query('SET GLOBAL read_only = 0');
    await scene.becomesReady();
    await scene.pushesGoOn(100);
    await scene.expectNothingLost();
  });

  it('that has no connection left for a while', async () => {
    scene = await TroubledScene.start({ arguments: ['--max-connections=30'] });
    const admin = await connectAs(scene.mariadb.adminUrl);
    const { url, name } = scene.database;
    // Who is only connecting has no name yet.
    const sql = "SELECT id FROM information_schema.processlist WHERE user IN (?, 'unauthenticated user')";
    const theirs = async () => {
      const [rows] = await admin.query(sql, [name]);
      const own = new Set(connections.map(({ threadId }) => threadId));
      return (rows as { id: number }[]).filter(({ id }) => !own.has(id));
    };
    // Takes what is free, ends what the server has, and takes that too.
    await waitUntil(
      async () => {
        const found = await theirs();
        for (const { id } of found) await admin.query(`KILL ${id}`).catch(() => {});
        const isFull = await connectAs(url).then(
          () => false,
          (error: { errno: number }) => error.errno === 1040,
        );
        // The server may have been quicker with the last one that was free.
        return isFull && found.length === 0 && (await theirs()).length === 0;
      },
      { what: 'the server has no connection left', timeoutMs: 30_000, intervalMs: 1 },
    );
    await scene.becomesUnready();
    expect(await refusalOf(scene.client.events.pushEvent({ event: newEvent() }))).toMatchObject(unavailable);
    for (const connection of connections.splice(1)) connection.destroy();
    await scene.becomesReady();
    await scene.pushesGoOn(100);
    await scene.expectNothingLost();
  });

  it('whose disk is full for a while', async ({ skip }) => {
    disk = smallDisk();
    if (disk === undefined) return skip('needs the right to mount a file system in memory');
    scene = await TroubledScene.start({ parent: disk });
    const ballast = join(disk, 'ballast');
    for (let chunk = 0; ; chunk += 1) {
      const written = await writeFile(`${ballast}${chunk}`, Buffer.alloc(1024 * 1024)).then(
        () => true,
        () => false,
      );
      if (!written) break;
    }
    // The database refuses, waits or aborts when what is left is used up.
    expect(await refusalOf(fillUp(scene.client))).toMatchObject(unavailable);
    execFileSync('sh', ['-c', `rm -f ${ballast}*`]);
    if (!scene.mariadb.running) await scene.mariadb.run();
    await scene.becomesReady(60_000);
    await scene.pushesGoOn(100, 60_000);
    await scene.expectNothingLost();
  });
});

/** Pushes large events for as long as they are answered. */
async function fillUp(client: TestClient): Promise<void> {
  const payload = bytesPayload('x'.repeat(200_000), 'text/plain');
  for (let n = 0; n < 1_000; n += 1) {
    await client.events.pushEvent({ event: newEvent({ payload, messageId: randomUUID() }) });
  }
}

/** A file system of 160 MB in memory; undefined where it cannot be had. */
function smallDisk(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'madeleine-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    rmSync(directory, { recursive: true });
    return undefined;
  }
  return directory;
}
