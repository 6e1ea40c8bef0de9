// Requests with more of something than may be: what is made of them is counted, not timed.

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { AdminServiceDefinition } from '../../../generated/madeleine/v1/admin_service.js';
import { CawinServiceDefinition } from '../../../generated/madeleine/v1/cawin_service.js';
import { ConsumerServiceDefinition } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../../generated/madeleine/v1/stream_service.js';
import { TopicServiceDefinition } from '../../../generated/madeleine/v1/topic_service.js';
import type { MadeleineError } from '../../../src/domain/errors.js';
import { ADMIN_CODECS } from '../../../src/grpc/admin/admin-service.js';
import { CAWIN_CODECS } from '../../../src/grpc/cawins/cawin-service.js';
import { consumerCodecs } from '../../../src/grpc/consumers/consumer-service.js';
import { eventCodecs } from '../../../src/grpc/events/event-service.js';
import { type DecodedEvent, decodePush, splitBatch, splitPushes } from '../../../src/grpc/events/push-decoder.js';
import { toPushCommand } from '../../../src/grpc/events/push-validation.js';
import { type MethodCodec, serverDefinition, Undecodable } from '../../../src/grpc/wire/definitions.js';
import { WireReader } from '../../../src/grpc/wire/wire-reader.js';
import { Descriptors, delimited, type FieldInfo, type MethodInfo, varint } from '../../support/contract/descriptors.js';

/** A request takes 4 MiB. */
const REQUEST_BYTES = 4 * 1024 * 1024;
/** What may be made of any request. */
const MAX_MADE = 110_000;
/** Reads of any push. */
const MAX_READS_OF_PUSH = 1_000;

const descriptors = new Descriptors();

/** A request full of this part. */
function fullOf(part: Uint8Array): Buffer {
  return Buffer.alloc(Math.floor(REQUEST_BYTES / part.length) * part.length, part);
}

/** How often these methods are called while the work is done. A spy would remember each call. */
function callsOf<T extends object>(prototype: T, name: keyof T & string, work: () => void): number {
  const { value: original } = Object.getOwnPropertyDescriptor(prototype, name) as {
    value: (...all: unknown[]) => unknown;
  };
  let calls = 0;
  const counting = function (this: T, ...all: unknown[]) {
    calls += 1;
    return original.apply(this, all);
  };
  Object.defineProperty(prototype, name, { configurable: true, writable: true, value: counting });
  try {
    work();
  } finally {
    Object.defineProperty(prototype, name, { configurable: true, writable: true, value: original });
  }
  return calls;
}

/** How many numbers are read by the generated code while the work is done. */
function numbersOf(work: () => void): number {
  let others = 0;
  const own = callsOf(BinaryReader.prototype, 'int32', () => {
    others += callsOf(BinaryReader.prototype, 'uint64', work);
  });
  return own + others;
}

/** How many fields are read while the work is done, by hand or by the generated code. */
function readsOf(work: () => void): number {
  let others = 0;
  const tags = callsOf(WireReader.prototype, 'tag', () => {
    others += callsOf(BinaryReader.prototype, 'string', () => {
      others += numbersOf(() => {
        others += callsOf(BinaryReader.prototype, 'skip', work);
      });
    });
  });
  return tags + others;
}

/** How many messages, texts and numbers are made while the work is done: what is passed over is not. */
function messagesOf(work: () => void): number {
  let others = 0;
  const messages = callsOf(WireReader.prototype, 'message', () => {
    others += callsOf(BinaryReader.prototype, 'string', () => {
      others += numbersOf(work);
    });
  });
  return messages + others;
}

describe('a batch of millions of events', () => {
  it.each([
    ['PushEvents', () => splitPushes(fullOf(Buffer.from([0x0a, 0])))],
    ['PushEventStream', () => splitBatch(fullOf(Buffer.from([0x12, 0])))],
  ])('is refused at the first that is too much: %s', (_name, decode) => {
    const reads = readsOf(() => expect(decode).toThrow('events: has more than 1000 members'));
    expect(reads).toBeLessThan(3_000);
  });

  it('is taken up to a thousand', () => {
    expect(splitPushes(Buffer.alloc(2_000, Buffer.from([0x0a, 0])))).toHaveLength(1_000);
  });
});

describe('an event of millions of parts', () => {
  const eventOf = (field: Uint8Array) => delimited(1, fullOf(field).subarray(0, REQUEST_BYTES - 16));

  it.each([
    ['a payload again and again', delimited(10, Buffer.alloc(0))],
    ['a description again and again', delimited(9, Buffer.alloc(0))],
    ['a system again and again', delimited(23, delimited(3, Buffer.alloc(0)))],
  ])('is refused: %s', (_what, field) => {
    const reads = readsOf(() => expect(() => decodePush(eventOf(field))).toThrow('too many parts'));
    expect(reads).toBeLessThan(MAX_READS_OF_PUSH);
  });

  it.each([
    ['JSON', delimited(2, Buffer.alloc(0))],
    ['bytes', delimited(3, Buffer.alloc(0))],
    ['larger bytes', delimited(3, Buffer.alloc(100))],
  ])('is refused: a body of %s again and again', (_what, body) => {
    const bodies = fullOf(body).subarray(0, REQUEST_BYTES - 202);
    const reads = readsOf(() => {
      expect(() => decodePush(delimited(1, delimited(10, bodies)))).toThrow('too many parts');
    });
    expect(reads).toBeLessThan(MAX_READS_OF_PUSH);
  });

  it('is refused: an event again and again', () => {
    const pushes = fullOf(delimited(1, Buffer.alloc(0)));
    expect(readsOf(() => expect(() => decodePush(pushes)).toThrow('too many parts'))).toBeLessThan(MAX_READS_OF_PUSH);
  });

  it('has no more properties made than one more than there may be', () => {
    let event: DecodedEvent | undefined;
    const made = callsOf(WireReader.prototype, 'message', () => {
      event = decodePush(eventOf(delimited(22, Buffer.alloc(0)))).event;
    });
    expect(made).toBe(1 + 65);
    const refusal = toPushCommand({ ...decodePush(Buffer.alloc(0)), event }, '', { maxEventBytes: 1_000 });
    expect((refusal as MadeleineError).violations.map(({ field }) => field)).toContain('event.properties');
  });

  it('has no more of its JSON read than an event may have bytes', () => {
    const nulls = fullOf(Buffer.from([0x0a, 2, 8, 0])).subarray(0, REQUEST_BYTES - 64);
    const request = delimited(1, delimited(10, delimited(2, delimited(6, nulls))));
    const reads = readsOf(() => expect(decodePush(request, 1_000).event?.payload?.isTooLong).toBe(true));
    expect(reads).toBeLessThan(2_000);
  });
});

const SERVICES = [
  [EventServiceDefinition, eventCodecs({ maxEventBytes: 262_144 })],
  [ConsumerServiceDefinition, consumerCodecs({ maxEventBytes: 262_144 })],
  [CawinServiceDefinition, CAWIN_CODECS],
  [StreamServiceDefinition, {}],
  [TopicServiceDefinition, {}],
  [AdminServiceDefinition, ADMIN_CODECS],
] as const satisfies readonly (readonly [unknown, Readonly<Record<string, MethodCodec>>])[];

/** The method as the server registers it. */
function registered({ path }: MethodInfo) {
  const methods = SERVICES.flatMap(([service, codecs]) => Object.values(serverDefinition(service, codecs)));
  const found = methods.find((method) => method.path === path);
  if (found === undefined) throw new Error(`${path} is not registered`);
  return found;
}

interface ListField {
  readonly name: string;
  readonly method: MethodInfo;
  /** The numbers of the fields that lead to it, itself last. */
  readonly path: readonly number[];
  readonly field: FieldInfo;
}

/** Every list and map of a request, also those in its messages. */
function* listsOf(method: MethodInfo, message: string, path: readonly number[]): Generator<ListField> {
  for (const field of descriptors.fields(message)) {
    const own = [...path, field.number];
    if (field.repeated || field.isMap) yield { name: `${method.name} ${field.name}`, method, path: own, field };
    if (field.message !== '' && !field.isMap && own.length < 8) yield* listsOf(method, field.message, own);
  }
}

const LISTS = descriptors.methods.flatMap((method) => [...listsOf(method, method.request, [])]);

/** One member of the list, as short as it can be. */
function member({ field }: ListField): Buffer {
  const number = field.number;
  if (field.message !== '' || field.type === 'string') return delimited(number, Buffer.alloc(0));
  return Buffer.concat([varint(number << 3), varint(1)]);
}

/** A request with nothing but a list of millions. */
function request(list: ListField, members: Buffer): Buffer {
  return list.path.slice(0, -1).reduceRight<Buffer>((inner, number) => delimited(number, inner), members);
}

/** What is made of a request in all: pushes are only taken apart at first, and each is decoded later. */
function decodedWholly(method: MethodInfo, bytes: Buffer): unknown {
  const first = registered(method).requestDeserialize(bytes);
  const pushes = Array.isArray(first) ? first : (first as { pushes?: unknown }).pushes;
  if (!Array.isArray(pushes)) return first;
  try {
    return pushes.map((push: Buffer) => decodePush(push, 262_144));
  } catch (error) {
    return new Undecodable(error);
  }
}

describe('a list or map of millions', () => {
  it.each(LISTS)('is not made: $name, at $path', (list) => {
    const bytes = request(list, fullOf(member(list)).subarray(0, REQUEST_BYTES - 64));
    let decoded: unknown;
    const made = messagesOf(() => {
      decoded = decodedWholly(list.method, bytes);
    });
    expect(made).toBeLessThan(MAX_MADE);
    const { refusal } = decoded as Undecodable;
    if (decoded instanceof Undecodable) expect(refusal.violations).toHaveLength(1);
    else
      expect(
        JSON.stringify(decoded, (_key, value) => (typeof value === 'bigint' ? String(value) : value)).length,
      ).toBeLessThan(10_000);
  });

  const isNumber = ({ field }: ListField) => ['enum', 'uint64'].includes(field.type);

  it.each(LISTS.filter(isNumber))('is not made where it is packed: $name', (list) => {
    const packed = delimited(list.field.number, Buffer.alloc(REQUEST_BYTES - 64, 1));
    const decoded = registered(list.method).requestDeserialize(request(list, packed));
    expect(decoded).toBeInstanceOf(Undecodable);
  });
});
