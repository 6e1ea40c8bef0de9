// Answers of COMMITs are lost while events are erased: what is decided is decided once, and every event is counted once.

import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { placesOf } from '../support/database/every-row.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload } from '../support/events/builders.js';
import { eventCalls } from '../support/events/event-calls.js';

const suite = useProxiedServer();
const { push, read } = eventCalls(suite);

async function erasures(): Promise<number> {
  const connection = await createConnection(suite.database.adminUrl);
  try {
    return (await connection.query<RowDataPacket[]>('SELECT COUNT(*) AS n FROM erasure'))[0][0]?.n;
  } finally {
    await connection.end();
  }
}

describe.each(['cut after', 'cut before'] as const)('connections %s COMMIT', (kind) => {
  it.each([1, 2, 3, 5])('erase once, with %i of them', async (times) => {
    const marker = randomUUID();
    let last = 0n;
    for (let n = 0; n < 100; n += 1)
      last = (await push({ dataSubject: marker, payload: jsonPayload({ marker }) })).position;
    const before = await erasures();
    const lost = suite.proxy.inject({ harm: { kind }, when: isCommit, times });
    const target = { $case: 'dataSubject', value: marker } as const;
    let answer = await suite.client.events.eraseEvents({ target });
    let { erased } = answer;
    while (answer.remaining > 0n) {
      answer = await suite.client.events.eraseEvents({ target });
      if (answer.erased > 0n) erased = answer.erased;
    }
    lost.end();
    expect(lost.hits).toBeGreaterThan(0);
    expect(erased).toBe(100n);
    expect(await erasures()).toBe(before + 1);
    expect(await read({ topics: ['madeleine.audit'], afterPosition: last })).toHaveLength(1);
    expect(await placesOf(suite.database.url, marker)).toEqual([]);
  });
});
