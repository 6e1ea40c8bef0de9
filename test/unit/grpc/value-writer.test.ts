// JSON texts as Values: what the generated code reads from them, and which texts have none.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Struct, Value } from '../../../generated/google/protobuf/struct.js';
import { valueToJsonText } from '../../../src/grpc/wire/json-value.js';
import { fitsStruct, writeStruct, writeValue } from '../../../src/grpc/wire/value-writer.js';
import { WireReader } from '../../../src/grpc/wire/wire-reader.js';
import { WireWriter } from '../../../src/grpc/wire/wire-writer.js';
import { propertyParameters } from '../../support/property.js';

/** The Value of a text; undefined: it has none. */
function encodedOf(text: string): Buffer | undefined {
  const writer = new WireWriter();
  return writeValue(writer, Buffer.from(text)) ? writer.finish() : undefined;
}

function read(text: string): unknown {
  const value = encodedOf(text);
  return value === undefined ? undefined : Value.unwrap(Value.decode(value));
}

const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const nestedObjects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

describe('a JSON text as a Value', () => {
  it('is what a parser reads, whatever white space and escapes it has', () => {
    const spaces = fc.constantFrom('', ' ', '\n\t', '\r  ');
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), spaces, fc.boolean(), (value, space, escaped) => {
        const text = JSON.stringify(value, null, space);
        const ascii = text.replace(/[^\n\r\t -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
        if (/[\ud800-\udfff]/u.test(text) || /\\ud[89a-f]/.test(text)) return;
        const expected: unknown = JSON.parse(text);
        // The generated code assigns to an object: it has no member of this name.
        if (text.includes('__proto__')) return;
        expect(read(`${space}${escaped ? ascii : text}${space}`)).toEqual(expected);
      }),
      propertyParameters(),
    );
  });

  it('keeps the order of its members, whatever their keys', () => {
    const text = '{"b":1,"10":2,"9":{"__proto__":3,"":4},"é\\"":[]}';
    const writer = new WireWriter();
    writeValue(writer, Buffer.from(text));
    const encoded = writer.finish();
    const places = ['b', '10', '9', '__proto__', 'é"'].map((key) => encoded.indexOf(Buffer.from(key)));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(valueToJsonText(new WireReader(encoded))).toBe('{"10":2,"9":{"":4,"__proto__":3},"b":1,"é\\"":[]}');
  });

  it.each([
    ['"a\\\\"', 'a\\'],
    ['["\\\\","\\"","a\\"b\\\\"]', ['\\', '"', 'a"b\\']],
    ['{"\\\\":"\\\\\\\\"}', { '\\': '\\\\' }],
    ['"\\ud83d\\ude00"', '😀'],
    [
      '[0,-0,12,-7,1.50,-2.5e3,5e-324,1e21,123456789012345]',
      [0, -0, 12, -7, 1.5, -2500, 5e-324, 1e21, 123456789012345],
    ],
    ['[1E2,1e+2,0.1,100000000000000000000]', [100, 100, 0.1, 1e20]],
    ['[true,false,null]', [true, false, null]],
    [' [ ] ', []],
    ['{ }', {}],
    [`"${'x'.repeat(100)}é"`, `${'x'.repeat(100)}é`],
  ])('%s', (text, value) => {
    expect(read(text)).toEqual(value);
  });

  it.each([
    ['more than 30 lists in one another', nested(31)],
    ['more than 30 objects in one another', nestedObjects(31)],
    ['a number above every double', '[1e400]'],
    ['a number below every double', '[1,-1e-400]'],
    ['a whole number that a double rounds', '{"n":9007199254740993}'],
    ['a decimal that a double rounds', '{"n":0.1234567890123456789}'],
    ['a lone surrogate in a text', '["\\ud800"]'],
    ['a lone surrogate in a key', '{"\\udc00":1}'],
    ['a surrogate pair in the wrong order', '"\\ude00\\ud83d"'],
    ['a key twice', '{"a":1,"b":2,"a":3}'],
    ['a key twice, once with an escape', '{"a":1,"\\u0061":3}'],
    ['a key twice in a deep object', '[{"x":{"a":{"b":1},"a":{"b":1}}}]'],
    ['a key twice among many', `{${Array.from({ length: 100 }, (_, n) => `"${n}":0`).join(',')},"7":1}`],
    ['more than 3 MiB as a Value', `[${'0,'.repeat(300_000)}0]`],
    ['what is no JSON', '{"a" 1}'],
    ['what is no JSON either', '[1 2]'],
    ['two values', '1 2'],
    ['nothing', ' '],
    ['half a text', '"abc'],
    ['half a list', '1]'],
    ['a number with a zero before it', '[012]'],
    ['a word', '[treu]'],
  ])('there is none of %s', (_what, text) => {
    expect(encodedOf(text)).toBeUndefined();
  });

  it.each([
    ['30 lists in one another', nested(30)],
    ['30 objects in one another', nestedObjects(30)],
    ['equal keys in different objects', '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}'],
    ['many keys', `{${Array.from({ length: 1_000 }, (_, n) => `"${n}":0`).join(',')}}`],
    ['as many numbers as fit', `[${'0,'.repeat(200_000)}0]`],
  ])('there is one of %s', (_what, text) => {
    expect(encodedOf(text)).toBeDefined();
  });

  it('takes back what it wrote of a text that has none', () => {
    const writer = new WireWriter();
    writer.stringField(1, 'before');
    expect(writeValue(writer, Buffer.from('["\\ud800",1,2,{"a":"b"}]'))).toBe(false);
    const alone = new WireWriter();
    alone.stringField(1, 'before');
    expect(writer.finish()).toEqual(alone.finish());
  });

  it('is not gone through beyond what it may have', () => {
    const writer = new WireWriter();
    const text = Buffer.from(`[${'0,'.repeat(1_000_000)}0]`);
    let most = 0;
    const close = writer.close.bind(writer);
    writer.close = (field, mark) => {
      most = Math.max(most, writer.mark);
      close(field, mark);
    };
    expect(writeValue(writer, text)).toBe(false);
    expect(most).toBeLessThan(3 * 1024 * 1024 + 100);
  });
});

describe('a JSON text as a Struct', () => {
  it('is what a parser reads', () => {
    const writer = new WireWriter();
    expect(writeStruct(writer, Buffer.from('{"a":{"b":[1,"x"]},"c":null}'))).toBe(true);
    expect(Struct.unwrap(Struct.decode(writer.finish()))).toEqual({ a: { b: [1, 'x'] }, c: null });
  });

  it('is none of a text that is no object, or too deep', () => {
    expect(['[]', '1', '{}', nestedObjects(30), nestedObjects(31)].map(fitsStruct)).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
  });
});
