// Descriptions: their limits, equality, and what a payload has to have to contain one.

import { describe, expect, it } from 'vitest';
import {
  type Description,
  loadDescription,
  parseDescription,
} from '../../../../src/domain/descriptions/description.js';
import { MadeleineError } from '../../../../src/domain/errors.js';

function parse(text: string): Description {
  return parseDescription(Buffer.from(text), 'event.description');
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MadeleineError && error.reason === 'FIELD_INVALID') return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

function contains(payload: string, description: string): boolean {
  return parse(description).isContainedIn(Buffer.from(payload));
}

function nested(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

function wide(leaves: number): string {
  return `{${Array.from({ length: leaves }, (_, index) => `"k${index}":1`).join(',')}}`;
}

describe('a description', () => {
  it.each([
    ['{}', 'is empty'],
    ['[1]', 'is not an object'],
    ['"a"', 'is not an object'],
    ['null', 'is not an object'],
    ['', 'is not JSON'],
    ['{"a":1', 'is not JSON'],
    ['{"a":01}', 'is not JSON'],
    ['{"a":1} {}', 'is not JSON'],
    ['{"a":1,"a":1}', 'has the key "a" twice in one object'],
    ['{"a":1,"\\u0061":2}', 'has the key "a" twice in one object'],
    ['{"x":{"a":1,"b":2,"a":1}}', 'has the key "a" twice in one object'],
    ['{"x":[{"a":1,"a":2}]}', 'has the key "a" twice in one object'],
    [nested(65), 'is more than 64 levels deep'],
    [`{"a":${'['.repeat(64)}${']'.repeat(64)}}`, 'is more than 64 levels deep'],
    [wide(1_025), 'has more than 1024 leaves'],
    [`{"a":"${'x'.repeat(16 * 1024)}"}`, 'has more than 16384 bytes'],
  ])('is refused: %.40s', (text, problem) => {
    expect(refusal(() => parse(text))).toBe(`event.description: ${problem}`);
  });

  it('is refused if it is not UTF-8', () => {
    const bytes = Buffer.from('{"a":"?"}');
    bytes[6] = 0xff;
    expect(refusal(() => parseDescription(bytes, 'd'))).toBe('d: is not JSON');
  });

  it('is refused if it would be stored with more than 16 KiB', () => {
    const numbers = `{"a":[${Array.from({ length: 1_000 }, () => '1e20').join(',')}]}`;
    expect(refusal(() => parse(numbers))).toBe('event.description: has more than 16384 bytes');
  });

  it('may go to its limits', () => {
    expect(parse(nested(64)).shape.paths).toEqual([Array.from({ length: 64 }, () => 'a')]);
    expect(parse(`{"a":${'['.repeat(63)}${']'.repeat(63)}}`).shape.paths).toEqual([['a']]);
    expect(parse(wide(1_024)).shape.paths).toHaveLength(1_024);
    expect(parse(`{"a":"${'x'.repeat(16 * 1024 - 8)}"}`).text).toHaveLength(16 * 1024);
    expect(parse(`{"a":[${Array.from({ length: 5_000 }, () => '1').join(',')}]}`).shape.paths).toEqual([['a']]);
  });

  it('has one text however it was written', () => {
    const text = '{"a":{"b":1,"c":[1,{"x":0,"y":"é"}]},"d":"/"}';
    expect(parse(text).text).toBe(text);
    expect(parse('{ "d" : "\\/", "a":{"c":[1.0,{"y":"\\u00e9","x":-0}],"\\u0062":1e0} }').text).toBe(text);
    expect(loadDescription(text).text).toBe(text);
  });

  it('keeps what looks like members of objects', () => {
    const text = '{"__proto__":{"constructor":1},"toString":{}}';
    expect(parse(text).text).toBe(text);
    expect(parse(text).shape.paths).toEqual([['__proto__', 'constructor'], ['toString']]);
  });

  it('names its paths as JSON Pointers', () => {
    expect(parse('{"a/b":{"~":1},"a.b":2,"":{"":[]},"x":{"y":{}}}').pointers).toEqual([
      '//',
      '/a.b',
      '/a~1b/~0',
      '/x/y',
    ]);
  });

  it('keeps keys apart that a joined path would confuse', () => {
    const texts = [
      '{"a.b":1}',
      '{"a":{"b":1}}',
      '{"a/b":1}',
      '{"a\\u0000b":1}',
      '{"a\\",\\"b":1}',
      '{"a":{"":{"b":1}}}',
    ];
    expect(new Set(texts.map((text) => parse(text).shape.digest.toString('hex'))).size).toBe(texts.length);
    for (const one of texts) for (const other of texts) expect(contains(one, other)).toBe(one === other);
  });

  it('hashes the values only', () => {
    expect(parse('{"a":1,"b":2}').hash).toEqual(parse('{"b":2.0,"a":1}').hash);
    expect(parse('{"a":1,"b":2}').hash).not.toEqual(parse('{"a":2,"b":1}').hash);
    expect(parse('{"a":1}').hash).toEqual(parse('{"b":1}').hash);
    expect(parse('{"a":"1,2"}').hash).not.toEqual(parse('{"a":1,"b":2}').hash);
  });

  it('has hashes that stay the same from version to version', () => {
    const description = parse('{"order":{"id":4711},"status":"PAID"}');
    expect(description.hash.toString('hex')).toBe('0128253d03ac1beead898c881e3bc16ee2');
    expect(description.shape.digest.toString('hex')).toBe('014924b73da8aaebd659bc8ee9bc4107b6');
  });
});

describe('containment', () => {
  it.each([
    ['{"a":1,"b":2}', '{"a":1}', true],
    ['{"a":{"b":1,"c":2}}', '{"a":{"b":1}}', true],
    ['{"a":{"b":1}}', '{"a":{"b":2}}', false],
    ['{"a":1}', '{"b":1}', false],
    ['{"a":1}', '{"a":{"b":1}}', false],
    ['{"a":{"b":1}}', '{"a":1}', false],
    // Empty objects are leaves.
    ['{"a":{}}', '{"a":{}}', true],
    ['{"a":{"b":1}}', '{"a":{}}', false],
    ['{"a":{}}', '{"a":{"b":1}}', false],
    ['{"a":[]}', '{"a":{}}', false],
    // Null is a value, not absence.
    ['{"a":null}', '{"a":null}', true],
    ['{}', '{"a":null}', false],
    ['{"a":"null"}', '{"a":null}', false],
    // Arrays are whole values.
    ['{"a":[1,2]}', '{"a":[1,2]}', true],
    ['{"a":[1,2]}', '{"a":[1]}', false],
    ['{"a":[1,2]}', '{"a":[2,1]}', false],
    ['{"a":[{"y":1,"x":2}]}', '{"a":[{"x":2.0,"y":1e0}]}', true],
    ['{"a":[{"x":1,"y":2}]}', '{"a":[{"x":1}]}', false],
    ['{"a":[{}]}', '{"a":[{}]}', true],
    ['{"a":[[],[ ]]}', '{"a":[[],[]]}', true],
    ['{"a":[{"b":1}]}', '{"a":{"b":1}}', false],
    // Numbers.
    ['{"a":1.0}', '{"a":1}', true],
    ['{"a":1e0}', '{"a":1}', true],
    ['{"a":-0.0}', '{"a":0}', true],
    ['{"a":9007199254740993}', '{"a":9007199254740992}', false],
    ['{"a":1e999999999}', '{"a":10e999999998}', true],
    ['{"a":1e999999999}', '{"a":1e999999998}', false],
    ['{"a":0.1}', '{"a":0.1000000000000000055511151231257827}', false],
    ['{"a":"1"}', '{"a":1}', false],
    ['{"a":true}', '{"a":1}', false],
    // Strings and keys by code points.
    ['{"a":"é"}', '{"a":"\\u00e9"}', true],
    ['{"a":"é"}', '{"a":"e\u0301"}', false],
    ['{"é":1}', '{"e\u0301":1}', false],
    ['{"\\u0061":1}', '{"a":1}', true],
    ['{"a":"\\ud83d\\ude00"}', '{"a":"\u{1f600}"}', true],
    ['{"\\ud83d\\ude00":1}', '{"\u{1f600}":1}', true],
    ['{"a":"\\ud800"}', '{"a":"\\ud800"}', true],
    ['{"a":"\\ud800"}', '{"a":"\\ud801"}', false],
    ['{"a":"\\ud800"}', '{"a":"\ufffd"}', false],
    ['{"\\ud800":1}', '{"\\ud800":1}', true],
    ['{"\\ud800":1}', '{"\\ud801":1}', false],
    ['{"\ufffd":1}', '{"\\ud800":1}', false],
    ['{"a":"A"}', '{"a":"a"}', false],
    ['{"a":"a "}', '{"a":"a"}', false],
    // A payload may be anything.
    ['[{"a":1}]', '{"a":1}', false],
    ['1', '{"a":1}', false],
    [' {\n"b" : [ 1 , {} ] ,\t"a" : 1\r} ', '{"a":1,"b":[1,{}]}', true],
  ])('%s against %s: %s', (payload, description, expected) => {
    expect(contains(payload, description)).toBe(expected);
  });

  it('is never found in a payload that breaks the limits', () => {
    expect(contains('{"a":1,"b":2,"b":2}', '{"a":1}')).toBe(false);
    expect(contains(`{"a":1,"b":${nested(64)}}`, '{"a":1}')).toBe(false);
    expect(contains(`{"a":1,"b":${nested(63)}}`, '{"a":1}')).toBe(true);
  });
});

describe('a difference', () => {
  const description = parse('{"order":{"id":4711,"status":"PAID"},"total":12.5}');

  it('names the first path, what was expected and found, and how close it is', () => {
    expect(description.differenceTo(Buffer.from('{"order":{"id":4711,"status":"OPEN"},"total":12.50}'))).toEqual({
      path: '/order/status',
      expected: '"PAID"',
      found: '"OPEN"',
      matching: 2,
      leaves: 3,
    });
  });

  it.each([
    ['{"total":12.5}', undefined, 1],
    ['{"order":{"id":{"n":1}},"total":12.5}', '{…}', 1],
    ['{"order":{"id":{}},"total":1}', '{}', 0],
    ['{"order":[]}', undefined, 0],
    ['{"order":{"id":4711.50,"id":1}}', undefined, 0],
  ])('tells what is there from what is not: %s', (payload, found, matching) => {
    const difference = description.differenceTo(Buffer.from(payload));
    expect(difference).toEqual({ path: '/order/id', expected: '4711', found, matching, leaves: 3 });
  });

  it('is none where the description is contained', () => {
    expect(description.differenceTo(Buffer.from(description.text))).toBeUndefined();
  });

  it('shows the beginning of long values, never half a character', () => {
    const long = parse(`{"a":"${'x'.repeat(254)}\u{1f600}"}`).differenceTo(Buffer.from(`{"a":"${'y'.repeat(1_000)}"}`));
    expect(long?.expected).toBe(`"${'x'.repeat(254)}…`);
    expect(long?.found).toBe(`"${'y'.repeat(255)}…`);
  });

  it('refuses a push whose payload is not what it describes', () => {
    const assert = (payload: string) => description.assertContainedIn(Buffer.from(payload), 'description', 'payload');
    expect(() => assert(description.text)).not.toThrow();
    expect(refusal(() => assert('{"order":{"id":4711}}'))).toBe(
      'description: is not contained in the payload, which differs at /order/status',
    );
    expect(refusal(() => assert('{"a":1,"a":1}'))).toBe('payload: has the key "a" twice in one object');
  });
});
