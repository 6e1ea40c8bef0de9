// Hostile requests: a valid one, changed in one field at a time, by the field's type. Messages are walked to their leaves.

import type { Descriptors, FieldInfo, FieldType, Node, Tree } from './descriptors.js';

export interface Mutation {
  /** The path of the changed field, as a field violation names it, such as `events[0].event.topic`. */
  readonly path: string;
  /** Fields that may be named instead: the other members of its oneof. */
  readonly alternatives: readonly string[];
  /** What is put there, in words. */
  readonly what: string;
  /** The request with the change. */
  readonly apply: (base: Tree) => Tree;
  /** The bytes are no message of the type: there is no field to name. */
  readonly undecodable: boolean;
}

type Hostile = readonly [what: string, value: Node | undefined, undecodable?: 'undecodable'];

const MANY = 10_001;

const STRINGS: readonly Hostile[] = [
  ['nothing', undefined],
  ['the empty text', ''],
  ['256 bytes', 'x'.repeat(256)],
  ['100 kB', 'y'.repeat(100_000)],
  ['64 emoji', '😀'.repeat(64)],
  ['an emoji', '😀'],
  ['a NUL', 'a\u0000b'],
  ['a C1 control', 'a\u0085b'],
  ['quotes and SQL', `'"\`\\; DROP TABLE log; -- %_`],
  ['a space before', ' edge'],
  ['a space after', 'edge '],
  ['a byte order mark', '\ufeffmark'],
  ['the reserved context', 'all'],
  ['__proto__', '__proto__'],
  ['a UUID cut off', '0197b2c6-7b1a-7000-8000-00000000000'],
  ['a byte that is not UTF-8', Buffer.from([0x61, 0xff]), 'undecodable'],
  ['a lone surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'undecodable'],
  ['an overlong NUL', Buffer.from([0xc0, 0x80]), 'undecodable'],
];
const UNSIGNED_64: readonly Hostile[] = [
  ['nothing', undefined],
  ['0', 0n],
  ['2^53', 2n ** 53n],
  ['2^63', 2n ** 63n],
  ['2^64-1', 2n ** 64n - 1n],
];
const SIGNED_64: readonly Hostile[] = [
  ['nothing', undefined],
  ['0', 0n],
  ['-1', -1n],
  ['the least', -(2n ** 63n)],
  ['the greatest', 2n ** 63n - 1n],
];
const NUMBERS_32: readonly Hostile[] = [
  ['0', 0],
  ['-1', -1],
  ['the least', -(2 ** 31)],
  ['the greatest', 2 ** 31 - 1],
  ['2^32-1', 2 ** 32 - 1],
];
const ENUMS: readonly Hostile[] = [
  ['0', 0],
  ['an unknown number', 99],
  ['-1', -1],
  ['the greatest', 2 ** 31 - 1],
];
const BYTES: readonly Hostile[] = [
  ['nothing', undefined],
  ['no bytes', Buffer.alloc(0)],
  ['NULs', Buffer.alloc(64)],
  ['JSON 100,000 levels deep', Buffer.from('['.repeat(100_000))],
  ['300 kB', Buffer.alloc(300_000, 0x20)],
  ['JSON with a key twice', Buffer.from('{"a":1,"a":2}')],
  ['JSON with a lone surrogate', Buffer.from('"\\ud800"')],
];
const DOUBLES: readonly Hostile[] = [
  ['nothing', undefined],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['minus infinity', Number.NEGATIVE_INFINITY],
  ['minus one', -1],
  ['minus zero', -0],
  ['the greatest', Number.MAX_VALUE],
  ['the least', Number.MIN_VALUE],
];
const TIMESTAMPS: readonly Hostile[] = [
  ['an empty one', {}],
  ['the year 9999', { seconds: 253_402_300_799n, nanos: 999_999_999 }],
  ['the year 0', { seconds: -62_135_596_801n }],
  ['negative nanos', { seconds: 1n, nanos: -1 }],
  ['too many nanos', { seconds: 1n, nanos: 1_000_000_000 }],
  ['the last second of 64 bits', { seconds: 2n ** 63n - 1n }],
  ['the first second of 64 bits', { seconds: -(2n ** 63n) }],
  ['1970', { seconds: -1n, nanos: 1 }],
];
const DURATIONS: readonly Hostile[] = [
  ['an empty one', {}],
  ['a negative one', { seconds: -1n }],
  ['negative nanos', { nanos: -1 }],
  ['mixed signs', { seconds: 5n, nanos: -1 }],
  ['too many nanos', { seconds: 1n, nanos: 1_000_000_000 }],
  ['10,000 years', { seconds: 315_576_000_001n }],
  ['the last second of 64 bits', { seconds: 2n ** 63n - 1n }],
  ['the first second of 64 bits', { seconds: -(2n ** 63n) }],
];
const MASKS: readonly Hostile[] = [
  ['nothing', undefined],
  ['no paths', {}],
  ['an unknown path', { paths: ['no_such'] }],
  ['an empty path', { paths: [''] }],
  ['a path that is a property of every object', { paths: ['constructor'] }],
  ['a path of 100 kB', { paths: ['z'.repeat(100_000)] }],
  ['many paths', { paths: Array.from({ length: MANY }, () => 'ack_timeout') }],
  ['a path below another', { paths: ['filter.topics'] }],
  ['a path that is not UTF-8', { paths: [Buffer.from([0xff])] }, 'undecodable'],
];
const VALUES: readonly Hostile[] = [
  ['a value without a kind', {}],
  ['NaN', { number_value: Number.NaN }],
  ['infinity', { number_value: Number.NEGATIVE_INFINITY }],
  ['100 levels', nested(100)],
  ['10,000 levels', nested(10_000)],
  ['many members', { list_value: { values: Array.from({ length: MANY }, () => ({ null_value: 0 })) } }],
  ['awkward keys', { struct_value: { fields: { __proto__x: { null_value: 0 }, constructor: {}, '': {} } } }],
  ['a text that is not UTF-8', { string_value: Buffer.from([0xff]) }, 'undecodable'],
];
const STRUCTS: readonly Hostile[] = [
  ['an empty one', {}],
  ['a leaf', { fields: { a: { string_value: 'b' } } }],
  ['30 levels', { fields: { deep: nested(30) } }],
  ['a value without a kind', { fields: { a: { number_value: 1 }, b: {} } }],
  ['a value without a kind in the depth', { fields: { a: { list_value: { values: [{ bool_value: true }, {}] } } } }],
  ['NaN', { fields: { a: { number_value: Number.NaN } } }],
];
const WELL_KNOWN: Readonly<Record<string, readonly Hostile[]>> = {
  'google.protobuf.Timestamp': TIMESTAMPS,
  'google.protobuf.Duration': DURATIONS,
  'google.protobuf.FieldMask': MASKS,
  'google.protobuf.Value': VALUES,
  'google.protobuf.Struct': STRUCTS,
};
const SCALARS: Readonly<Partial<Record<FieldType, readonly Hostile[]>>> = {
  string: STRINGS,
  bytes: BYTES,
  uint64: UNSIGNED_64,
  int64: SIGNED_64,
  '32 bits': NUMBERS_32,
  double: DOUBLES,
  enum: ENUMS,
  bool: [
    ['nothing', undefined],
    ['2', 2],
  ],
};

/** As bytes, so that no depth is too great for the one who writes them. */
function nested(levels: number): Uint8Array {
  let value = Buffer.from([0x08, 0]);
  for (let level = 0; level < levels; level += 1) {
    // Value.list_value { values: value }
    const list = Buffer.concat([Buffer.from([0x0a]), length(value), value]);
    value = Buffer.concat([Buffer.from([0x32]), length(list), list]);
  }
  return value;
}

function length({ length: bytes }: Uint8Array): Buffer {
  const encoded: number[] = [];
  let rest = bytes;
  for (; rest > 0x7f; rest >>>= 7) encoded.push((rest & 0x7f) | 0x80);
  return Buffer.from([...encoded, rest]);
}

/** Every way to spoil a valid request. `strings` are tried in every text besides: tokens of other requests, for one. */
export function mutations(descriptors: Descriptors, message: string, strings: readonly string[] = []): Mutation[] {
  const more = strings.map((text): Hostile => [`a text of elsewhere, ${text.slice(0, 12)}`, text]);
  return [...walk({ descriptors, more }, message, '', (root, change) => change(root))];
}

interface Walk {
  readonly descriptors: Descriptors;
  readonly more: readonly Hostile[];
}

/** Changes a message somewhere inside of the root. */
type Edit = (root: Tree, change: (message: Tree) => Tree) => Tree;

function* walk(scope: Walk, message: string, path: string, edit: Edit): Generator<Mutation> {
  const fields = scope.descriptors.fields(message);
  for (const field of fields) {
    const { siblings } = field;
    const put = (tree: Tree, value: Node | undefined): Tree => ({ ...without(tree, siblings), [field.name]: value });
    const own = field.repeated && !field.isMap ? `${path}${field.name}[0]` : `${path}${field.name}`;
    const alternatives = siblings.map((name) => `${path}${name}`);
    for (const [what, value, undecodable] of hostileValues(scope, field)) {
      const apply = (base: Tree) => edit(base, (tree) => put(tree, value));
      yield { path: own, alternatives, what, apply, undecodable: undecodable !== undefined };
    }
    if (field.message === '' || field.isMap || WELL_KNOWN[field.message] !== undefined) continue;
    const editInner: Edit = (root, change) =>
      edit(root, (tree) =>
        put(tree, field.repeated ? [change(firstOf(tree[field.name]))] : change(firstOf(tree[field.name]))),
      );
    yield* walk(scope, field.message, `${own}.`, editInner);
  }
}

function without(tree: Tree, names: readonly string[]): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([name]) => !names.includes(name)));
}

/** The message in a field, or in the first place of a list; an empty one where there is none. */
function firstOf(value: Node | undefined): Tree {
  const first = Array.isArray(value) ? value[0] : value;
  return (first ?? {}) as Tree;
}

function hostileValues(scope: Walk, field: FieldInfo): readonly Hostile[] {
  if (field.isMap) return MAPS;
  const single = field.message === '' ? SCALARS[field.type] : (WELL_KNOWN[field.message] ?? MESSAGES);
  if (single === undefined) throw new Error(`no hostile values for ${field.type}`);
  const values = field.type === 'string' ? [...single, ...scope.more] : single;
  if (!field.repeated) return values;
  const sample = values.find(([, value]) => value !== undefined && value !== '')?.[1] as Node;
  return [...values, ['many', Array.from({ length: MANY }, () => (field.type === 'string' ? 'many' : sample))]];
}

const MESSAGES: readonly Hostile[] = [
  ['nothing', undefined],
  ['an empty one', {}],
  ['bytes that are no message', Buffer.from([0x0a, 0xff, 0xff]), 'undecodable'],
];

const MAPS: readonly Hostile[] = [
  ['no members', {}],
  ['many members', Object.fromEntries(Array.from({ length: MANY }, (_, n) => [`key ${n}`, 'v']))],
  ['many bad keys', Object.fromEntries(Array.from({ length: MANY }, (_, n) => [` bad ${n}`, 'v']))],
  ['an empty key', { '': 'v' }],
  ['a key with a NUL', { 'a\u0000b': 'v' }],
  ['the key __proto__', Object.fromEntries([['__proto__', 'v']])],
  ['a value of 100 kB', { k: 'v'.repeat(100_000) }],
  ['bytes that are no entry', Buffer.from([0x0a, 0xff]), 'undecodable'],
];
