// What a push is refused with: everything that is wrong, its own members first.

import { describe, expect, it } from 'vitest';
import { MadeleineError } from '../../../src/domain/errors.js';
import { decodePush } from '../../../src/grpc/events/push-decoder.js';
import { toPushCommand } from '../../../src/grpc/events/push-validation.js';
import { delimited, RawField, type Tree } from '../../support/contract/descriptors.js';
import { descriptors } from '../../support/contract/event-fields.js';

function violationsOf(event: Tree): readonly string[] {
  const request = descriptors.encode('madeleine.v1.PushEventRequest', { event });
  const command = toPushCommand(decodePush(request), '', { maxEventBytes: 10_000 });
  return command instanceof MadeleineError ? command.violations.map(({ field }) => field) : [];
}

describe('the refusal of a push', () => {
  it('names its own members before those of its maps, which may be more than are told', () => {
    const properties = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`key ${n}`, 'x'.repeat(5_000)]));
    const event = { issuer: ' ', properties, payload: { data: Buffer.from('{}') } };
    expect(violationsOf(event).slice(0, 3)).toEqual(['event.topic', 'event.issuer', 'event.properties']);
  });

  it.each([
    ['tracestate', 'vendor=’'],
    ['tracestate', 'a=b\u00a0c'],
    ['tracestate', '\u2028'],
    ['tracestate', 'a\r\nx: y'],
    ['traceparent', '00-é'],
    ['traceparent', 'trace\u{1f4a5}'],
    ['traceparent', '\u0000'],
    ['payload.content_type', 'text/plain; charset=’'],
    ['payload.content_type', 'text'],
    ['payload.content_type', '/json'],
    ['payload.content_type', 'text/'],
    ['payload.content_type', 'text/pla in'],
    ['payload.content_type', 'ünter/text'],
    ['payload.content_type', 'text/plain\nx: y'],
  ])('names %s that is sent on in an alphabet which %j is not of', (field, text) => {
    const payload = { data: Buffer.from('{}') };
    const [first = '', inner] = field.split('.');
    const changes = inner === undefined ? { [first]: text } : { payload: { ...payload, [inner]: text } };
    const event = { topic: 't', issuer: 'i', payload, ...changes };
    expect(violationsOf(event)).toContain(`event.${field}`);
  });

  it.each([
    'text/plain',
    'text/plain; charset=utf-8',
    'application/vnd.bank+json',
    'a/b',
    'multipart/x;boundary="a b"',
    '',
  ])('is not for the content type %j', (text) => {
    const payload = { content_type: text, data: Buffer.from('{}') };
    expect(violationsOf({ topic: 't', issuer: 'i', payload, traceparent: '00-1-2-3', tracestate: 'a=b,c=d' })).toEqual(
      [],
    );
  });
});

describe('a Value without a kind', () => {
  const violationOf = (event: Tree) => {
    const request = descriptors.encode('madeleine.v1.PushEventRequest', {
      event: { topic: 't', issuer: 'i', ...event },
    });
    const command = toPushCommand(decodePush(request), '', { maxEventBytes: 10_000 });
    return command instanceof MadeleineError ? command.violations[0] : undefined;
  };
  const list = (...values: readonly Tree[]): Tree => ({ list_value: { values } });
  const object = (fields: Tree): Tree => ({ struct_value: { fields } });
  const ONE = { number_value: 1 };
  const PROBLEM = 'has a Value without a kind (JSON null is null_value)';

  it.each<[what: string, json: Tree, where: string]>([
    ['alone', {}, ''],
    ['in a list', list(ONE, {}), ' at /1'],
    ['in an object', object({ a: ONE, b: {} }), ' at /b'],
    ['in the depth', object({ 'a/b': list(ONE, object({ c: list({}) })) }), ' at /a~1b/1/c/0'],
    ['with a field that nobody knows', { string_value: undefined, x: new RawField(Buffer.from([0x98, 6, 1])) }, ''],
  ])('is refused in a payload: %s', (_what, json, where) => {
    const bare = Object.values(json).every((member) => member === undefined || member instanceof RawField);
    const value = bare
      ? Buffer.concat(Object.values(json).flatMap((raw) => (raw instanceof RawField ? [raw.bytes] : [])))
      : json;
    expect(violationOf({ payload: { json: value } })).toEqual({
      field: 'event.payload.json',
      description: `${PROBLEM}${where}`,
    });
  });

  it('is refused where an entry of an object has none', () => {
    const entry = delimited(1, delimited(1, Buffer.from('key')));
    const found = violationOf({ payload: { json: { struct_value: entry } } });
    expect(found?.description).toBe(`${PROBLEM} at /key`);
  });

  it('is refused in a description', () => {
    const payload = { data: Buffer.from('{"a":null}') };
    expect(violationOf({ payload, description: { fields: { a: {} } } })).toEqual({
      field: 'event.description',
      description: `${PROBLEM} at /a`,
    });
    expect(violationOf({ description: { fields: { a: ONE, b: list(object({ c: {} })) } } })?.description).toBe(
      `${PROBLEM} at /b/0/c`,
    );
  });

  it('is null where it says so', () => {
    expect(
      violationOf({ payload: { json: list({ null_value: 0 }, object({ a: { null_value: 0 } })) } }),
    ).toBeUndefined();
  });

  it('is no matter of a body that another one replaces', () => {
    const payload = Buffer.concat([delimited(2, Buffer.alloc(0)), delimited(3, Buffer.from('{}'))]);
    expect(violationOf({ payload })).toBeUndefined();
  });
});

describe('a payload that is too large', () => {
  it('is refused as such, without being looked at further', () => {
    const request = (payload: Tree) =>
      descriptors.encode('madeleine.v1.PushEventRequest', { event: { topic: 't', issuer: 'i', payload } });
    const refusalOf = (payload: Tree) =>
      toPushCommand(decodePush(request(payload), 1_000), '', { maxEventBytes: 1_000 });
    const values = Array.from({ length: 500 }, () => ({ null_value: 0 }));
    const bodies = [
      { json: { list_value: { values } } },
      { json: { list_value: { values: [...values, {}] } } },
      { json: { string_value: 'x'.repeat(2_000) } },
      { json: { string_value: '\u0000'.repeat(400) } },
      { data: Buffer.from(`[${'0,'.repeat(1_000)}`) },
    ];
    for (const body of bodies) expect(refusalOf(body)).toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
  });
});
