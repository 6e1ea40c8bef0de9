// Every field of the contract's NewEvent through each part that treats an event's fields and needs no database. A part that leaves
// a field out says so here, with its reason.

import { describe, expect, it } from 'vitest';
import { SubscribeRequest } from '../../../../generated/madeleine/v1/consumer_service.js';
import { Event, EventFilter, NewEvent } from '../../../../generated/madeleine/v1/event.js';
import { ReadEventsRequest, WatchEventsRequest } from '../../../../generated/madeleine/v1/event_service.js';
import { applySettings, consumerCriteria, DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import { MadeleineError } from '../../../../src/domain/errors.js';
import { contentDigest } from '../../../../src/domain/events/content-digest.js';
import { EnvelopeMembers } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type EventDraft, type LogEntry } from '../../../../src/domain/events/event.js';
import { compileCriteria, type EventCriteria } from '../../../../src/domain/events/event-filter.js';
import { settingsFromWire } from '../../../../src/grpc/consumers/consumer-wire.js';
import { decodeEdit, editedCommand } from '../../../../src/grpc/consumers/edited-event.js';
import { WireEventEncoder } from '../../../../src/grpc/events/event-encoder.js';
import { listCriteria, readCriteria, watchCriteria } from '../../../../src/grpc/events/event-wire.js';
import { decodePush } from '../../../../src/grpc/events/push-decoder.js';
import { toPushCommand } from '../../../../src/grpc/events/push-validation.js';
import { encodeCloudEvent } from '../../../../src/outbound/attempt/cloud-event.js';
import { waitEnvelope, waitEnvelopeText } from '../../../../src/storage/mysql/waits/wait-envelope.js';
import type { Tree } from '../../../support/contract/descriptors.js';
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
} from '../../../support/contract/event-fields.js';

function pushed(event: Tree) {
  const request = descriptors.encode('madeleine.v1.PushEventRequest', { event });
  return toPushCommand(decodePush(request), '', { maxEventBytes: 10_000 });
}

function draftOf(event: Tree): EventDraft {
  const command = pushed(event);
  if (command instanceof MadeleineError) throw command;
  return command.draft;
}

/** The entry of an event that occurred, as it is stored. */
function entryOf(event: Tree): LogEntry {
  return entryFrom(draftOf(event));
}

function entryFrom(draft: EventDraft): LogEntry {
  const { description, messageId, payload } = draft;
  return {
    ...new EnvelopeMembers(draft),
    ...{ messageId, payload },
    ...{ position: 1, kind: EntryKind.OCCURRED, eventId: 2, createdAt: 3, sequence: draft.stream === '' ? 0 : 1 },
    rest: description === undefined ? draft.rest : { ...draft.rest, description: description.text },
  };
}

/** The fields but for those that the reasons name, by their own path or that of a message that they lie in. */
function fieldsBut(reasons: Readonly<Record<string, string>>): readonly EventField[] {
  return EVENT_FIELDS.filter(({ path, top }) => !(path in reasons) && !(top.name in reasons));
}

/** The fields that the reasons name. */
function fieldsOf(reasons: Readonly<Record<string, string>>): readonly EventField[] {
  return EVENT_FIELDS.filter(({ path, top }) => path in reasons || top.name in reasons);
}

const MESSAGE_ID = '0193f0a4-5b5c-7d1e-8f3a-0123456789ab';

const NOT_IN_DIGEST = {
  message_id: 'what the digest is looked up by',
  'system.time': 'set anew by a client that tries again',
  'system.timezone': 'set anew by a client that tries again',
  traceparent: 'each attempt is a span of its own',
  tracestate: 'each attempt is a span of its own',
};

/** Refused where an event is awaited. */
const NEEDS_PAYLOAD = {
  stream: 'whoever pushes the event says where it goes',
  subject: 'whoever pushes the event says what it says',
  properties: 'whoever pushes the event says what it says',
};

const NOT_IN_WAIT_TEXT = {
  ...NEEDS_PAYLOAD,
  context: 'a column of the wait',
  topic: 'a column of the wait',
  version: 'a column of the wait',
  issuer: 'a column of the wait',
  message_id: 'a column of the wait',
  description: 'a column of the wait',
  payload: 'what is awaited has none',
};

/** What an edited event does not take over from the parked one. */
const NOT_TAKEN_OVER = {
  stream: 'it is in none',
  issuer: 'who edits it',
  message_id: 'each push has its own',
  to: 'its consumer',
  caused_by: 'the parked event',
  traceparent: 'each push has its own',
  tracestate: 'each push has its own',
  payload: 'what is edited',
  description: 'it has none',
};

/** The event that takes the place of a parked one, and says no more of itself than it has to. */
function editedFrom(parked: LogEntry): EventDraft {
  const event = { issuer: 'editor', payload: { data: Buffer.from('1') } };
  const request = descriptors.encode('madeleine.v1.ReplayEditedEventRequest', { consumer: 'c', position: 1, event });
  const key = { context: 'default', name: 'c' };
  return editedCommand(decodeEdit(request, 10_000), { key, parked, limits: { maxEventBytes: 10_000 } }).draft;
}

/** Not refused when a text is too long or a number none of the enum's. */
const ANY_VALUE = {
  version: 'any number of 32 bits',
  description: 'no text; its own tests refuse it',
  'payload.json': 'no text; its own tests refuse it',
  'payload.data': 'no text; its own tests refuse it',
  'system.time': 'no text; the tests of hostile requests refuse it',
};

/** What the server says of an event. */
const SERVERS_OWN = [
  ...['id', 'position', 'sequence', 'status', 'created_at', 'occurred_at', 'invalidated_at', 'invalidation_reason'],
  ...['expires_at', 'satisfied_ids', 'ended_by_id', 'created_by', 'awaited_by', 'awaited_at'],
  ...['payload_sha256', 'erased_at'],
];

describe('a field of an event', () => {
  it('is the same in NewEvent and Event, or one that the server gives', () => {
    const ofMessage = (name: string) =>
      descriptors.fields(name).map((field) => (field.isMap ? { ...field, message: '' } : field));
    const event = ofMessage('madeleine.v1.Event');
    const sent = ofMessage(NEW_EVENT);
    for (const field of sent) expect(event, field.name).toContainEqual(field);
    const names = new Set(sent.map(({ name }) => name));
    expect(event.map(({ name }) => name).filter((name) => !names.has(name))).toEqual(SERVERS_OWN);
  });

  it.each(fieldsBut(NOT_IN_DIGEST))('counts for the digest of what was pushed: $path', ({ events: [one, other] }) => {
    const digests = [one, other].map((event) => contentDigest(draftOf(event)).toString('hex'));
    expect(digests[0]).not.toBe(digests[1]);
    expect(contentDigest(draftOf(one)).toString('hex')).toBe(digests[0]);
  });

  it.each(fieldsOf(NOT_IN_DIGEST))('does not count for the digest: $path', ({ events: [one, other] }) => {
    expect(contentDigest(draftOf(one))).toEqual(contentDigest(draftOf(other)));
  });

  it.each(fieldsBut(ANY_VALUE))('is checked: $path', ({ path, top, type, events: [event] }) => {
    const bad = type === 'enum' ? 99 : top.isMap ? { key: 'x'.repeat(5_000) } : 'x'.repeat(5_000);
    const refusal = pushed(withValue(event, path, bad));
    expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', violations: [{ field: `event.${path}` }] });
  });

  it.each(fieldsBut(NOT_IN_WAIT_TEXT))('is kept by a wait: $path', ({ events }) => {
    const texts = events.map((event) => waitEnvelopeText(draftOf(awaitedEvent(event))));
    expect(texts[0]).not.toBe(texts[1]);
    for (const [index, event] of events.entries()) {
      const { messageId, payload, description, ...envelope } = draftOf(awaitedEvent(event));
      expect(waitEnvelope(envelope, texts[index] ?? null)).toEqual({ ...envelope });
    }
  });

  it.each(fieldsOf(NEEDS_PAYLOAD))('is refused of what is awaited: $path', ({ path, events: [event] }) => {
    const violations = [{ field: `event.${path}`, description: 'needs a payload' }];
    expect(pushed(awaitedEvent(event))).toMatchObject({ reason: 'FIELD_INVALID', violations });
  });

  it.each(fieldsBut(NOT_TAKEN_OVER))('is taken over by an edited event: $path', ({ top, events }) => {
    for (const event of events) {
      const parked = entryOf(event);
      const [edited, kept] = [entryFrom(editedFrom(parked)), parked].map((entry) =>
        Event.decode(new WireEventEncoder().encode(entry, 'json')),
      );
      const member = camelCase(top.name) as keyof NewEvent;
      expect(edited?.[member]).toEqual(kept?.[member]);
    }
  });

  it.each(fieldsOf(NOT_TAKEN_OVER))('is an edited event’s own: $path', ({ events }) => {
    const [one, other] = events.map((event) =>
      contentDigest(editedFrom(entryOf({ ...event, message_id: MESSAGE_ID }))),
    );
    expect(one).toEqual(other);
  });

  it.each(EVENT_FIELDS)('comes back over the wire: $path', ({ top, events }) => {
    for (const event of events) {
      const sent = NewEvent.decode(descriptors.encode(NEW_EVENT, event));
      const form = sent.payload?.body?.$case === 'json' ? 'json' : 'bytes';
      const returned = Event.decode(new WireEventEncoder().encode(entryOf(event), form));
      const member = camelCase(top.name) as keyof NewEvent;
      expect(returned[member]).toEqual(sent[member]);
    }
  });

  it.each(EVENT_FIELDS)('is told by a CloudEvent: $path', ({ events }) => {
    const [one, other] = events.map((event) => cloudEvent(entryOf(event)));
    expect(one).not.toEqual(other);
  });
});

function cloudEvent(entry: LogEntry): unknown {
  return JSON.parse(encodeCloudEvent('d', { entry, cawinId: 1, awaitedId: 1 }).toString());
}

/** Members of filters that are no fields of what is pushed. */
const NO_FIELDS: readonly string[] = [
  ...['context', 'statuses', 'description', 'start_time', 'end_time', 'after_position', 'before_position'],
  // How to read, not what.
  ...['follow', 'payload_encoding', 'batch_size', 'filter'],
];

/** How the criteria of each message of filters come about. A field without a member in it is no criterion there. */
const FILTERS: readonly (readonly [message: string, criteria: (filter: Uint8Array) => EventCriteria])[] = [
  ['EventFilter of ListEvents', (filter) => listCriteria(EventFilter.decode(filter))],
  [
    'EventFilter of ReadEvents',
    (filter) => readCriteria(ReadEventsRequest.decode(encode('ReadEventsRequest', { filter }))),
  ],
  [
    'EventFilter of WatchEvents',
    (filter) => watchCriteria(WatchEventsRequest.decode(encode('WatchEventsRequest', { filter }))),
  ],
  ['EventFilter of consumers', (where) => consumersCriteria({ where })],
  ['ReadEventsRequest', (request) => readCriteria(ReadEventsRequest.decode(request))],
  ['ConsumerFilter', (filter) => consumersCriteria({ filter })],
];

function encode(message: string, tree: Tree): Uint8Array {
  return descriptors.encode(`madeleine.v1.${message}`, tree);
}

function consumersCriteria(settings: Tree): EventCriteria {
  const request = SubscribeRequest.decode(encode('SubscribeRequest', { settings }));
  // What is addressed to others is none of its.
  const key = { context: 'default', name: 'to one' };
  return consumerCriteria(key, applySettings(DEFAULT_SETTINGS, settingsFromWire(request.settings, key)));
}

describe.each(FILTERS)('%s', (name, criteriaOf) => {
  const message = `madeleine.v1.${name.replace(/ .*/, '')}`;
  const members = EVENT_FIELDS.filter(({ path }) => !NO_FIELDS.includes(path)).flatMap((field) =>
    filterMembers(message, field).map((member) => ({ name: member.name, field, member })),
  );

  it('has no member but fields of an event, and those that this test names', () => {
    const known = new Set([...members.map(({ member }) => member.name), ...NO_FIELDS]);
    expect(descriptors.fields(message).filter((member) => !known.has(member.name))).toEqual([]);
  });

  it.each(members)('selects by $name', ({ field, member }) => {
    const matches = compileCriteria(criteriaOf(descriptors.encode(message, filterTree(member, field))));
    const [one, other] = field.events.map((event) => ({ ...entryOf(event), to: draftOf(event).to }));
    expect([one, other].map((entry) => entry !== undefined && matches(entry))).toEqual([true, false]);
  });
});
