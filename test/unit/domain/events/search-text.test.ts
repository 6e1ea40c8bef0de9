// Where in an event a text is found, and what is shown of the place.

import { describe, expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry, type Payload } from '../../../../src/domain/events/event.js';
import { excerpt } from '../../../../src/domain/events/excerpt.js';
import { SearchText } from '../../../../src/domain/events/search-text.js';
import { Subject } from '../../../../src/domain/events/subject.js';

const MESSAGE_ID = '0193f0a4-5b5c-7d1e-8f3a-0123456789ab';

function entry(changes: Partial<LogEntry>): LogEntry {
  const own = { position: 7, eventId: 77, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  return { ...BLANK_ENVELOPE, messageId: MESSAGE_ID, ...own, ...changes };
}

const json = (text: string): Payload => ({ contentType: '', bytes: Buffer.from(text) });
const fieldsOf = (text: string, changes: Partial<LogEntry>) =>
  new SearchText(text).matchesOf(entry(changes)).map(({ field }) => field);

describe('a text', () => {
  it.each([
    ['topic', { topic: 'my Orders' }],
    ['stream', { stream: 'orderS-7' }],
    ['issuer', { issuer: 'ORDERS' }],
    ['to', { to: 'x orders' }],
    ['reply_to', { replyTo: 'orders x' }],
    ['tag', { tag: 'orders' }],
    ['entity_type', { entityType: 'orders' }],
    ['organization', { organization: 'orders' }],
    ['unit', { unit: 'orders' }],
    ['system.id', { rest: { system: { id: 'orders', name: '', time: undefined, timezone: '' } } }],
    ['system.name', { rest: { system: { id: '', name: 'orders', time: undefined, timezone: '' } } }],
    ['trigger.type', { rest: { trigger: { type: 'orders', name: '' } } }],
    ['trigger.name', { rest: { trigger: { type: '', name: 'orders' } } }],
    ['awaited_by', { rest: { awaitedBy: 'orders' } }],
    ['invalidation_reason', { rest: { reason: 'no orders' } }],
    ['data_subject', { rest: { dataSubject: 'orders' } }],
    ['properties.color', { rest: { properties: { color: 'orders', size: '1' } } }],
    ['properties.my orders', { rest: { properties: { 'my orders': '1' } } }],
    ['description', { rest: { description: '{"orders":1}' } }],
    ['payload', { payload: json('{"a":"Orders"}') }],
  ] as const)('is found in %s, in either case', (field, changes) => {
    expect(fieldsOf('ordErs', changes)).toEqual([field]);
    expect(fieldsOf('orderx', changes)).toEqual([]);
  });

  it('is found in the name of a subject', () => {
    expect(fieldsOf('delet', { subject: Subject.DELETED })).toEqual(['subject']);
    expect(fieldsOf('delet', { subject: Subject.CREATED })).toEqual([]);
    expect(fieldsOf('0', {})).toEqual([]);
  });

  it('is found in several fields, each once, the payload last', () => {
    expect(fieldsOf('a', { topic: 'aa', tag: 'a', payload: json('["a","a"]') })).toEqual(['topic', 'tag', 'payload']);
  });

  it('is the whole of an id', () => {
    expect(fieldsOf('77', { eventId: 77 })).toEqual(['id']);
    expect(fieldsOf('7', { eventId: 77 })).toEqual([]);
    expect(fieldsOf('077', { eventId: 77 })).toEqual([]);
    expect(fieldsOf('78', { rest: { satisfiedIds: [78] } })).toEqual(['satisfied_ids']);
    expect(fieldsOf(MESSAGE_ID.toUpperCase(), {})).toEqual(['message_id']);
    expect(fieldsOf(MESSAGE_ID.slice(1), {})).toEqual([]);
    const ids = { sessionId: 'a-b', correlationId: 'a-b', rest: { causedBy: 'a-b' } };
    expect(fieldsOf('a-b', ids)).toEqual(['session_id', 'correlation_id', 'caused_by']);
    for (const other of ['a-', 'A-b']) expect(fieldsOf(other, ids)).toEqual([]);
    expect(new SearchText('99999999999999999').eventId).toBeUndefined();
  });

  it.each([
    ['%', '100 %', '100'],
    ['_', 'a_b', 'ab'],
    ['\\', 'C:\\dir', 'C:dir'],
    ['"', 'say "hi"', 'say hi'],
    ["' OR 1=1 --", "it' OR 1=1 --", "it' OR 1=2 --"],
    ['É', 'cafÉ', 'café'],
    ['e\u0301', 'cafe\u0301', 'caf\u00e9'],
    ['😀', 'a😀', 'a😁'],
    [' ', 'a b', 'ab'],
  ])('%j is itself', (text, has, hasNot) => {
    expect(fieldsOf(text, { tag: has })).toEqual(['tag']);
    expect(fieldsOf(text, { tag: hasNot })).toEqual([]);
    expect(fieldsOf(text, { payload: json(JSON.stringify([has])) })).toEqual(['payload']);
  });

  it.each([
    ['café', '["caf\\u00E9"]'],
    ['😀', '["\\uD83D\\ude00"]'],
    ['a/b', '["a\\/b"]'],
    ['é/"', '["\\u00e9\\/\\""]'],
    ['C:\\dir', '["C:\\\\dir"]'],
    // Slashes, and nothing else, as PHP can.
    ['é/"', '["é\\/\\""]'],
    // Careful with HTML, as encoders of Go, Java and .NET are.
    ['a&b <c>', '["a\\u0026b \\u003cc\\u003E"]'],
    ['é=&"\'', '["é\\u003d\\u0026\\"\\u0027"]'],
    ['é+&"\'\\', '["\\u00E9\\u002B\\u0026\\u0022\\u0027\\\\"]'],
  ])('%j is found in JSON as clients escape it: %s', (text, payload) => {
    expect(fieldsOf(text, { payload: json(payload) })).toEqual(['payload']);
    expect(fieldsOf(text, { rest: { description: payload } })).toEqual(['description']);
    // What is no JSON says what it says.
    const bytes = Buffer.from(payload);
    expect(fieldsOf(text, { payload: { contentType: 'text/plain', bytes } })).toEqual([]);
  });

  it('has one form, unless encoders differ in how they write it', () => {
    expect(new SearchText('Order 4711').forms.map(String)).toEqual(['order 4711']);
    expect(new SearchText('order 4711').nestedForms).toHaveLength(1);
    expect(new SearchText('a/b').forms).toHaveLength(2);
    expect(new SearchText('é/"<=+\'\\').forms.length).toBeLessThan(10);
  });

  it('is found in bytes that are no text', () => {
    const bytes = Buffer.concat([Buffer.from([0xff, 0x00, 0xc3]), Buffer.from('NEEDLE'), Buffer.from([0x80, 0xfe])]);
    const found = new SearchText('needle').matchesOf(entry({ payload: { contentType: 'image/png', bytes } }));
    expect(found).toEqual([{ field: 'payload', excerpt: '…NEEDLE…' }]);
  });
});

describe('an excerpt', () => {
  const of = (text: string, word: string) => {
    const bytes = Buffer.from(text);
    const at = bytes.indexOf(word);
    return excerpt(bytes, at, at + Buffer.byteLength(word));
  };

  it('is all of a short text', () => {
    expect(of('{"total": 12.5}', 'total')).toBe('{"total": 12.5}');
    expect(of('total', 'total')).toBe('total');
  });

  it('has 60 bytes before and after, and marks where it was cut', () => {
    const text = `${'a'.repeat(61)}X${'b'.repeat(61)}`;
    expect(of(text, 'X')).toBe(`…${'a'.repeat(60)}X${'b'.repeat(60)}…`);
    expect(of(text.slice(1, -1), 'X')).toBe(`${'a'.repeat(60)}X${'b'.repeat(60)}`);
  });

  it.each(['é', '€', '😀'])('is cut between code points: %s', (letter) => {
    for (let shift = 0; shift < 4; shift += 1) {
      const text = `${letter.repeat(50)}${'.'.repeat(shift)}X${'.'.repeat(shift)}${letter.repeat(50)}`;
      const found = of(text, 'X');
      expect(found).not.toContain('\ufffd');
      expect(text).toContain(found.slice(1, -1));
      expect(Buffer.byteLength(found)).toBeLessThanOrEqual(1 + 2 * (60 + 3 + 3));
    }
  });

  it('is one line without what steers a terminal', () => {
    expect(of('{\n\t"a":\r\n  "X"\n}', 'X')).toBe('{ "a": "X" }');
    expect(of('bad\u001b[31m good X good\u0007 bad', 'X')).toBe('…[31m good X good…');
  });
});
