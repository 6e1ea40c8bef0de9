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

const suite = useProxiedServer();
const scene = useScenes(suite);

async function stored(): Promise<{ events: number; parked: number }> {
  const connection = await createConnection(suite.database.url);
  try {
    const [[row]] = await connection.query<RowDataPacket[]>(
      'SELECT (SELECT COUNT(*) FROM log) AS events, (SELECT COUNT(*) FROM consumer_trouble) AS parked',
    );
    return { events: Number(row?.['events']), parked: Number(row?.['parked']) };
  } finally {
    await connection.end();
  }
}

describe.each(['cut after', 'cut before'] as const)('a connection %s COMMIT', (kind) => {
  it.each(['with a message id', 'without one'])('replaces a parked event once, %s', async (given) => {
    const { fetch, push, consumer } = scene();
    const { consumers } = suite.client;
    const [position] = (await push(1)) as [bigint];
    const { deliveries } = await fetch({ limit: 1 });
    const rejections = acknowledgements(deliveries);
    await consumers.reject({ consumer, rejections, verdict: Verdict.VERDICT_PARK });
    const before = await stored();
    const lost = suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1 });
    const messageId = given === 'without one' ? '' : crypto.randomUUID();
    const request = ReplayEditedEventRequest.fromPartial({
      ...{ consumer, position, event: { issuer: 'i', payload: jsonPayload({ n: 2 }), messageId } },
    } as ReplayEditedEventRequest);
    const { outcome, event } = await consumers.replayEditedEvent(request);
    expect(lost.hits).toBe(1);
    expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await stored()).toEqual({ events: before.events + 1, parked: before.parked - 1 });
    expect(await refusalOf(consumers.replayParkedEvents({ consumer, positions: [position] }))).toMatchObject({
      reason: 'PARKED_UNKNOWN',
    });
    const next = await fetch({ limit: 10, wait: { seconds: 5n, nanos: 0 } });
    expect(next.deliveries.map((one) => [numberOf(one), one.event?.position])).toEqual([[2, event?.position]]);
  });
});
