// What an instance answered is in whatever it shows from then on, though another instance stored something below it that this one
// has not looked for yet: it looks at the log every ten seconds here, so that only a call itself can be what made it look.

import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';

const suite = useServer({ pollMs: '10000' });
const other = useServerBeside(suite);

/** Pushes by the other instance, then by this one; returns the topic and what this one answered. */
async function pushedAfterOther() {
  const topic = `topic ${randomUUID()}`;
  const event = newEvent({ topic });
  const before = await other.client.events.pushEvent({ event });
  const own = await suite.client.events.pushEvent({ event });
  const [first = 0n, last = 0n] = [before, own].map((answer) => answer.event?.position);
  return { topic, first, last };
}

it('is in the next list, and so is what lies below it', async () => {
  const { topic, first, last } = await pushedAfterOther();
  const { events } = await suite.client.events.listEvents({ filter: { topics: [topic] } });
  expect(events.map(({ position }) => position)).toEqual([first, last]);
});

it('is what a reader gets before it is at the head', async () => {
  const { topic, first, last } = await pushedAfterOther();
  const read: bigint[] = [];
  for await (const { events } of suite.client.events.readEvents({ filter: { topics: [topic] } })) {
    read.push(...events.map(({ position }) => position));
  }
  expect(read).toEqual([first, last]);
});

it('is the next event', async () => {
  const { topic, first, last } = await pushedAfterOther();
  const peeked = await suite.client.events.peekEvent({ topic, afterPosition: first });
  expect(peeked.event?.position).toBe(last);
});

it('lies before a consumer that begins at the head', async () => {
  const { last } = await pushedAfterOther();
  const start = { at: { $case: 'latest', value: {} } } as const;
  const { consumer } = await suite.client.consumers.createConsumer({ name: randomUUID(), start });
  expect(consumer?.offset).toBeGreaterThanOrEqual(last);
});
