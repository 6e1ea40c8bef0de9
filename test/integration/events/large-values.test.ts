// JSON that becomes many times as large as a Value: whoever reads it gets it, with a client that takes no more than 4 MiB.

import { beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../../generated/madeleine/v1/event.js';
import { take } from '../../support/contract/refusals.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer({ maxEventBytes: '1048576' });

/** The text again and again, in brackets, of so many bytes. */
function manyOf(item: string, bytes: number): string {
  const items = Array.from({ length: Math.floor(bytes / (item.length + 1)) }, () => item);
  return `[${items.join(',')}]`;
}

const MIB = 1_048_576;
/** What is pushed, and whether a Value can hold it. */
const TEXTS: readonly [what: string, text: string, arm: 'json' | 'data'][] = [
  ['numbers, 765 kB', manyOf('0', 765_000), 'data'],
  ['numbers, 400 kB', manyOf('0', 400_000), 'json'],
  ['empty lists', manyOf('[]', MIB - 2), 'json'],
  ['empty objects in lists', manyOf('[{}]', MIB - 2), 'json'],
  ['short texts', manyOf('""', MIB - 2), 'json'],
  ['objects', manyOf('{"a":0}', MIB - 2), 'json'],
  ['one long text', `"${'x'.repeat(MIB - 2)}"`, 'json'],
  ['one text of escapes', `"${'\\n'.repeat(MIB / 2 - 2)}"`, 'json'],
  ['many members', `{${Array.from({ length: 90_000 }, (_, n) => `"${n}":1`).join(',')}}`, 'json'],
  ['1e400', '[1e400]', 'data'],
];

const armOf = ({ payload }: Event) => payload?.body?.$case;

describe('JSON that is larger as a Value', () => {
  const arms = TEXTS.map(([, , arm]) => arm);

  beforeAll(async () => {
    for (const [, text] of TEXTS)
      await suite.client.events.pushEvent({ event: newEvent({ payload: bytesPayload(text) }) });
  });

  it('comes to readers', async () => {
    const frames = await take(suite.client.events.readEvents({}), () => false);
    expect(frames.flatMap(({ events }) => events).map(armOf)).toEqual(arms);
  });

  it('comes to lists, and by its id', async () => {
    const listed: Event[] = [];
    for (let pageToken = '', first = true; first || pageToken !== ''; first = false) {
      const page = await suite.client.events.listEvents({ pageToken });
      listed.push(...page.events);
      pageToken = page.nextPageToken;
    }
    expect(listed.map(armOf)).toEqual(arms);
    for (const [index, { id }] of listed.entries()) {
      const { event } = await suite.client.events.getEvent({ key: { $case: 'id', value: id } });
      expect(event && armOf(event)).toBe(arms[index]);
    }
  });

  it('comes to consumers, who go on behind it', async () => {
    const subscription = suite.client.consumers.subscribe({ consumer: 'large' });
    const found: Event[] = [];
    for await (const { deliveries } of subscription) {
      found.push(...deliveries.flatMap(({ event }) => (event === undefined ? [] : [event])));
      const last = found.at(-1);
      if (last !== undefined) await suite.client.consumers.acknowledge({ consumer: 'large', upTo: last.position });
      if (found.length === TEXTS.length) break;
    }
    expect(found.map(armOf)).toEqual(arms);
    const bodies = found.map(({ payload }) => (payload?.body?.$case === 'data' ? payload.body.value.toString() : ''));
    expect(bodies).toEqual(TEXTS.map(([, text, arm]) => (arm === 'data' ? text : '')));
  });
});
