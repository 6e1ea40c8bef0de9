// How many statements cawins cost under the head row: as many for a hundred as for one.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CheckOrWaitRequest } from '../../generated/madeleine/v1/cawin_service.js';
import { CAWIN_SETTINGS, callbackTo, created, pushed, SECRET } from '../support/cawins/cawin-scene.js';
import { HttpReceiver } from '../support/cawins/http-receiver.js';
import { useProxiedServer } from '../support/database/proxied.js';

/** Events read (two: waits and entries), time, events again, insert, ids, secrets, endpoints, firings, head with COMMIT … */
const AT_MOST = 11;
/** … and request ids. */
const AT_MOST_WITH_IDS = 12;

const suite = useProxiedServer(CAWIN_SETTINGS);
const receiver = new HttpReceiver();
beforeAll(() => receiver.start());
afterAll(() => receiver.stop());

/** What each group that made cawins sent between taking the head row and its release. */
async function groupsOf(work: () => Promise<unknown>): Promise<string[][]> {
  const from = suite.proxy.statements.length;
  await work();
  const groups = new Map<number, string[]>();
  const ended: string[][] = [];
  for (const { group, command, connection, text } of suite.proxy.statements.slice(from)) {
    if (!group || command === 'prepare') continue;
    if (text.includes('FROM log_head') && text.includes('FOR UPDATE')) groups.set(connection, []);
    else groups.get(connection)?.push(text);
    if (!/COMMIT|ROLLBACK/.test(text)) continue;
    ended.push(groups.get(connection) ?? []);
    groups.delete(connection);
  }
  return ended.filter((sent) => sent.some((text) => text.includes('INSERT INTO cawin')));
}

describe('a group that makes cawins holds the head row', () => {
  it.each([1, 80])('for few round trips, with %i on events that occurred', async (count) => {
    const eventId = await pushed(suite.client);
    const callback = callbackTo(receiver.url(), { secret: SECRET });
    const make = () => created(suite.client, { eventId, callback, requestId: randomUUID() });
    await make();
    const groups = await groupsOf(() => Promise.all(Array.from({ length: count }, make)));
    expect(groups.length).toBeGreaterThan(0);
    // They share groups.
    expect(groups.length).toBeLessThanOrEqual(Math.max(1, count / 4));
    for (const sent of groups) expect(sent.length, sent.join('\n')).toBeLessThanOrEqual(AT_MOST_WITH_IDS);
  });

  it('for few round trips, when they come with descriptions', async () => {
    const ask = (n: number) => {
      const request = { topic: 'asked', issuer: 'x', description: { n }, callback: callbackTo(receiver.url()) };
      return suite.client.cawins.checkOrWait(CheckOrWaitRequest.fromPartial(request as object));
    };
    await ask(0);
    const groups = await groupsOf(() => Promise.all(Array.from({ length: 60 }, (_, n) => ask(n))));
    expect(groups.length).toBeGreaterThan(0);
    for (const sent of groups) expect(sent.length, sent.join('\n')).toBeLessThanOrEqual(AT_MOST);
  });
});
