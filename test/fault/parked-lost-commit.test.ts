// The answer of the COMMIT that replaces a parked event is lost: one edited event, the parked one discarded, and the outcome of the
// first run.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { ReplayEditedEventRequest, Verdict } from '../../generated/madeleine/v1/consumer_service.js';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { acknowledgements, numberOf } from '../support/consumers/consumer.js';
import { useScenes } from '../support/consumers/consumer-scene.js';
import { refusalOf } from '../support/contract/refusals.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload } from '../support/events/builders.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useProxiedServer();
const scene = useScenes(suite);

/** Events but for the server's own, entries of the audit that tell of edits, and events that are parked. */
async function stored(): Promise<{ events: number; audited: number; parked: number }> {
  const connection = await createConnection(suite.database.adminUrl);
  try {
    const [[row]] = await connection.query<RowDataPacket[]>(
      `SELECT (SELECT COUNT(*) FROM events WHERE topic NOT LIKE 'madeleine.%') AS events,
        (SELECT COUNT(*) FROM events WHERE tag = 'ReplayEditedEvent') AS audited,
        (SELECT COUNT(*) FROM consumer_trouble) AS parked`,
    );
    const [events, audited, parked] = ['events', 'audited', 'parked'].map((name) => Number(row?.[name]));
    return { events: events ?? 0, audited: audited ?? 0, parked: parked ?? 0 };
  } finally {
    await connection.end();
  }
}

/** What is stored once one of the parked events was replaced. */
function after({ events, audited, parked }: Awaited<ReturnType<typeof stored>>) {
  return { events: events + 1, audited: audited + 1, parked: parked - 1 };
}

/** A consumer with one parked event. */
async function withParked() {
  const { fetch, push, consumer } = scene();
  const { consumers } = suite.client;
  const [position] = (await push(1)) as [bigint];
  const { deliveries } = await fetch({ limit: 1 });
  const rejections = acknowledgements(deliveries);
  await consumers.reject({ consumer, rejections, verdict: Verdict.VERDICT_PARK });
  const edit = (messageId = '') =>
    consumers.replayEditedEvent(
      ReplayEditedEventRequest.fromPartial({
        ...{ consumer, position, event: { issuer: 'i', payload: jsonPayload({ n: 2 }), messageId } },
      } as ReplayEditedEventRequest),
    );
  return { fetch, consumer, position, edit };
}

describe.each(['cut after', 'cut before'] as const)('a connection %s COMMIT', (kind) => {
  it.each(['with a message id', 'without one'])('replaces a parked event once, %s', async (given) => {
    const { fetch, consumer, position, edit } = await withParked();
    const { consumers } = suite.client;
    const before = await stored();
    const lost = suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1 });
    const { outcome, event } = await edit(given === 'without one' ? '' : crypto.randomUUID());
    expect(lost.hits).toBe(1);
    expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await stored()).toEqual(after(before));
    expect(await refusalOf(consumers.replayParkedEvents({ consumer, positions: [position] }))).toMatchObject({
      reason: 'PARKED_UNKNOWN',
    });
    const next = await fetch({ limit: 10, wait: { seconds: 5n, nanos: 0 } });
    expect(next.deliveries.map((one) => [numberOf(one), one.event?.position])).toEqual([[2, event?.position]]);
  });
});

describe('a parked event that goes while the group is under way', () => {
  it('is not replaced: nothing is stored, and the group decides again', async () => {
    const { edit } = await withParked();
    const before = await stored();
    const connection = await createConnection(suite.database.adminUrl);
    // As if it had been discarded after the group read that it is there.
    await connection.query('CREATE TRIGGER thief BEFORE INSERT ON log FOR EACH ROW DELETE FROM consumer_trouble');
    suite.proxy.statements.length = 0;
    const edited = edit();
    const tries = () =>
      suite.proxy.statements.filter(({ text }) => text.startsWith('DELETE FROM consumer_trouble')).length;
    await waitUntil(() => tries() >= 2, { what: 'the group is run again' });
    expect(await stored()).toEqual(before);
    await connection.query('DROP TRIGGER thief');
    expect((await edited).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await stored()).toEqual(after(before));
    await connection.end();
  });
});
