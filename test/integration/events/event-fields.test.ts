// Every field of the contract's NewEvent through a real server and database: pushed, stored, awaited, selected by each filter that
// has it, and pushed and read by the command line. Where a field has no part in something, the reason stands here.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FetchRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { type Event, EventStatus, NewEvent, PayloadEncoding } from '../../../generated/madeleine/v1/event.js';
import { ListEventsRequest, ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import type { FieldInfo, Tree } from '../../support/contract/descriptors.js';
import {
  awaitedEvent,
  camelCase,
  descriptors,
  EVENT_FIELDS,
  type EventField,
  filterMembers,
  filterTree,
  NEW_EVENT,
  withValue,
} from '../../support/contract/event-fields.js';
import { useServer } from '../../support/server/suite.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

/** Refused where an event is awaited, or not there. */
const NOT_AWAITED = {
  stream: 'whoever pushes the event says where it goes',
  subject: 'whoever pushes the event says what it says',
  properties: 'whoever pushes the event says what it says',
  payload: 'what is awaited has none',
};

/** Without an option of their own `push`; `push --events` takes them. */
const NO_OPTION = {
  version: 'such a payload comes from a program, which writes the event as JSON',
  system: 'several members, which a program writes as JSON',
  trigger: 'several members, which a program writes as JSON',
  'payload.json': 'the argument itself',
  'payload.data': 'the argument itself, or --file',
};

/** Not selected by what the event says itself. */
const BY_PAYLOAD = { description: 'selects by the payload, which has tests of its own' };

const BYTES = PayloadEncoding.PAYLOAD_ENCODING_BYTES;
const ALL = { context: 'all' };

function fieldsBut(reasons: Readonly<Record<string, string>>): readonly EventField[] {
  return EVENT_FIELDS.filter(({ path, top }) => !(path in reasons) && !(top.name in reasons));
}

function memberOf(event: Event | NewEvent | undefined, { top }: EventField): unknown {
  return event?.[camelCase(top.name) as keyof NewEvent];
}

let cases = 0;

/** The field's two events, in a topic that no other case uses. */
function freshEvents(field: EventField): readonly [Tree, Tree] {
  cases += 1;
  // An id is taken once it was pushed.
  const isId = field.path === 'message_id';
  const [one, other] = field.events.map((event) => (isId ? withValue(event, 'message_id', randomUUID()) : event));
  if (one === undefined || other === undefined) throw new Error('two events');
  if (field.path !== 'topic') return [withTopic(one, `t-${cases}`), withTopic(other, `t-${cases}`)];
  return [withTopic(one, `${one.topic} ${cases}`), withTopic(other, `${other.topic} ${cases}`)];
}

function withTopic(event: Tree, topic: string): Tree {
  return withValue(event, 'topic', topic);
}

function newEventOf(event: Tree): NewEvent {
  return NewEvent.decode(descriptors.encode(NEW_EVENT, event));
}

describe('a field of an event', () => {
  const suite = useServer();
  const push = async (event: Tree): Promise<bigint> => {
    const { event: stored } = await suite.client.events.pushEvent({ event: newEventOf(event) });
    return stored?.id ?? 0n;
  };
  const get = async (id: bigint, payloadEncoding = BYTES): Promise<Event | undefined> => {
    const { event } = await suite.client.events.getEvent({ key: { $case: 'id', value: id }, payloadEncoding });
    return event;
  };
  const cli = async (argv: readonly string[], stdin = '') => {
    const { code, stdout, stderr } = await runToEnd(argv, { server: suite.server.address, stdin });
    expect(code, stderr).toBe(0);
    return stdout;
  };

  it.each(EVENT_FIELDS)('is stored and returned: $path', async (field) => {
    for (const event of freshEvents(field)) {
      const encoding = field.path === 'payload.json' ? PayloadEncoding.PAYLOAD_ENCODING_JSON : BYTES;
      const stored = await get(await push(event), encoding);
      expect(memberOf(stored, field)).toEqual(memberOf(newEventOf(event), field));
    }
  });

  it.each(fieldsBut(NOT_AWAITED))('is kept while the event is awaited: $path', async (field) => {
    for (const event of freshEvents(field).map((one, index) => inItsOwnTopic(awaitedEvent(one), field, index))) {
      const stored = await get(await push(event));
      expect(stored?.status).toBe(EventStatus.EVENT_STATUS_AWAITED);
      expect(memberOf(stored, field)).toEqual(memberOf(newEventOf(event), field));
    }
  });

  describe.each(['EventFilter', 'ReadEventsRequest', 'ConsumerFilter'])('is selected by %s', (name) => {
    const message = `madeleine.v1.${name}`;
    const selects: Readonly<Record<string, (filter: Tree, topics: string[]) => Promise<readonly Event[]>>> = {
      EventFilter: async (filter, topics) => {
        const tree = { filter: { ...ALL, topics, ...filter } };
        const request = ListEventsRequest.decode(descriptors.encode('madeleine.v1.ListEventsRequest', tree));
        return (await suite.client.events.listEvents(request)).events;
      },
      ReadEventsRequest: async (filter, topics) => {
        const request = ReadEventsRequest.decode(descriptors.encode(message, { ...ALL, topics, ...filter }));
        const found: Event[] = [];
        for await (const { events } of suite.client.events.readEvents(request)) found.push(...events);
        return found;
      },
      ConsumerFilter: async (filter, topics) => {
        const tree = {
          ...ALL,
          consumer: `c-${cases}`,
          settings: { filter: { topics, ...filter } },
          wait: { seconds: 5 },
        };
        const request = FetchRequest.decode(descriptors.encode('madeleine.v1.FetchRequest', tree));
        const { deliveries } = await suite.client.consumers.fetch(request);
        return deliveries.flatMap(({ event }) => (event === undefined ? [] : [event]));
      },
    };
    const fields = fieldsBut(BY_PAYLOAD).flatMap((field) =>
      filterMembers(message, field).map((member) => ({ name: member.name, field, member })),
    );

    it.each(fields)('by $name', async ({ field, member }) => {
      const events = freshEvents(field);
      const [one] = [await push(events[0]), await push(events[1])];
      const topics = [...new Set(events.map(({ topic }) => String(topic)))];
      const found = (await selects[name]?.(filterOf(member, field, events), topics)) ?? [];
      expect(found.map(({ id }) => id)).toEqual([one]);
    });
  });

  it.each(EVENT_FIELDS)('is pushed as JSON and printed as JSON by the command line: $path', async (field) => {
    const [event] = freshEvents(field);
    await cli(['push', '--events'], `${JSON.stringify(NewEvent.toJSON(newEventOf(event)))}\n`);
    expect(await printed(event, field)).toEqual(jsonMember(event, field));
  });

  it.each(fieldsBut(NO_OPTION))('has an option of push: $path', async (field) => {
    const [event] = freshEvents(field);
    const flags = { topic: event.topic, issuer: event.issuer, [field.top.name]: event[field.top.name] };
    const argv = Object.keys(flags).flatMap((name) => optionOf(name, event));
    await cli(['push', ...argv, String(Buffer.from((event.payload as { data: Uint8Array }).data))]);
    expect(await printed(event, field)).toEqual(jsonMember(event, field));
  });

  /** The field as `read --json` prints it of the one event of the topic. */
  async function printed(event: Tree, { top }: EventField): Promise<unknown> {
    const lines = ndjson(await cli(['read', '--context', 'all', '--topic', String(event.topic), '--json']));
    expect(lines).toHaveLength(1);
    return lines[0]?.[camelCase(top.name)];
  }
});

/** Two awaits of the same are one. */
function inItsOwnTopic(event: Tree, { path }: EventField, index: number): Tree {
  return path === 'topic' ? event : withTopic(event, `${event.topic}-${index}`);
}

/** The first event's value; of the topic the fresh one. */
function filterOf(member: FieldInfo, field: EventField, [one]: readonly [Tree, Tree]): Tree {
  return filterTree(member, { ...field, events: [one, one] });
}

/** The field in protobuf JSON, with microseconds in times and JSON payloads as JSON, as the command line prints it. */
function jsonMember(event: Tree, { top }: EventField): unknown {
  const sent = newEventOf(event);
  const { payload, system } = sent;
  if (top.name === 'payload') {
    const json =
      payload?.body?.$case === 'data' ? JSON.parse(Buffer.from(payload.body.value).toString()) : payload?.body?.value;
    return { ...(payload?.contentType === '' ? {} : { contentType: payload?.contentType }), json };
  }
  const json = NewEvent.toJSON(sent) as Record<string, unknown>;
  if (system?.time === undefined) return json[camelCase(top.name)];
  return {
    ...(json.system as object),
    time: `1970-01-01T00:00:01.${String(system.time.nanos / 1_000).padStart(6, '0')}Z`,
  };
}

/** The options of push that say this of the event. */
function optionOf(name: string, event: Tree): readonly string[] {
  const value = event[name] as Tree;
  if (name === 'payload') return ['--content-type', String(value.content_type)];
  if (name === 'subject') return ['--subject', 'created'];
  if (name === 'description') return ['--description', JSON.stringify(newEventOf(event).description)];
  if (name === 'properties') return Object.entries(value).flatMap(([key, text]) => ['--property', `${key}=${text}`]);
  return [`--${name.replaceAll('_', '-')}`, String(value)];
}
