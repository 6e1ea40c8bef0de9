// The answer of the COMMIT that hands a stream over is lost: it is handed over once, whoever has it by the time of the rerun.

import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { refusalOf } from '../support/contract/refusals.js';
import type { Statement } from '../support/database/faulty-proxy.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { eventCalls } from '../support/events/event-calls.js';
import { useServerBeside } from '../support/server/suite.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useProxiedServer();
const beside = useServerBeside(suite);
const { push } = eventCalls(suite);

/** The transfers of the stream that are stored. */
async function transfers(stream: string): Promise<unknown[]> {
  const connection = await createConnection(suite.database.adminUrl);
  try {
    const sql = "SELECT position, sequence, issuer FROM events WHERE stream = ? AND status = 'TRANSFERRED'";
    return (await connection.query<RowDataPacket[]>(sql, [stream]))[0];
  } finally {
    await connection.end();
  }
}

describe.each(['cut after', 'cut before'] as const)('a connection %s COMMIT', (kind) => {
  it('hands a stream over once', async () => {
    const stream = randomUUID();
    const { position } = await push({ issuer: 'a', stream });
    const lost = suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1 });
    const given = { stream, owner: 'a', newOwner: 'b' };
    const { stream: handed } = await suite.client.streams.transferStream(given);
    expect(lost.hits).toBe(1);
    expect(handed).toMatchObject({ owner: 'b', epoch: 2n, formerOwner: 'a', transferPosition: position + 1n });
    expect(await transfers(stream)).toEqual([{ position: Number(position + 1n), sequence: null, issuer: 'madeleine' }]);
    expect((await suite.client.streams.getStream({ name: stream })).stream).toEqual(handed);
    expect(await refusalOf(push({ issuer: 'a', stream }))).toMatchObject({ metadata: { owner: 'b' } });
    expect((await push({ issuer: 'b', stream })).sequence).toBe(2n);
  });
});

describe('a stream that is handed on before the rerun', () => {
  it('was handed over by the first run, which is answered as it was', async () => {
    const stream = randomUUID();
    await push({ issuer: 'a', stream });
    const lost = suite.proxy.inject({ harm: { kind: 'cut after' }, when: isCommit, times: 1 });
    const isRerun = ({ group, text }: Statement) => group && lost.hits === 1 && text.includes('FOR UPDATE');
    const away = suite.proxy.inject({ harm: { kind: 'cut before' }, when: isRerun, times: Number.POSITIVE_INFINITY });
    const transferred = suite.client.streams.transferStream({ stream, owner: 'a', newOwner: 'b' });
    await waitUntil(() => away.hits > 0, { what: 'the rerun is kept from the head row' });
    await beside.client.streams.transferStream({ stream, owner: 'b', newOwner: 'c' });
    away.end();
    expect((await transferred).stream).toMatchObject({ owner: 'b', epoch: 2n });
    expect(await transfers(stream)).toHaveLength(2);
  });
});
