// An instance that is frozen in the middle of a group: the others go on within 8 s, and thawed it does no harm.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { logFaults, storedRows } from '../support/database/proxied.js';
import { Follower } from '../support/events/follower.js';
import { History } from '../support/events/history.js';
import { StreamPusher } from '../support/events/pusher.js';
import { seededRandom } from '../support/random.js';
import { Cluster } from '../support/server/cluster.js';
import { waitUntil } from '../support/wait-until.js';

const SEED = Number(process.env.SEED || Date.now() % 2 ** 31);
/** Freezes that hit an instance while it holds the head row. */
const FREEZES = 3;
const GOES_ON_WITHIN_MS = 8_000;

let cluster: Cluster | undefined;
let admin: Connection | undefined;

afterEach(async () => {
  await admin?.end();
  await cluster?.stop();
  cluster = undefined;
});

/** Transactions of the cluster whose connections are silent, by their numbers. */
async function silentTransactions(): Promise<ReadonlySet<string>> {
  const [rows] = await (admin as Connection).query<RowDataPacket[]>(
    `SELECT CONCAT(t.trx_id, ' ', t.trx_mysql_thread_id) AS id FROM information_schema.innodb_trx t
     JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.command = 'Sleep' AND p.db = ?`,
    [cluster?.database.name],
  );
  return new Set(rows.map((row) => String(row['id'])));
}

/** Whether a transaction is open whose connection stays silent for a quarter of a second. */
async function isHeldSilently(): Promise<boolean> {
  const before = await silentTransactions();
  await sleep(250);
  const after = await silentTransactions();
  return [...before].some((id) => after.has(id));
}

describe('an instance frozen inside a group', () => {
  it(`lets the other push again within 8 s, and thawed does no harm (SEED=${SEED})`, async () => {
    const random = seededRandom(SEED);
    cluster = await Cluster.start(2);
    admin = await createConnection(cluster.database.adminUrl);
    const [frozen, other] = [cluster.at(0), cluster.at(1)];
    const histories = [new History(), new History()] as const;
    const followers = [frozen, other].map(({ client }) => new Follower(() => client));
    const pusher = (stream: string, index: 0 | 1) =>
      new StreamPusher({ stream, history: histories[index], client: () => cluster?.at(index).client });
    const pushers = [0, 1, 2, 3].flatMap((n) => [
      ...[pusher(`frozen ${n}`, 0), pusher(`other ${n}`, 1)],
      ...[pusher(`shared ${n}`, 0), pusher(`shared ${n}`, 1)],
    ]);
    for (const each of [...pushers, ...followers]) each.start();
    await waitUntil(() => histories.every(({ answeredCount }) => answeredCount > 50), { what: 'pushes on both' });

    let hits = 0;
    const waits: number[] = [];
    for (let attempt = 0; hits < FREEZES && attempt < 200; attempt += 1) {
      await sleep(random() * 40);
      frozen.server.signal('SIGSTOP');
      const frozenAt = performance.now();
      if (await isHeldSilently()) {
        hits += 1;
        const goal = histories[1].answeredCount + 5;
        await waitUntil(() => histories[1].answeredCount >= goal, { what: 'pushes on the other', timeoutMs: 15_000 });
        waits.push(performance.now() - frozenAt);
      }
      frozen.server.signal('SIGCONT');
    }
    expect(hits).toBe(FREEZES);
    expect(Math.max(...waits)).toBeLessThan(GOES_ON_WITHIN_MS);

    await Promise.all(pushers.map((each) => each.stop()));
    const stored = await storedRows(cluster.database);
    await waitUntil(() => followers.every(({ position }) => position === stored.length), {
      what: `both followers reach ${stored.length}: ${followers.map(({ interruptions }) => interruptions.at(-1))}`,
    });
    await Promise.all(followers.map((follower) => follower.stop()));
    expect(logFaults(stored)).toEqual([]);
    expect(followers.flatMap(({ faults }) => faults)).toEqual([]);
    expect(histories.flatMap((history) => history.faults(followers[1]?.events ?? []))).toEqual([]);
  });
});
