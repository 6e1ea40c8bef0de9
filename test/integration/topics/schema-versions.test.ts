// Two instances take pushes while the schema of their topic changes on both: the log itself is the model. An event fits the version that was
// in force where it lies, which the entries of the audit tell, and no other.

import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { SchemaCompatibility } from '../../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { seededRandom } from '../../support/random.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);

const VERSIONS = 25;
const PUSHERS = 6;
const { SCHEMA_COMPATIBILITY_NONE: NONE } = SchemaCompatibility;

/** Version n takes what is at least n. */
const schemaOf = (version: number) =>
  JSON.stringify({ type: 'object', required: ['n'], properties: { n: { type: 'integer', minimum: version } } });

it('no push slips past a stricter schema, whichever instance takes it', async () => {
  const topic = `topic ${randomUUID()}`;
  const clients = [suite.client, other.client];
  await suite.client.topics.registerTopic({ name: topic, settings: { schema: schemaOf(1), compatibility: NONE } });
  const random = seededRandom(Number(process.env['SEED'] ?? 7));
  let latest = 1;
  const stored: { n: number; version: number }[] = [];
  let refused = 0;
  let last = 0n;

  const change = async () => {
    for (let version = 2; version <= VERSIONS; version += 1) {
      const client = clients[version % 2] ?? suite.client;
      await client.topics.updateTopic({ name: topic, settings: { schema: schemaOf(version) }, updateMask: ['schema'] });
      latest = version;
    }
  };
  const push = async (index: number) => {
    const client = clients[index % 2] ?? suite.client;
    while (latest < VERSIONS) {
      const n = 1 + Math.floor(random() * VERSIONS);
      const named = random() < 0.2 ? 1 + Math.floor(random() * latest) : 0;
      const before = latest;
      const event = newEvent({ topic, payload: jsonPayload({ n }), version: named, tag: named === 0 ? '' : 'named' });
      const pushed = client.events.pushEvent({ event });
      const answer = await pushed.catch(() => undefined);
      if (answer === undefined) {
        const { reason, metadata } = await refusalOf(pushed);
        const met = Number(metadata['version']);
        // A change is stored before its caller hears of it, so that one more may be met.
        expect({
          reason,
          isRefused: n < met,
          isKnown: met >= (named || before) && met <= (named || latest + 1),
        }).toEqual({ reason: 'SCHEMA_REJECTED', isRefused: true, isKnown: true });
        refused += 1;
      } else {
        const { version = 0, position = 0n } = answer.event ?? {};
        stored.push({ n, version });
        if (position > last) last = position;
      }
    }
  };
  await Promise.all([change(), ...Array.from({ length: PUSHERS }, (_, index) => push(index))]);

  expect(stored.length).toBeGreaterThan(VERSIONS);
  expect(refused).toBeGreaterThan(VERSIONS / 2);
  for (const { n, version } of stored) expect(n).toBeGreaterThanOrEqual(version);

  // What the other instance stored last is read by this one with its next look.
  const ofTopic = { topics: [topic], afterPosition: last - 1n };
  const isThere = async () => (await suite.client.events.listEvents({ filter: ofTopic })).events.length > 0;
  await waitUntil(isThere, { what: 'the last event' });
  const changedAt = await waitUntil(
    async () => {
      const { events } = await suite.client.events.listEvents({
        filter: { topics: ['madeleine.audit'], description: { topic } },
        pageSize: 1_000,
      });
      return events.length >= VERSIONS && events.map(({ position }) => position);
    },
    { what: 'the entries of all changes' },
  );
  expect(changedAt).toHaveLength(VERSIONS);
  let after = 0n;
  let looked = 0;
  for (;;) {
    const { events } = await suite.client.events.listEvents({
      filter: { topics: [topic], afterPosition: after },
      pageSize: 1_000,
    });
    for (const { position, version, payload, tag } of events) {
      const inForce = changedAt.filter((changed) => changed < position).length;
      const { n } = (payload?.body?.value ?? {}) as { n: number };
      if (tag === 'named') expect(version).toBeLessThanOrEqual(inForce);
      else expect(version).toBe(inForce);
      expect(n).toBeGreaterThanOrEqual(version);
      looked += 1;
      after = position;
    }
    if (events.length === 0) break;
  }
  expect(looked).toBe(stored.length);
});
