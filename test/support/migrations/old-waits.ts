// What an old server that knows waits is made to keep: waits in every state, registered topics, cawins in every state.

import type { CreateCawinRequest, DeepPartial } from '../../../generated/madeleine/v1/cawin_service.js';
import { AttemptOutcome, type Cawin, CawinState } from '../../../generated/madeleine/v1/cawin_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import type { PushEventResponse } from '../../../generated/madeleine/v1/event_service.js';
import { HttpReceiver } from '../cawins/http-receiver.js';
import { jsonPayload } from '../events/builders.js';
import { waitUntil } from '../wait-until.js';
import type { ContractClient } from './contract.js';
import { type Draft, messageId } from './old-events.js';

/** As the settings of the old server and of today's have it: they open what the other sealed. */
export const SECRET_KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
export const CALLBACK_SECRET = `whsec_${Buffer.from('an old secret of twenty-nine b').toString('base64')}`;
/** The ports are in the dump, as parts of URLs: that of a receiver, and one where nobody listens. */
const RECEIVER_PORT = 47_811;
const DEAD_PORT = 47_812;

const YEAR = { seconds: 365n * 86_400n, nanos: 0 };
const SECOND = { seconds: 1n, nanos: 0 };
/** More than an endpoint may fail before calls to it are held. */
const DEAD_CAWINS = 12;

/** What payloads and descriptions of a wait's name have in common. */
export function descriptionOf(name: string): { [key: string]: unknown } {
  return { wait: name, 'awkward key.with/slash ü': { n: 1.5 } };
}

function awaited(name: string, number: number, more: Draft = {}): Draft {
  const description = descriptionOf(name);
  return { topic: 'payments', issuer: 'waiter', messageId: messageId(number), description, ...more };
}

/** Pushes that left no entry in the log, by what became of their waits. */
export const AWAITED = {
  open: awaited('open', 100, { sessionId: 'session-2', tag: 'waits', entityType: 'payment', unit: 'sales' }),
  occurred: awaited('occurred', 101),
  expired: awaited('expired', 102),
  invalidated: awaited('invalidated', 103),
  shared: awaited('shared', 104),
  found: awaited('occurred', 105),
} as const;

/** A payload with the values at the `description_paths` of its topic that one of the dump has. */
export const INVOICE: Draft = {
  topic: 'invoices',
  issuer: 'waiter',
  messageId: messageId(120),
  payload: jsonPayload({ order: { id: 7 }, 'awkward / ü': 'x', total: 1 }),
};

export async function makeWaits(client: ContractClient): Promise<void> {
  for (const name of ['open', 'occurred', 'invalidated', 'shared'] as const) await push(client, AWAITED[name], YEAR);
  // Of another shape: one payload satisfies this and the one before.
  await push(client, { topic: 'payments', issuer: 'other', messageId: messageId(110), description: { both: 'yes' } });
  await push(client, {
    topic: 'payments',
    messageId: messageId(111),
    payload: jsonPayload({ ...descriptionOf('shared'), both: 'yes', more: 1 }),
  });
  await push(client, { topic: 'payments', messageId: messageId(112), payload: jsonPayload(descriptionOf('occurred')) });
  await push(client, AWAITED.found, YEAR);
  await invalidate(client, messageId(103), 'the order was cancelled: größer 🎉');
  await invalidate(client, messageId(112), 'it was a mistake');
  await expire(client);
  await registerTopics(client);
}

async function push(client: ContractClient, draft: Draft, waitTimeout?: typeof YEAR): Promise<PushEventResponse> {
  return client.events.pushEvent({ event: { issuer: 'waiter', ...draft }, waitTimeout });
}

async function invalidate(client: ContractClient, id: string, reason: string): Promise<void> {
  const { event } = await client.events.getEvent({ key: { $case: 'messageId', value: id } });
  await client.events.invalidateEvent({ id: event?.id ?? 0n, reason });
}

async function expire(client: ContractClient): Promise<void> {
  await push(client, AWAITED.expired, SECOND);
  const key = { $case: 'messageId', value: messageId(102) } as const;
  const isExpired = async () =>
    (await client.events.getEvent({ key })).event?.status === EventStatus.EVENT_STATUS_EXPIRED;
  await waitUntil(isExpired, { what: 'the wait of a second is over' });
}

async function registerTopics(client: ContractClient): Promise<void> {
  const descriptionPaths = ['/order/id', '/awkward ~1 ü'];
  await client.topics.registerTopic({ name: 'invoices', settings: { descriptionPaths } });
  await client.topics.registerTopic({ context: '日本 🎉', name: 'plain', settings: {} });
  await push(client, INVOICE);
}

/** A cawin in each state, with what was tried. */
export async function makeCawins(client: ContractClient): Promise<void> {
  const receiver = new HttpReceiver();
  receiver.respond = (response, { path }) => {
    const status = { '/fails': 503, '/refuses': 422 }[path] ?? 200;
    response.writeHead(status).end(`answer to ${path}: größer 🎉`);
  };
  await receiver.start(RECEIVER_PORT);
  try {
    await makeCawinsAt(client, `http://127.0.0.1:${receiver.port}`);
  } finally {
    await receiver.stop();
  }
}

async function makeCawinsAt(client: ContractClient, receiver: string): Promise<void> {
  const { event: occurred } = await push(client, {
    topic: 'shipments',
    messageId: messageId(130),
    payload: jsonPayload({ n: 1 }),
  });
  const awaited = await push(
    client,
    { topic: 'shipments', messageId: messageId(131), description: { awaited: 'by cawins' } },
    YEAR,
  );
  const doomed = await push(
    client,
    { topic: 'shipments', messageId: messageId(132), description: { awaited: 'in vain' } },
    YEAR,
  );
  const on = (eventId = 0n, path: string, more: DeepPartial<CreateCawinRequest> = {}) =>
    create(client, { eventId, requestId: path, ...more, callback: { url: receiver + path, ...more.callback } });

  const sealed = { secret: CALLBACK_SECRET, headers: { Authorization: 'Bearer old-token', 'X-Two': '2' } };
  const waiting = await on(awaited.event?.id, '/waiting', {
    expiresAt: { seconds: BigInt(Math.trunc(Date.now() / 1_000)) + YEAR.seconds / 2n, nanos: 0 },
    callback: { ...sealed, timeout: { seconds: 3n, nanos: 5_000_000 } },
  });
  const inactive = await on(awaited.event?.id, '/inactive', { active: false, notifyOn: [2, 4] });
  const closed = await on(doomed.event?.id, '/closed', { notifyOn: [2] });
  const told = await on(doomed.event?.id, '/told', { notifyOn: [3], callback: sealed });
  await client.events.invalidateEvent({ id: doomed.event?.id ?? 0n, reason: 'in vain' });
  const fired = await on(occurred?.id, '/fired', { callback: sealed });
  const fails = await on(occurred?.id, '/fails', { callback: sealed });
  const refused = await on(occurred?.id, '/refuses');
  const { cawin: checking } = await client.cawins.checkOrWait({
    ...{ topic: 'shipments', issuer: 'checker', requestId: '/checking', description: { n: 1 } },
    callback: { url: `${receiver}/checking` },
  });
  await makeHeld(client, occurred?.id);
  const { CAWIN_STATE_WAITING, CAWIN_STATE_FIRING, CAWIN_STATE_FIRED } = CawinState;
  const { CAWIN_STATE_FAILED, CAWIN_STATE_INACTIVE, CAWIN_STATE_CLOSED } = CawinState;
  await reaches(client, waiting, CAWIN_STATE_WAITING);
  await reaches(client, inactive, CAWIN_STATE_INACTIVE);
  await reaches(client, closed, CAWIN_STATE_CLOSED);
  for (const cawin of [told, fired, checking]) await reaches(client, cawin, CAWIN_STATE_FIRED);
  await reaches(client, fails, CAWIN_STATE_FIRING);
  await reaches(client, refused, CAWIN_STATE_FAILED);
  await failed(client, fails);
}

async function create(client: ContractClient, request: DeepPartial<CreateCawinRequest>): Promise<Cawin | undefined> {
  return (await client.cawins.createCawin(request)).cawin;
}

async function makeHeld(client: ContractClient, eventId = 0n): Promise<void> {
  const callback = { url: `http://127.0.0.1:${DEAD_PORT}/held` };
  const cawins = await Promise.all(Array.from({ length: DEAD_CAWINS }, () => create(client, { eventId, callback })));
  const held = async () => {
    const all = await Promise.all(cawins.map((cawin) => client.cawins.getCawin({ id: cawin?.id ?? 0n })));
    return all.some(({ cawin }) => cawin?.firings.some((firing) => firing.held));
  };
  await waitUntil(held, { what: 'calls to the dead endpoint are held', timeoutMs: 60_000 });
}

async function reaches(client: ContractClient, cawin: Cawin | undefined, state: CawinState): Promise<void> {
  const id = cawin?.id ?? 0n;
  const isThere = async () => (await client.cawins.getCawin({ id })).cawin?.state === state;
  await waitUntil(isThere, { what: `cawin ${id} is ${CawinState[state]}`, timeoutMs: 30_000 });
}

async function failed(client: ContractClient, cawin: Cawin | undefined): Promise<void> {
  const isTried = async () => {
    const { attempts } = await client.cawins.listAttempts({ cawinId: cawin?.id ?? 0n });
    return attempts.filter(({ outcome }) => outcome === AttemptOutcome.ATTEMPT_OUTCOME_FAILED).length >= 2;
  };
  await waitUntil(isTried, { what: 'the failing receiver was called twice', timeoutMs: 30_000 });
}
