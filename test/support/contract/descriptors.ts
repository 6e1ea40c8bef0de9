// Every service, method and message of the contract, read from the descriptor set, and an encoder that writes requests from it:
// also such as no generated client would send.

import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescService,
  fromBinary,
  type JsonValue,
  type Registry,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** What a field holds; of lists and maps, each member. */
export type FieldType = 'string' | 'bytes' | 'uint64' | 'int64' | '32 bits' | 'double' | 'bool' | 'enum' | 'message';

export interface FieldInfo {
  /** As in the .proto file. */
  readonly name: string;
  readonly number: number;
  readonly type: FieldType;
  readonly repeated: boolean;
  readonly isMap: boolean;
  /** The other members of its oneof. */
  readonly siblings: readonly string[];
  /** Full name of the message type; empty for other types. */
  readonly message: string;
}

export interface MethodInfo {
  /** Such as `EventService/PushEvent`. */
  readonly name: string;
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** Full name of the request's type. */
  readonly request: string;
}

/** Bytes of a whole field, tag included, to be written as they are. */
export class RawField {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** A message to encode: members by their names in the .proto file. Bytes stand for themselves wherever a string or message may be. */
export interface Tree {
  readonly [field: string]: Node | undefined;
}
export type Node = string | number | bigint | boolean | Uint8Array | RawField | Tree | readonly Node[];

export class Descriptors {
  readonly #registry: Registry;
  readonly #messages = new Map<string, readonly FieldInfo[]>();
  readonly methods: readonly MethodInfo[];

  constructor(file = new URL('../../../generated/descriptor.binpb', import.meta.url)) {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(file)));
    this.#registry = registry;
    const types = [...registry];
    for (const type of types) {
      if (type.kind !== 'message') continue;
      this.#messages.set(type.typeName, type.fields.map(fieldInfo));
      for (const field of type.fields) if (field.fieldKind === 'map') this.#addEntry(type, field);
    }
    this.methods = types.flatMap((type) => (type.kind === 'service' && isServed(type) ? methodsOf(type) : []));
  }

  /** The fields of a message by its full name. */
  fields(message: string): readonly FieldInfo[] {
    const fields = this.#messages.get(message);
    if (fields === undefined) throw new Error(`there is no message ${message}`);
    return fields;
  }

  /** A message in protobuf's JSON. */
  toJSON(message: string, bytes: Uint8Array): JsonValue {
    const type = this.#registry.getMessage(message);
    if (type === undefined) throw new Error(`there is no message ${message}`);
    return toJson(type, fromBinary(type, bytes));
  }

  /** The bytes of a message. */
  encode(message: string, tree: Tree): Buffer {
    const fields = this.fields(message);
    const parts: Uint8Array[] = [];
    for (const [name, value] of Object.entries(tree)) {
      const field = fields.find((candidate) => candidate.name === name);
      if (value instanceof RawField) parts.push(value.bytes);
      else if (field === undefined) throw new Error(`${message} has no field ${name}`);
      else if (value !== undefined) parts.push(...this.#field(field, value));
    }
    return Buffer.concat(parts);
  }

  #field(field: FieldInfo, value: Node): Uint8Array[] {
    if (Array.isArray(value)) return value.flatMap((item) => this.#field({ ...field, repeated: false }, item as Node));
    if (value instanceof RawField) return [value.bytes];
    if (field.isMap && !(value instanceof Uint8Array)) {
      const entries = Object.entries(value as Tree).map(([key, item]) => ({ key, value: item }));
      return entries.flatMap((entry) => this.#field({ ...field, isMap: false }, entry));
    }
    return [this.#single(field, value)];
  }

  #single({ number, type, message }: FieldInfo, value: Node): Uint8Array {
    if (value instanceof Uint8Array) return delimited(number, value);
    if (type === 'message') return delimited(number, this.encode(message, value as Tree));
    if (typeof value === 'string') return delimited(number, Buffer.from(value));
    if (type === 'double') {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value as number);
      return Buffer.concat([varint((number << 3) | 1), bytes]);
    }
    return Buffer.concat([varint(number << 3), varint(value as number | bigint | boolean)]);
  }

  /** Entries of maps are messages of their own on the wire. */
  #addEntry(parent: DescMessage, field: DescField & { fieldKind: 'map' }): void {
    const plain = { repeated: false, isMap: false, siblings: [], message: '' };
    const value = field.mapKind === 'message' ? { message: field.message.typeName } : {};
    this.#messages.set(entryName(parent, field), [
      { ...plain, name: 'key', number: 1, type: scalarType(field.mapKey) },
      { ...plain, name: 'value', number: 2, type: typeOf(field.mapKind, field.scalar), ...value },
    ]);
  }
}

/** Of our services, all but the one that callers implement. */
function isServed(service: DescService): boolean {
  return service.typeName.startsWith('madeleine.') && service.name !== 'CallbackService';
}

function fieldInfo(field: DescField): FieldInfo {
  const isMap = field.fieldKind === 'map';
  const isList = field.fieldKind === 'list';
  const kind = isMap ? 'message' : isList ? field.listKind : field.fieldKind;
  return {
    name: field.name,
    number: field.number,
    type: typeOf(kind, field.scalar),
    repeated: isList,
    isMap,
    siblings: (field.oneof?.fields ?? []).map(({ name }) => name).filter((name) => name !== field.name),
    message: isMap ? entryName(field.parent, field) : (field.message?.typeName ?? ''),
  };
}

function entryName(parent: DescMessage, { name }: DescField): string {
  return `${parent.typeName}.${name} entry`;
}

function typeOf(kind: 'scalar' | 'enum' | 'message', scalar: ScalarType | undefined): FieldType {
  return kind === 'scalar' ? scalarType(scalar) : kind;
}

function scalarType(scalar: ScalarType | undefined): FieldType {
  switch (scalar) {
    case ScalarType.STRING:
      return 'string';
    case ScalarType.BYTES:
      return 'bytes';
    case ScalarType.UINT64:
      return 'uint64';
    case ScalarType.INT64:
      return 'int64';
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return '32 bits';
    case ScalarType.DOUBLE:
      return 'double';
    case ScalarType.BOOL:
      return 'bool';
    default:
      throw new Error(`there are no hostile values for scalar type ${scalar}`);
  }
}

/** A field with its length before its bytes. */
export function delimited(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

/** A number as the wire has it: negative ones take ten bytes. */
export function varint(value: number | bigint | boolean): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function methodsOf(service: DescService): MethodInfo[] {
  return service.methods.map(({ name, methodKind, input }) => ({
    name: `${service.name}/${name}`,
    path: `/${service.typeName}/${name}`,
    requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
    responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
    request: input.typeName,
  }));
}
