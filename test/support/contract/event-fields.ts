// Every field of an event as the contract's descriptor lists them, each with two values: what a test takes through all that an
// event goes through. Nothing here is taken from the server's own table of fields, so that a field which it lacks is missed.

import { randomUUID } from 'node:crypto';
import { Descriptors, type FieldInfo, type Node, type Tree } from './descriptors.js';

export const descriptors = new Descriptors();
export const NEW_EVENT = 'madeleine.v1.NewEvent';

/** A field of NewEvent, or of a message in it. */
export interface EventField {
  /** As a field violation names it, such as `system.id`. */
  readonly path: string;
  /** The field of NewEvent that it is or lies in. */
  readonly top: FieldInfo;
  readonly type: FieldInfo['type'];
  /** Two events that differ in this field alone. */
  readonly events: readonly [Tree, Tree];
}

/** What every event has besides; its payload contains the descriptions below. */
const BASE: Tree = { topic: 'orders', issuer: 'shop', payload: { data: Buffer.from('{"a":1,"b":2}') } };

/** Values of fields that take no value of their type, or only some. */
const VALUES: Readonly<Record<string, () => readonly [Node, Node]>> = {
  message_id: () => [randomUUID(), randomUUID()],
  description: () => [{ fields: { a: { number_value: 1 } } }, { fields: { b: { number_value: 2 } } }],
  'payload.content_type': () => ['application/json', 'application/x+json'],
  // Arms of one oneof: what is varied is the content.
  'payload.json': () => [jsonPayload(1), jsonPayload(2)],
  'payload.data': () => [Buffer.from('{"a":1,"b":3}'), Buffer.from('{"a":1,"b":4}')],
  'system.timezone': () => ['UTC', 'Europe/Berlin'],
  'system.time': () => [
    { seconds: 1, nanos: 1_000_000 },
    { seconds: 1, nanos: 2_000_000 },
  ],
};

function jsonPayload(value: number): Node {
  return { struct_value: { fields: { a: { number_value: value } } } };
}

function valuesOf(path: string, { type, isMap }: FieldInfo): readonly [Node, Node] {
  const special = VALUES[path];
  if (special !== undefined) return special();
  if (isMap) return [{ key: 'one' }, { key: 'other' }];
  if (type === 'string') return [`${path} one`, `${path} other`];
  if (type === '32 bits' || type === 'uint64') return [7, 8];
  if (type === 'enum') return [4, 5];
  throw new Error(`there are no values for ${path}: add them to VALUES`);
}

/** Fields that are set one by one: messages of ours are walked to their leaves. */
function* leaves(message: string, path: string, top?: FieldInfo): Generator<EventField> {
  for (const field of descriptors.fields(message)) {
    const own = `${path}${field.name}`;
    const topmost = top ?? field;
    if (field.message.startsWith('madeleine.') && !field.isMap) yield* leaves(field.message, `${own}.`, topmost);
    else yield { path: own, top: topmost, type: field.type, events: eventsWith(own, valuesOf(own, field)) };
  }
}

function eventsWith(path: string, [one, other]: readonly [Node, Node]): readonly [Tree, Tree] {
  // The other arm of the payload's oneof gives way.
  const base = path === 'payload.json' ? { ...BASE, payload: {} } : BASE;
  return [withValue(base, path, one), withValue(base, path, other)];
}

/** The tree with the value at the path. */
export function withValue(tree: Tree, path: string, value: Node): Tree {
  const [name = '', ...inner] = path.split('.');
  if (inner.length === 0) return { ...tree, [name]: value };
  return { ...tree, [name]: withValue((tree[name] ?? {}) as Tree, inner.join('.'), value) };
}

/** Every field of an event that is pushed. */
export const EVENT_FIELDS: readonly EventField[] = [...leaves(NEW_EVENT, '')];

/** The name of a field in generated code. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The event without its payload: so it is awaited. */
export function awaitedEvent({
  payload: _,
  description = { fields: { a: { number_value: 1 } } },
  ...event
}: Tree): Tree {
  return { ...event, description };
}

/** Plurals that are no field's name with an s. */
const PLURALS: Readonly<Record<string, string>> = { to: 'to_names', reply_to: 'reply_to_names' };

/** The members of a message of filters that select by the field: in the singular, the plural, or both. */
export function filterMembers(message: string, { path }: EventField): readonly FieldInfo[] {
  const names = [path, PLURALS[path] ?? `${path}s`];
  return descriptors.fields(message).filter(({ name }) => names.includes(name));
}

/** A member of a filter with this field's first value. */
export function filterTree(member: FieldInfo, { path, events }: EventField): Tree {
  const value = events[0][path] as Node;
  return { [member.name]: member.repeated ? [value] : value };
}
