// Everything that a server can be asked for about what it stores, as JSON: by an old server when a dump is made, by today's in
// the tests. What differs between two runs of the same server is left out, and so are fields without a value, among them those
// that the older contract does not have; long texts are told by their digest.

import { createHash } from 'node:crypto';
import { ClientError, Status } from 'nice-grpc';
import type { ConsumerSettings } from '../../../generated/madeleine/v1/consumer_service.js';
import type { Event } from '../../../generated/madeleine/v1/event.js';
import { isReservedTopic } from '../../../src/domain/names.js';
import type { ContractClient } from './contract.js';
import { CONTEXTS, EVENTS } from './old-events.js';

type Reading = (client: ContractClient) => Promise<unknown>;

const ENDED = [2, 3, 4];
const MAX_TEXT = 500;

const EVENT_READINGS: { readonly [name: string]: Reading } = {
  readEvents: (client) => byContext((context) => readEvents(client, { context })),
  readAll: (client) => readEvents(client, { context: 'all' }),
  readAsBytes: (client) => readEvents(client, { topics: ['payloads'], payloadEncoding: 2 }),
  readStream: (client) => readEvents(client, { stream: 'order-8' }),
  listNewestFirst: (client) => listEvents(client, { newestFirst: true }),
  listStream: (client) => listEvents(client, { filter: { context: 'default', stream: 'Order-8' } }),
  getEvents,
  getByMessage,
  listStreams: (client) => byContext((context) => listStreams(client, context)),
};

const CONSUMER_READINGS: { readonly [name: string]: Reading } = {
  listConsumers: (client) => byContext((context) => listConsumers(client, context), [...CONTEXTS, 'all']),
};

const WAIT_READINGS: { readonly [name: string]: Reading } = {
  readEnds: (client) => readEvents(client, { context: 'all', statuses: ENDED }),
  listAwaited: (client) => listEvents(client, { filter: { context: 'all', statuses: [1] } }),
  readDescription: (client) => readEvents(client, { topics: ['payments'], description: { both: 'yes' } }),
  listTopics: (client) => byContext((context) => listTopics(client, context)),
  listCawins,
  listAttempts,
};

const READINGS: { readonly [name: string]: Reading } = { ...EVENT_READINGS, ...CONSUMER_READINGS, ...WAIT_READINGS };

/** What was read, by the names of the readings. */
export type Readings = { readonly [name: string]: unknown };

/** Readings that name no topic: today the server's own ones are for those who name them. */
const NAME_NO_TOPIC = ['readEvents', 'readAll', 'listNewestFirst', 'readEnds'];

/** What today's server has to answer where an older one answered this. */
export function expectedReadings(recorded: Readings): Readings {
  return Object.fromEntries(
    Object.entries(recorded).map(([name, one]) => [name, NAME_NO_TOPIC.includes(name) ? withoutReserved(one) : one]),
  );
}

function withoutReserved(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((event: { topic: string }) => !isReservedTopic(event.topic));
  return Object.fromEntries(Object.entries(value as object).map(([name, list]) => [name, withoutReserved(list)]));
}

/** The names of the readings that the contract has. */
export function readingsOf({ contract }: ContractClient): readonly string[] {
  return Object.keys(contract.waits === undefined ? { ...EVENT_READINGS, ...CONSUMER_READINGS } : READINGS);
}

export async function readOne(client: ContractClient, name: string): Promise<unknown> {
  const read = READINGS[name];
  if (read === undefined) throw new Error(`no reading is called ${name}`);
  return plain(await read(client));
}

export async function readEverything(client: ContractClient, names = readingsOf(client)): Promise<Readings> {
  const found: [string, unknown][] = [];
  for (const name of names) found.push([name, await readOne(client, name)]);
  return Object.fromEntries(found);
}

async function byContext(read: (context: string) => Promise<unknown>, contexts: readonly string[] = CONTEXTS) {
  const found: [string, unknown][] = [];
  for (const context of contexts) found.push([context, await read(context)]);
  return Object.fromEntries(found);
}

type ReadRequest = Parameters<ContractClient['events']['readEvents']>[0];

async function readEvents({ events }: ContractClient, request: ReadRequest): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const response of events.readEvents(request)) found.push(...response.events);
  return found;
}

interface Page {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Reads page after page until there is no token. */
async function pages<Response extends { readonly nextPageToken: string }, Item>(
  read: (page: Page) => Promise<Response>,
  toList: (response: Response) => readonly Item[],
): Promise<Item[]> {
  const found: Item[] = [];
  let pageToken = '';
  do {
    const response = await read({ pageSize: 7, pageToken });
    found.push(...toList(response));
    pageToken = response.nextPageToken;
  } while (pageToken !== '');
  return found;
}

type ListRequest = Parameters<ContractClient['events']['listEvents']>[0];

function listEvents({ events }: ContractClient, request: ListRequest) {
  return pages(
    (page) => events.listEvents({ ...request, ...page }),
    (response) => response.events,
  );
}

/** By id, up to the first one that is not there. */
async function getEvents({ events }: ContractClient): Promise<unknown[]> {
  const found: unknown[] = [];
  for (let id = 1n; ; id += 1n) {
    const { event } = await events.getEvent({ key: { $case: 'id', value: id } }).catch(noEvent);
    if (event === undefined) return found;
    found.push(withoutHash(event));
  }
}

/** The hash of the payload is told since later than the newest dump. */
function withoutHash(event: Event | undefined): unknown {
  if (event === undefined) return undefined;
  const { payloadSha256: _hash, ...rest } = event;
  return rest;
}

/** By the ids of the messages that were pushed. */
async function getByMessage(client: ContractClient): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const { context = '', messageId = '' } of EVENTS) {
    const { event } = await client.events.getEvent({ context, key: { $case: 'messageId', value: messageId } });
    found.push(withoutHash(event));
  }
  return found;
}

function noEvent(error: unknown): { readonly event: undefined } {
  if (error instanceof ClientError && error.code === Status.NOT_FOUND) return { event: undefined };
  throw error;
}

function listStreams({ streams }: ContractClient, context: string) {
  return pages(
    (page) => streams.listStreams({ context, ...page }),
    (response) => response.streams,
  );
}

/** Without who runs them at present, what is pending, which once a list did not count, and settings that there were not always. */
function listConsumers({ consumers }: ContractClient, context: string) {
  return pages(
    (page) => consumers.listConsumers({ context, ...page }),
    (response) =>
      response.consumers.map(({ pending: _pending, pendingIsMinimum: _least, ...consumer }) => {
        const { owner: _owner, members: _members, activity: _, activityCause: _cause, settings, ...rest } = consumer;
        // An older server does not tell these.
        const { activitySince: _since, mendCommand: _mend, lagTime: _age, percentOfMatching: _percent, ...kept } = rest;
        return { ...kept, settings: withoutLaterSettings(settings) };
      }),
  );
}

/** A filter is told by the older field as well. */
function withoutLaterSettings(settings: ConsumerSettings | undefined) {
  const { retryBackoff: _retries, where: _where, ...kept } = settings ?? {};
  return kept;
}

function listTopics({ topics }: ContractClient, context: string) {
  return pages(
    (page) => topics.listTopics({ context, ...page }),
    (response) =>
      response.topics.map(({ stored: _stored, settings, ...topic }) => {
        // What is stored is counted by the server of today, which also tells what settings are that nobody gave.
        return { ...topic, settings: settings && { descriptionPaths: settings.descriptionPaths } };
      }),
  );
}

function listCawins({ cawins }: ContractClient) {
  return pages(
    (page) => cawins.listCawins({ context: 'default', ...page }),
    (response) => response.cawins.map((cawin) => ({ ...cawin, firings: cawin.firings.map(withoutLastError) })),
  );
}

/** The attempts say it, too; a firing tells it since later than the oldest dump. */
function withoutLastError<T extends object>(firing: T): T {
  return { ...firing, lastError: '' };
}

/** Of all cawins, one cawin after the other. */
async function listAttempts(client: ContractClient): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const { id: cawinId } of await listCawins(client)) {
    const attempts = await pages(
      (page) => client.cawins.listAttempts({ cawinId, ...page }),
      (response) => response.attempts,
    );
    found.push({ cawinId, attempts });
  }
  return found;
}

/** The message as JSON, without the fields that have no value and without what belongs to the run. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return value.length > MAX_TEXT ? digest(value) : value;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return plain(Buffer.from(value).toString('hex'));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('$case' in value && 'value' in value) return { [String(value.$case)]: plainBody(value.$case, value.value) };
  const members = Object.entries(value).map(([name, one]) => [name, plain(one)] as const);
  return Object.fromEntries(members.filter(([, one]) => hasValue(one)));
}

/** Of what JSON holds, nothing is left out. */
function plainBody(kind: unknown, body: unknown): unknown {
  return plain(kind === 'json' ? JSON.stringify(body) : body);
}

function hasValue(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === '0' || value === false) return false;
  return typeof value !== 'object' || value === null || Object.keys(value).length > 0;
}

function digest(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')} of ${text.length}`;
}
