import { describe, expect, it } from 'vitest';
import { Value } from '../../../generated/google/protobuf/struct.js';
import { CheckOrWaitRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { Event as EventMessage, EventStatus, NewEvent, Payload } from '../../../generated/madeleine/v1/event.js';
import { PushEventRequest, PushEventStreamRequest } from '../../../generated/madeleine/v1/event_service.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import { decodeCheckOrWait } from '../../../src/grpc/cawins/check-decoder.js';
import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';
import { decodePush, splitBatch } from '../../../src/grpc/events/push-decoder.js';
import { JsonTooLongError, JsonValueError, valueToJsonText } from '../../../src/grpc/wire/json-value.js';
import { writeValue } from '../../../src/grpc/wire/value-writer.js';
import { WireError, WireReader } from '../../../src/grpc/wire/wire-reader.js';
import { WireWriter } from '../../../src/grpc/wire/wire-writer.js';
import { uuidText } from '../../../src/lib/uuid-text.js';

function valueBytes(value: unknown): Buffer {
  const writer = new WireWriter();
  // Deeper ones than the server writes.
  if (!writeValue(writer, Buffer.from(textOf(value)))) return Buffer.from(Value.encode(Value.wrap(value)).finish());
  return writer.finish();
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (Object.is(member, -0) ? MINUS_ZERO : member)).replaceAll(
    `"${MINUS_ZERO}"`,
    '-0',
  );
}

const MINUS_ZERO = 'minus zero';

function roundTrip(value: unknown): string {
  return valueToJsonText(new WireReader(valueBytes(value)));
}

const entry: LogEntry = {
  position: 2 ** 40,
  kind: EntryKind.OCCURRED,
  eventId: 2 ** 52,
  context: 'default',
  topic: 'orders',
  version: 300,
  stream: 's',
  sequence: 128,
  issuer: 'shop',
  messageId: '01a1fddb-e4cb-7000-8637-ef26d78587c5',
  createdAt: 1_763_000_000_123_456,
  sessionId: 'é',
  correlationId: 'c',
  to: 't',
  replyTo: 'r',
  subject: 13,
  tag: 'g',
  entityType: 'y',
  organization: 'o',
  unit: 'u',
  rest: {
    properties: { a: '1', b: '' },
    system: { id: 'i', name: 'n', time: -1, timezone: 'UTC' },
    trigger: { type: 'x', name: 'y' },
    traceparent: 'tp',
    tracestate: 'ts',
    causedBy: 'cb',
    dataSubject: 'ds',
    payloadSha256: 'ab'.repeat(32),
    erasedAt: 1_763_000_000_000_002,
    createdBy: 'me',
    awaitedBy: 'mailer',
    awaitedAt: 1_763_000_000_000_001,
  },
  payload: { contentType: '', bytes: Buffer.from('{"a":[1,null,"x"],"b":{}}') },
};

describe('event encoder', () => {
  it('writes what the generated code reads, member by member', () => {
    const decoded = EventMessage.decode(new WireEventEncoder().encode({ ...entry }, 'json'));
    expect(decoded).toEqual({
      id: 2n ** 52n,
      position: 2n ** 40n,
      context: 'default',
      topic: 'orders',
      version: 300,
      stream: 's',
      sequence: 128n,
      status: EventStatus.EVENT_STATUS_OCCURRED,
      description: undefined,
      payload: { contentType: '', body: { $case: 'json', value: { a: [1, null, 'x'], b: {} } } },
      issuer: 'shop',
      messageId: entry.messageId,
      sessionId: 'é',
      correlationId: 'c',
      to: 't',
      replyTo: 'r',
      subject: 13,
      tag: 'g',
      entityType: 'y',
      organization: 'o',
      unit: 'u',
      properties: { a: '1', b: '' },
      system: { id: 'i', name: 'n', time: { seconds: -1n, nanos: 999_999_000 }, timezone: 'UTC' },
      trigger: { type: 'x', name: 'y' },
      createdAt: { seconds: 1_763_000_000n, nanos: 123_456_000 },
      occurredAt: { seconds: 1_763_000_000n, nanos: 123_456_000 },
      invalidatedAt: undefined,
      invalidationReason: '',
      expiresAt: undefined,
      satisfiedIds: [],
      endedById: undefined,
      createdBy: 'me',
      traceparent: 'tp',
      tracestate: 'ts',
      awaitedBy: 'mailer',
      awaitedAt: { seconds: 1_763_000_000n, nanos: 1_000 },
      causedBy: 'cb',
      dataSubject: 'ds',
      payloadSha256: Buffer.alloc(32, 0xab),
      erasedAt: { seconds: 1_763_000_000n, nanos: 2_000 },
    });
  });

  it('sends the stored bytes when they are asked for, or have no value', () => {
    const encoder = new WireEventEncoder();
    const bytesOf = (bytes: Uint8Array) => EventMessage.decode(bytes).payload?.body;
    expect(bytesOf(encoder.encode({ ...entry }, 'bytes'))).toEqual({ $case: 'data', value: entry.payload?.bytes });
    const deep = Buffer.from(`${'['.repeat(70)}${']'.repeat(70)}`);
    const deepEntry = { ...entry, payload: { contentType: '', bytes: deep } };
    expect(bytesOf(encoder.encode(deepEntry, 'json'))).toEqual({ $case: 'data', value: deep });
    const image = { ...entry, payload: { contentType: 'image/png', bytes: Buffer.from([1]) } };
    expect(bytesOf(encoder.encode(image, 'json'))).toEqual({ $case: 'data', value: Buffer.from([1]) });
  });

  it('writes a message id from its bytes as from its text', () => {
    const bytes = Buffer.from(entry.messageId.replaceAll('-', ''), 'hex');
    expect(uuidText(bytes)).toBe(entry.messageId);
    const stored = { ...entry, messageIdBytes: bytes };
    for (const form of ['json', 'bytes'] as const) {
      expect(new WireEventEncoder().encode(stored, form)).toEqual(new WireEventEncoder().encode({ ...entry }, form));
    }
  });

  it('writes in place what is not kept for others, and the same bytes', () => {
    const encoder = new WireEventEncoder();
    const writer = new WireWriter();
    encoder.write(writer, { ...entry }, 'bytes');
    const alone = writer.finish();
    const shared = { ...entry, keeper: { grew: () => {} } };
    writer.reset();
    encoder.write(writer, shared, 'bytes');
    expect(writer.finish()).toEqual(alone);
    expect(encoder.encode(shared, 'bytes')).toBe(encoder.encode(shared, 'bytes'));
  });

  it('encodes an entry once for all who ask', () => {
    const encoder = new WireEventEncoder();
    const shared = { ...entry };
    expect(encoder.encode(shared, 'json')).toBe(encoder.encode(shared, 'json'));
  });

  it('writes the same bytes wherever in a message its buffer becomes too small', () => {
    const encoder = new WireEventEncoder();
    const expected = Buffer.from(encoder.encode({ ...entry }, 'json'));
    for (let room = 0; room <= expected.length; room += 1) {
      const writer = new WireWriter();
      writer.raw(Buffer.alloc(64 * 1024 - room));
      encoder.write(writer, { ...entry }, 'json');
      expect(writer.finish().subarray(0, expected.length), `${room} bytes before the end`).toEqual(expected);
    }
  });

  it('outgrows its buffer', () => {
    const bytes = Buffer.alloc(3_000_000, 7);
    const large = { ...entry, payload: { contentType: 'a/b', bytes } };
    const body = EventMessage.decode(new WireEventEncoder().encode(large, 'bytes')).payload?.body;
    expect(Buffer.compare(body?.value as Buffer, bytes)).toBe(0);
  });
});

describe('JSON values', () => {
  it.each([
    ['null', null, 'null'],
    ['numbers', [0, -0, 1.5, 1e21, -1e-7, 9007199254740991], '[0,-0,1.5,1e+21,-1e-7,9007199254740991]'],
    ['texts', ['', '\u0000"\\', '😀', '\u2028'], JSON.stringify(['', '\u0000"\\', '😀', '\u2028'])],
    ['sorted keys', { b: 1, a: { d: [], c: {} } }, '{"a":{"c":{},"d":[]},"b":1}'],
    ['an own __proto__', JSON.parse('{"__proto__":{"x":1},"constructor":2}'), '{"__proto__":{"x":1},"constructor":2}'],
  ])('keep %s', (_name, value, text) => {
    expect(roundTrip(value)).toBe(text);
  });

  it('keep the last of members with the same key', () => {
    const member = (key: string, value: number) => {
      const encoded = Payload.encode({ contentType: '', body: { $case: 'json', value: { [key]: value } } }).finish();
      // Payload.json, its struct, and in there the one field with its tag.
      return encoded.subarray(4);
    };
    const fields = Buffer.concat([member('b', 1), member('a', 2), member('b', 3)]);
    const struct = Buffer.concat([Buffer.from([0x2a, fields.length]), fields]);
    expect(valueToJsonText(new WireReader(struct))).toBe('{"a":2,"b":3}');
  });

  it('refuse what JSON does not have', () => {
    const nan = Payload.encode({ contentType: '', body: { $case: 'json', value: { n: Number.NaN } } }).finish();
    const reader = new WireReader(Buffer.from(nan));
    reader.tag();
    expect(() => valueToJsonText(reader.message())).toThrow(JsonValueError);
  });

  it('stop at 64 levels', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
    expect(roundTrip(nested(64))).toBe(`${'['.repeat(64)}${']'.repeat(64)}`);
    expect(() => valueToJsonText(new WireReader(valueBytes(nested(65))))).toThrow(JsonValueError);
  });

  it('stop where they have more characters than they may, and are read no further', () => {
    const value = valueBytes(Array.from({ length: 100_000 }, () => null));
    const reader = new WireReader(value);
    expect(() => valueToJsonText(reader, 4_000)).toThrow(JsonTooLongError);
    expect(valueToJsonText(new WireReader(value), 500_001)).toHaveLength(500_001);
  });
});

describe('push decoder', () => {
  it('reads what the generated code writes', () => {
    const event = NewEvent.fromPartial({
      context: 'c',
      topic: 't',
      version: 7,
      stream: 's',
      issuer: 'i',
      messageId: 'm',
      sessionId: 'se',
      correlationId: 'co',
      to: 'to',
      replyTo: 're',
      subject: 4,
      tag: 'ta',
      entityType: 'en',
      organization: 'or',
      unit: 'un',
      properties: { k: 'v' },
      system: { id: '1', name: '2', time: { seconds: -5n, nanos: 6 }, timezone: 'UTC' },
      trigger: { type: 'a', name: 'b' },
      traceparent: 'tp',
      tracestate: 'ts',
      causedBy: 'cb',
      dataSubject: 'ds',
      payload: { contentType: '', body: { $case: 'json', value: { z: 1, a: 'é' } } },
    });
    const request = PushEventStreamRequest.encode({
      batchId: 2n ** 64n - 1n,
      events: [{ event, expectedSequence: 0n }],
      atomic: true,
    });
    const batch = splitBatch(request.finish());
    expect(batch).toMatchObject({ batchId: 2n ** 64n - 1n, atomic: true });
    const pushes = batch.pushes.map((push) => decodePush(push));
    expect(pushes).toMatchObject([{ expectedSequence: 0n }]);
    const decoded = pushes[0]?.event;
    expect(decoded).toMatchObject({
      draft: {
        context: 'c',
        topic: 't',
        version: 7,
        stream: 's',
        issuer: 'i',
        messageId: 'm',
        sessionId: 'se',
        correlationId: 'co',
        to: 'to',
        replyTo: 're',
        subject: 4,
        tag: 'ta',
        entityType: 'en',
        organization: 'or',
        unit: 'un',
      },
      description: undefined,
      properties: [['k', 'v']],
      system: { id: '1', name: '2', time: { seconds: -5n, nanos: 6 }, timezone: 'UTC' },
      trigger: { type: 'a', name: 'b' },
      traceparent: 'tp',
      tracestate: 'ts',
      causedBy: 'cb',
      dataSubject: 'ds',
    });
    expect(decoded?.payload?.bytes?.toString()).toBe('{"a":"é","z":1}');
  });

  it('passes over fields that it does not know', () => {
    const unknown = Buffer.from([
      0xf8, 0x3f, 5, 0xfa, 0x3f, 2, 1, 2, 0xf9, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0, 0xfd, 0x3f, 0, 0, 0, 0,
    ]);
    expect(splitBatch(Buffer.concat([unknown, Buffer.from([8, 3])])).batchId).toBe(3n);
  });

  it.each([
    ['a cut-off message', [0x12, 5, 1]],
    ['an endless number', [8, ...Array.from({ length: 11 }, () => 0xff)]],
    ['a group', [0x0b]],
    ['a string that is not UTF-8', [0x12, 6, 0x0a, 4, 0x22, 2, 0xc3, 0x28]],
  ])('refuses %s', (_name, bytes) => {
    expect(() => splitBatch(Buffer.from(bytes)).pushes.map((push) => decodePush(push))).toThrow(WireError);
  });
});

describe('a CheckOrWaitRequest', () => {
  it('is a push of what it says', () => {
    const said = { context: 'c', topic: 't', issuer: 'i', description: { a: 1 } };
    const terms = { since: { seconds: 5n, nanos: 7 }, waitTimeout: { seconds: 9n, nanos: 11 } };
    const request = CheckOrWaitRequest.fromPartial({ ...said, ...terms });
    const push = PushEventRequest.fromPartial({ event: said, ...terms });
    expect(decodeCheckOrWait(CheckOrWaitRequest.encode(request).finish()).push).toEqual(
      decodePush(PushEventRequest.encode(push).finish()),
    );
  });

  it('keeps a member of its description that is named __proto__', () => {
    const value = new WireReader(valueBytes(JSON.parse('{"a":1,"__proto__":{"b":2}}')));
    value.tag();
    const struct = value.bytes();
    const bytes = Buffer.concat([Buffer.of((3 << 3) | 2, struct.length), struct, Buffer.of((4 << 3) | 2, 1, 0x78)]);
    const { request, push } = decodeCheckOrWait(bytes);
    expect(request.issuer).toBe('x');
    expect(push.event?.draft.issuer).toBe('x');
    expect(push.event?.description?.text?.toString()).toBe('{"__proto__":{"b":2},"a":1}');
  });
});
