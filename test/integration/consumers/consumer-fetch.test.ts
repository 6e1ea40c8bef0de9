import { describe, expect, it } from 'vitest';
import { FetchRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
const scene = useScenes(suite);
const SECOND = { seconds: 1n, nanos: 0 };

describe('Fetch', () => {
  it('creates the consumer and leases up to the limit, then the next ones', async () => {
    const { fetch, push, ack, get } = scene();
    const positions = await push(5);
    const first = await fetch({ limit: 3 });
    expect(first.deliveries.map(numberOf)).toEqual([1, 2, 3]);
    expect(first.head).toBeGreaterThanOrEqual(positions[4] ?? 0n);
    const second = await fetch({ limit: 3 });
    expect(second.deliveries.map(numberOf)).toEqual([4, 5]);
    expect(await get()).toMatchObject({ inFlight: 5, members: [{ name: '', inFlight: 5 }] });
    await ack([...first.deliveries, ...second.deliveries]);
    expect((await fetch()).deliveries).toEqual([]);
    expect(await get()).toMatchObject({ inFlight: 0, pending: 0n });
  });

  it('answers at once with nothing when there is nothing and no wait', async () => {
    const { fetch } = scene();
    expect((await fetch()).deliveries).toEqual([]);
  });

  it('waits for a first event, and no longer', async () => {
    const { fetch, push } = scene();
    const waiting = fetch({ wait: { seconds: 20n, nanos: 0 } });
    await fetch();
    await push(1);
    expect((await waiting).deliveries.map(numberOf)).toEqual([1]);
    const began = performance.now();
    expect((await fetch({ wait: { seconds: 0n, nanos: 200_000_000 } })).deliveries).toEqual([]);
    expect(performance.now() - began).toBeGreaterThan(190);
  });

  it('serves the callers of one member one after the other, the longest waiting first', async () => {
    const { fetch, push, get } = scene();
    await fetch();
    const order: string[] = [];
    const call = async (name: string) => {
      const { deliveries } = await fetch({ limit: 2, wait: { seconds: 20n, nanos: 0 } });
      order.push(`${name}: ${deliveries.map(numberOf)}`);
    };
    const calls = [call('a'), get().then(() => call('b'))];
    await get();
    await push(2);
    await push(2, {}, 3);
    await Promise.all(calls);
    expect(order).toEqual(['a: 1,2', 'b: 3,4']);
  });

  it('returns the same leases for a repeated request id, as long as they are in flight', async () => {
    const { fetch, push, ack } = scene();
    await push(4);
    const first = await fetch({ limit: 2, requestId: 'r-1' });
    const again = await fetch({ limit: 2, requestId: 'r-1' });
    expect(again.deliveries).toEqual(first.deliveries);
    await ack(first.deliveries.slice(0, 1));
    const rest = await fetch({ limit: 2, requestId: 'r-1' });
    expect(rest.deliveries.map(({ lease }) => lease)).toEqual([first.deliveries[1]?.lease]);
    expect((await fetch({ limit: 2, requestId: 'r-2' })).deliveries.map(numberOf)).toEqual([3, 4]);
  });

  it('makes a call anew when the first one with its request id found nothing', async () => {
    const { fetch, push } = scene();
    expect((await fetch({ requestId: 'r' })).deliveries).toEqual([]);
    await push(1);
    expect((await fetch({ requestId: 'r' })).deliveries.map(numberOf)).toEqual([1]);
  });

  it('delivers again what was not acknowledged in time', async () => {
    const { fetch, push } = scene({ ackTimeout: SECOND });
    await push(1);
    const [first] = (await fetch()).deliveries;
    expect(first?.deadline).toBeDefined();
    const [again] = (await fetch({ wait: { seconds: 10n, nanos: 0 } })).deliveries;
    expect(again).toMatchObject({ attempt: 2 });
    expect(again?.lease).not.toBe(first?.lease);
  });

  it('leases to the named member', async () => {
    const { fetch, push, get } = scene();
    await push(2, (n) => ({ stream: `member-${n}` }));
    await fetch({ limit: 1, member: 'a' });
    await fetch({ limit: 1, member: 'b' });
    expect((await get()).members.map(({ name, inFlight }) => [name, inFlight])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
  });

  it('ends an answer at about 3 MiB and keeps the rest for the next call', async () => {
    const { fetch, push } = scene();
    const payload = bytesPayload(`"${'x'.repeat(250_000)}"`);
    await push(10, { payload });
    await push(10, { payload });
    const first = await fetch();
    expect(first.deliveries.length).toBeGreaterThan(8);
    expect(first.deliveries.length).toBeLessThan(13);
    const second = await fetch();
    expect(first.deliveries.length + second.deliveries.length).toBe(20);
  });

  it('shares the consumer with subscribers', async () => {
    const { fetch, push, subscribe } = scene();
    const subscriber = subscribe({ maxInFlight: 1, member: 's' });
    await subscriber.opened();
    await push(3);
    await subscriber.first(1);
    expect((await fetch()).deliveries).toHaveLength(2);
    expect(await refusalOf(fetch({ member: 's' }))).toMatchObject({ reason: 'FIELD_INVALID', fields: ['member'] });
  });

  it('refuses what is wrong with the request, naming the field', async () => {
    const refused = async (request: Partial<FetchRequest>) => {
      const refusal = await refusalOf(
        suite.client.consumers.fetch(FetchRequest.fromPartial({ consumer: 'x', ...request } as FetchRequest)),
      );
      return `${refusal.reason} ${refusal.fields.join()}`;
    };
    expect(await refused({ consumer: '' })).toBe('FIELD_INVALID consumer');
    expect(await refused({ limit: -1 })).toBe('FIELD_INVALID limit');
    expect(await refused({ wait: { seconds: 61n, nanos: 0 } })).toBe('FIELD_INVALID wait');
    expect(await refused({ wait: { seconds: -1n, nanos: 0 } })).toBe('FIELD_INVALID wait');
    expect(await refused({ requestId: 'x'.repeat(65) })).toBe('FIELD_INVALID request_id');
    expect(await refused({ payloadEncoding: 5 as never })).toBe('FIELD_INVALID payload_encoding');
  });
});
