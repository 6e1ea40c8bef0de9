// Waits and callbacks that an earlier server left: today's ends them, calls back, and opens the secrets that were sealed then.

import { Webhook as Verifier } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CawinState } from '../../generated/madeleine/v1/cawin_service.js';
import { EventStatus } from '../../generated/madeleine/v1/event.js';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { HttpReceiver } from '../support/cawins/http-receiver.js';
import { refusalOf } from '../support/contract/refusals.js';
import { jsonPayload } from '../support/events/builders.js';
import { type Dump, listDumps } from '../support/migrations/dumps.js';
import { AWAITED, CALLBACK_SECRET, descriptionOf, INVOICE } from '../support/migrations/old-waits.js';
import { useUpgraded } from '../support/migrations/upgraded.js';
import { waitUntil } from '../support/wait-until.js';

/** Before the oldest dump. */
const SINCE = { seconds: 1_790_000_000n, nanos: 0 };
const { CAWIN_STATE_FIRED } = CawinState;

/** What the tests take from the readings. */
interface Recorded {
  readonly listAwaited: readonly { readonly id: string; readonly topic: string }[];
  readonly listCawins: readonly RecordedCawin[];
}

interface RecordedCawin {
  readonly id: string;
  readonly requestId?: string;
  readonly callback: { readonly url: string };
  readonly firings?: readonly { readonly attempts?: number }[];
}

describe.each(listDumps().filter(({ version }) => version >= 3))('waits of $name', (dump: Dump) => {
  const suite = useUpgraded(dump);
  const recorded = dump.readings as unknown as Recorded;
  const receiver = new HttpReceiver();
  beforeAll(() => receiver.start());
  afterAll(() => receiver.stop());

  const openWait = (topic: string) => BigInt(recorded.listAwaited.find((wait) => wait.topic === topic)!.id);

  /** Lets a cawin of the dump call the test's receiver from now on. */
  async function redirect(is: (cawin: RecordedCawin) => boolean): Promise<{ id: bigint; attempts: number }> {
    const { id: text, firings = [] } = recorded.listCawins.find(is)!;
    const id = BigInt(text);
    const callback = { url: receiver.url(`/${id}`) };
    await suite.client.cawins.updateCawin({ id, callback, updateMask: ['callback.url'] });
    return { id, attempts: firings[0]?.attempts ?? 0 };
  }

  async function fires(id: bigint) {
    const isFired = async () => (await suite.client.cawins.getCawin({ id })).cawin?.state === CAWIN_STATE_FIRED;
    await waitUntil(isFired, { what: `cawin ${id} has fired` });
    const { attempts } = await suite.client.cawins.listAttempts({ cawinId: id });
    return attempts.map(({ number }) => number);
  }

  /** What the receiver got; fails unless it is signed by the secret of the dump. */
  function verified(id: bigint): unknown {
    const { headers, body } = receiver.received.find(({ path }) => path === `/${id}`)!;
    expect(headers).toMatchObject({ authorization: 'Bearer old-token', 'x-two': '2' });
    return new Verifier(CALLBACK_SECRET).verify(body.toString(), headers as Record<string, string>);
  }

  it.each(Object.keys(AWAITED) as (keyof typeof AWAITED)[])('know the push again that was %s', async (name) => {
    const { outcome } = await suite.client.events.pushEvent({ event: AWAITED[name] });
    expect(Outcome[outcome]).toBe('OUTCOME_DUPLICATE');
  });

  it('end by what occurs now', async () => {
    const payload = jsonPayload({ ...descriptionOf('open'), more: 'now' });
    const { outcome, event } = await suite.client.events.pushEvent({
      event: { topic: 'payments', issuer: 'bank', payload },
    });
    expect({ outcome, id: event?.id }).toEqual({ outcome: Outcome.OUTCOME_SATISFIED, id: openWait('payments') });
  });

  it('had ended by what occurred then, which is found', async () => {
    const event = { topic: 'payments', issuer: 'late', description: descriptionOf('shared') };
    const answer = await suite.client.events.pushEvent({ event, since: SINCE });
    expect(Outcome[answer.outcome]).toBe('OUTCOME_FOUND');
    expect(answer.event).toMatchObject({
      status: EventStatus.EVENT_STATUS_OCCURRED,
      satisfiedIds: [expect.anything()],
    });
  });

  it('are on topics whose events occur once', async () => {
    const again = { event: { ...INVOICE, messageId: '', tag: 'again' } };
    expect(await refusalOf(suite.client.events.pushEvent(again))).toMatchObject({ reason: 'ALREADY_OCCURRED' });
  });

  it('call back when they end', async () => {
    const { id } = await redirect(({ requestId }) => requestId === '/waiting');
    const payload = jsonPayload({ awaited: 'by cawins', at: 'last' });
    const { event } = await suite.client.events.pushEvent({ event: { topic: 'shipments', issuer: 'bank', payload } });
    expect(event?.id).toBe(openWait('shipments'));
    expect(await fires(id)).toEqual([1]);
    expect(verified(id)).toMatchObject({ data: { at: 'last' } });
  });

  it('call back what failed before, and count on', async () => {
    const { id, attempts } = await redirect(({ requestId }) => requestId === '/fails');
    await suite.client.cawins.retryCawin({ id });
    expect(await fires(id)).toEqual(Array.from({ length: attempts + 1 }, (_, index) => index + 1));
    expect(verified(id)).toMatchObject({ data: { n: 1 } });
  });

  it('call back what was held for a dead endpoint', async () => {
    const { id, attempts } = await redirect(({ callback }) => callback.url.endsWith('/held'));
    // It may be due as soon as its endpoint answers, and is then called twice.
    await suite.client.cawins.retryCawin({ id });
    const numbers = await fires(id);
    expect(numbers.length).toBeGreaterThan(attempts);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});
