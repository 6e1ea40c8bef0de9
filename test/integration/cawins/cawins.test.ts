import { createConnection } from 'mysql2/promise';
import { Webhook as Verifier } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { AttemptOutcome, CawinState, UpdateCawinRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { SECRET, useCawins } from '../../support/cawins/cawin-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { waitUntil } from '../../support/wait-until.js';

const scene = useCawins();
const { OCCURRED, INVALIDATED } = {
  OCCURRED: EventStatus.EVENT_STATUS_OCCURRED,
  INVALIDATED: EventStatus.EVENT_STATUS_INVALIDATED,
};

describe('a cawin on an event that has occurred', () => {
  it('fires at once, signed, and is FIRED when the call was taken', async () => {
    const eventId = await scene.occurred();
    const cawin = await scene.create(eventId, {}, { secret: SECRET, headers: { 'X-Tenant': 'acme' } });
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(scene.receiver.received).toHaveLength(1);
    const { headers, body } = scene.receiver.received[0]!;
    expect(new Verifier(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({
      cawinid: String(cawin.id),
    });
    expect(headers).toMatchObject({ 'x-tenant': 'acme', 'webhook-id': fired.firings[0]?.deliveryId });
    expect(fired).toMatchObject({
      eventId,
      context: 'default',
      active: true,
      callback: { headerNames: ['X-Tenant'], signed: true, timeout: { seconds: 10n } },
      firings: [{ kind: OCCURRED, attempts: 1, held: false }],
    });
    expect(fired.firings[0]?.position).toBeGreaterThan(0n);
    expect(await scene.attempts(cawin.id)).toMatchObject([
      {
        kind: OCCURRED,
        number: 1,
        outcome: AttemptOutcome.ATTEMPT_OUTCOME_DELIVERED,
        statusCode: 200,
        firstBytes: 'thanks',
      },
    ]);
  });

  it('is CLOSED where nothing that it asks for can come, and waits where it can', async () => {
    const eventId = await scene.occurred();
    const expired = await scene.create(eventId, { notifyOn: [EventStatus.EVENT_STATUS_EXPIRED] });
    expect(expired.state).toBe(CawinState.CAWIN_STATE_CLOSED);
    const invalidated = await scene.create(eventId, { notifyOn: [INVALIDATED] });
    expect(invalidated.state).toBe(CawinState.CAWIN_STATE_WAITING);
  });

  it('made inactive fires when it is switched on, and never twice', async () => {
    const cawin = await scene.create(await scene.occurred(), { active: false });
    expect(cawin).toMatchObject({ state: CawinState.CAWIN_STATE_INACTIVE, firings: [] });
    const on = () => scene.client.cawins.updateCawin({ id: cawin.id, active: true, updateMask: ['active'] });
    await on();
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    await scene.client.cawins.updateCawin({ id: cawin.id, active: false, updateMask: ['active'] });
    expect((await scene.get(cawin.id)).state).toBe(CawinState.CAWIN_STATE_INACTIVE);
    await on();
    expect((await scene.get(cawin.id)).state).toBe(CawinState.CAWIN_STATE_FIRED);
    expect(scene.receiver.received).toHaveLength(1);
  });
});

describe('an attempt', () => {
  it('that fails is made again with the same id, until one is taken', async () => {
    scene.receiver.respond = (response) => response.writeHead(scene.receiver.received.length < 3 ? 503 : 204).end();
    const cawin = await scene.create(await scene.occurred());
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(new Set(scene.receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect((await scene.attempts(cawin.id)).map(({ number, statusCode }) => [number, statusCode])).toEqual([
      [1, 503],
      [2, 503],
      [3, 204],
    ]);
  });

  it('that is the last one leaves the cawin FAILED, and RetryCawin calls again', async () => {
    scene.receiver.respond = (response) => response.writeHead(500).end('no');
    const cawin = await scene.create(await scene.occurred());
    const failed = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FAILED);
    expect(failed.firings).toMatchObject([{ attempts: 4, nextAttemptAt: undefined }]);
    scene.receiver.respond = (response) => response.end();
    const { retried } = await scene.client.cawins.retryCawin({ id: cawin.id });
    expect(retried).toBe(1);
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(scene.receiver.received).toHaveLength(5);
    expect((await scene.client.cawins.retryCawin({ id: cawin.id })).retried).toBe(0);
  });

  it('is not made any more where servers ended in the middle of all that there were', async () => {
    scene.receiver.respond = (response) => response.writeHead(500, { 'retry-after': '3600' }).end();
    const cawin = await scene.create(await scene.occurred());
    await waitUntil(async () => (await scene.attempts(cawin.id)).length === 1, { what: 'the first attempt' });
    const connection = await createConnection(scene.database.adminUrl);
    await connection.query('UPDATE firing SET attempts = 4, due_at = 1 WHERE cawin_id = ?', [cawin.id]);
    await connection.query('UPDATE endpoint SET ready_at = 1');
    await connection.end();
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FAILED);
    expect(scene.receiver.received).toHaveLength(1);
    expect((await scene.attempts(cawin.id)).at(-1)).toMatchObject({ number: 5, reason: 'internal' });
  });

  it('that is answered with 410 is the last one', async () => {
    scene.receiver.respond = (response) => response.writeHead(410).end();
    const cawin = await scene.create(await scene.occurred());
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FAILED);
    expect(await scene.attempts(cawin.id)).toMatchObject([
      { outcome: AttemptOutcome.ATTEMPT_OUTCOME_REJECTED, reason: 'gone', statusCode: 410 },
    ]);
  });
});

describe('a request id', () => {
  it('makes a retry safe, secrets included, and is refused for another cawin', async () => {
    const eventId = await scene.occurred();
    const callback = {
      url: scene.receiver.url(),
      secret: SECRET,
      headers: { Authorization: 'Bearer abcdef' },
      timeout: undefined,
    };
    const request = { eventId, callback, requestId: 'order-17' };
    const first = await scene.client.cawins.createCawin(request);
    // A client counts its deadline anew.
    const expiresAt = { seconds: BigInt(Math.round(Date.now() / 1000) + 3_600), nanos: 0 };
    const second = await scene.client.cawins.createCawin({ ...request, expiresAt });
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.cawin?.id).toBe(first.cawin?.id);
    for (const other of [
      { ...request, notifyOn: [OCCURRED] },
      { ...request, callback: { ...callback, headers: { Authorization: 'Bearer abcdeX' } } },
      { ...request, callback: { ...callback, secret: '' } },
    ]) {
      const refusal = await refusalOf(scene.client.cawins.createCawin(other));
      expect(refusal).toMatchObject({ status: 'ALREADY_EXISTS', reason: 'REQUEST_ID_REUSED', fields: ['request_id'] });
    }
  });
});

describe('managing', () => {
  it('lists by event and state, in pages', async () => {
    const eventId = await scene.occurred();
    const ids: bigint[] = [];
    for (let n = 0; n < 3; n += 1) ids.push((await scene.create(eventId, { active: n < 2 })).id);
    const page = await scene.client.cawins.listCawins({ eventId, pageSize: 2 });
    expect(page.cawins.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const rest = await scene.client.cawins.listCawins({ eventId, pageSize: 2, pageToken: page.nextPageToken });
    expect(rest.cawins.map(({ id }) => id)).toEqual(ids.slice(2));
    const inactive = await scene.client.cawins.listCawins({ eventId, states: [CawinState.CAWIN_STATE_INACTIVE] });
    expect(inactive.cawins.map(({ id }) => id)).toEqual(ids.slice(2));
    const other = scene.client.cawins.listCawins({ eventId: eventId + 1n, pageToken: page.nextPageToken });
    expect(await refusalOf(other)).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
  });

  it('deletes with all that belongs to it', async () => {
    const cawin = await scene.create(await scene.occurred());
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    await scene.client.cawins.deleteCawin({ id: cawin.id });
    const { id } = cawin;
    const { cawins } = scene.client;
    for (const call of [
      () => cawins.getCawin({ id }),
      () => cawins.deleteCawin({ id }),
      () => cawins.listAttempts({ cawinId: id }),
      () => cawins.retryCawin({ id }),
      () => cawins.updateCawin({ id, updateMask: ['active'] }),
    ]) {
      expect(await refusalOf(call())).toMatchObject({ status: 'NOT_FOUND', reason: 'CAWIN_UNKNOWN' });
    }
  });

  it('ends the attempts of one that is deleted', async () => {
    scene.receiver.respond = (response) => response.writeHead(500).end();
    const cawin = await scene.create(await scene.occurred());
    await waitUntil(() => scene.receiver.received.length > 0, { what: 'a first attempt' });
    await scene.client.cawins.deleteCawin({ id: cawin.id });
    const calls = scene.receiver.received.length;
    // Another cawin goes through all of its attempts meanwhile.
    const other = await scene.create(await scene.occurred());
    await scene.reaches(other.id, CawinState.CAWIN_STATE_FAILED);
    const own = scene.receiver.received.filter(({ headers }) => headers['webhook-id'] === `dlv_${cawin.id}_1`);
    // One call may have been claimed before the deletion.
    expect(own.length).toBeLessThanOrEqual(calls + 1);
  });

  it('moves a firing to another URL', async () => {
    scene.receiver.respond = (response, { path }) => response.writeHead(path === '/good' ? 200 : 500).end();
    const cawin = await scene.create(await scene.occurred());
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FAILED);
    const callback = { url: scene.receiver.url('/good'), secret: '', headers: {}, timeout: undefined };
    await scene.client.cawins.updateCawin({ id: cawin.id, callback, updateMask: ['callback.url'] });
    await scene.client.cawins.retryCawin({ id: cawin.id });
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
  });

  it('signs with the former secret too after a change', async () => {
    const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
    const cawin = await scene.create(await scene.occurred(), { active: false }, { secret: SECRET });
    const callback = { url: '', secret: other, headers: {}, timeout: undefined };
    const update = { id: cawin.id, active: true, callback, updateMask: ['active', 'callback.secret'] };
    const { cawin: updated } = await scene.client.cawins.updateCawin(update);
    expect(updated?.callback?.formerSecretUntil).toBeDefined();
    await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    const { headers, body } = scene.receiver.received[0]!;
    for (const secret of [SECRET, other]) new Verifier(secret).verify(body, headers as Record<string, string>);
  });
});

describe('two updates at once', () => {
  it('each keep what the other changed', async () => {
    const { cawins } = scene.client;
    for (let n = 1; n <= 10; n += 1) {
      const { id } = await scene.create(await scene.occurred(), { active: false }, { secret: SECRET });
      const secret = `whsec_${Buffer.alloc(32, n).toString('base64')}`;
      const callback = { url: '', secret, headers: {}, timeout: { seconds: BigInt(n), nanos: 0 } };
      await Promise.all(
        ['callback.secret', 'callback.timeout'].map((path) =>
          cawins.updateCawin(UpdateCawinRequest.fromPartial({ id, callback, updateMask: [path] })),
        ),
      );
      const after = await scene.get(id);
      expect(after.callback).toMatchObject({ timeout: { seconds: BigInt(n) }, formerSecretUntil: expect.anything() });
    }
  });

  it('do not set a deadline that has passed', async () => {
    const { id } = await scene.create(await scene.occurred());
    await scene.reaches(id, CawinState.CAWIN_STATE_FIRED);
    const expiresAt = { seconds: 1n, nanos: 0 };
    const update = UpdateCawinRequest.fromPartial({ id, expiresAt, updateMask: ['expires_at'] });
    expect((await refusalOf(scene.client.cawins.updateCawin(update))).fields).toEqual(['expires_at']);
    expect((await scene.get(id)).firings.map(({ kind }) => kind)).toEqual([OCCURRED]);
  });
});

describe('refused are', () => {
  const refused = async (changes: object, callback: object = {}) => {
    const eventId = await scene.occurred();
    return refusalOf(scene.create(eventId, changes, callback));
  };

  it('events that do not exist', async () => {
    expect(await refused({ eventId: 1_000_000n })).toMatchObject({ status: 'NOT_FOUND', reason: 'EVENT_UNKNOWN' });
    expect(await refused({ eventId: 2n ** 60n })).toMatchObject({ status: 'NOT_FOUND', reason: 'EVENT_UNKNOWN' });
  });

  it.each<[field: string, changes: object, callback: object]>([
    ['event_id', { eventId: 0n }, {}],
    ['callback', { callback: undefined }, {}],
    ['notify_on[0]', { notifyOn: [EventStatus.EVENT_STATUS_AWAITED] }, {}],
    ['request_id', { requestId: 'x'.repeat(65) }, {}],
    ['expires_at', { expiresAt: { seconds: 2n ** 33n, nanos: 0 } }, {}],
    ['expires_at', { expiresAt: { seconds: 1n, nanos: 0 } }, {}],
    ['callback.url', {}, { url: 'ftp://example.org' }],
    ['callback.secret', {}, { secret: 'whsec_short' }],
    ['callback.headers[Host]', {}, { headers: { Host: 'x' } }],
    ['callback.timeout', {}, { timeout: { seconds: 61n, nanos: 0 } }],
  ])('a bad %s', async (field, changes, callback) => {
    expect(await refused(changes, callback)).toMatchObject({ status: 'INVALID_ARGUMENT', fields: [field] });
  });

  it.each(['http://10.0.0.1/', 'http://169.254.169.254/latest', 'https://[::1]/', 'amqp:orders/paid'])(
    'callbacks to %s',
    async (url) => {
      expect(await refused({}, { url })).toMatchObject({
        status: 'FAILED_PRECONDITION',
        reason: 'CALLBACK_NOT_ALLOWED',
        fields: ['callback.url'],
      });
    },
  );
});
