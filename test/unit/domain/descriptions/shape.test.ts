// Shapes as stored, and the matcher over all shapes of a topic.

import { describe, expect, it } from 'vitest';
import { checkedLeaves, type Description, parseDescription } from '../../../../src/domain/descriptions/description.js';
import { decodeShape, encodeShape, type Shape, shapeOf } from '../../../../src/domain/descriptions/shape.js';
import { ShapeMatcher } from '../../../../src/domain/descriptions/shape-matcher.js';
import { comparePaths } from '../../../../src/domain/json/json-path.js';

function parse(text: string): Description {
  return parseDescription(Buffer.from(text), 'd');
}

function matcherOf(...descriptions: readonly string[]): ShapeMatcher {
  return new ShapeMatcher(descriptions.map((text) => parse(text).shape));
}

function matched(matcher: ShapeMatcher, payload: string): string[] {
  return matcher.match(Buffer.from(payload)).map(({ shape }) => JSON.stringify(shape.paths));
}

describe('paths', () => {
  it('are sorted key by key, a path before those that go on from it', () => {
    const sorted = [[], ['a'], ['a', ''], ['a', 'b'], ['a\u0000'], ['a.b'], ['b']];
    expect(sorted.toReversed().sort(comparePaths)).toEqual(sorted);
  });
});

describe('a shape', () => {
  it('is the same for the same set of paths', () => {
    expect(shapeOf([['b'], ['a', 'x'], ['a', 'b']])).toEqual(shapeOf([['a', 'b'], ['a', 'x'], ['b']]));
    expect(shapeOf([['a']]).digest).not.toEqual(shapeOf([['a', '']]).digest);
    expect(shapeOf([['a', 'b']]).digest).not.toEqual(shapeOf([['a'], ['b']]).digest);
  });

  it('survives its stored form, unusual keys included', () => {
    const shape = shapeOf([['a.b', '"'], ['\u0000'], ['\ud800'], ['', ''], ['\u{1f600}', '__proto__']]);
    expect(decodeShape(encodeShape(shape))).toEqual(shape);
    expect(decodeShape(new Uint8Array(encodeShape(shape)))).toEqual(shape);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['another version', Buffer.from('\u0002[["a"]]')],
    ['no list', Buffer.from('\u0001{}')],
    ['an empty path', Buffer.from('\u0001[[]]')],
    ['keys that are no strings', Buffer.from('\u0001[[1]]')],
  ])('is not read from %s', (_, bytes) => {
    expect(() => decodeShape(bytes)).toThrow(/stored shape/);
  });
});

describe('a shape matcher', () => {
  it('finds the shapes whose paths all lead to leaves', () => {
    const matcher = matcherOf('{"a":1}', '{"a":{"b":1}}', '{"a":1,"c":1}', '{"c":1}');
    expect(matched(matcher, '{"a":7,"b":8}')).toEqual(['[["a"]]']);
    expect(matched(matcher, '{"a":{"b":[]},"c":null}')).toEqual(['[["a","b"]]', '[["c"]]']);
    expect(matched(matcher, '{"a":{},"c":{}}')).toEqual(['[["a"]]', '[["a"],["c"]]', '[["c"]]']);
    expect(matched(matcher, '{"a":{"x":1},"c":{"x":1}}')).toEqual([]);
    expect(matched(matcher, '[{"a":1}]')).toEqual([]);
    expect(matched(matcher, '{"x":[{"a":1}],"y":{"a":1}}')).toEqual([]);
  });

  it('answers the shapes as they were given, with the hash and values of a description that is contained', () => {
    const description = parse('{"order":{"id":4711},"status":"PAID"}');
    const row: Shape & { id: number } = { ...description.shape, id: 5 };
    const matches = new ShapeMatcher([row]).match(Buffer.from('{"status":"PAID","order":{"id":4711.0,"x":1}}'));
    expect(matches).toEqual([{ shape: row, hash: description.hash, values: description.values }]);
    expect(matches[0]?.hash).toHaveLength(17);
  });

  it('keeps keys apart whose hashes are equal', () => {
    // Pairs with one hash under FNV-1a of 32 bits.
    const one = matcherOf('{"costarring":1}');
    expect(matched(one, '{"liquid":1}')).toEqual([]);
    expect(matched(one, '{"liquid":1,"costarring":1}')).toEqual(['[["costarring"]]']);
    const both = matcherOf('{"costarring":1}', '{"liquid":1}', '{"\\ud800":1}', '{"\\ud801":1}', '{"\ufffd":1}');
    expect(matched(both, '{"liquid":1}')).toEqual(['[["liquid"]]']);
    expect(matched(both, '{"l\\u0069quid":1,"costarring":1}')).toEqual(['[["costarring"]]', '[["liquid"]]']);
    expect(matched(both, '{"\\ud800":1}')).toEqual(['[["\\ud800"]]']);
    expect(matched(both, '{"\ufffd":1,"\\ud801":1}')).toEqual(['[["\\ud801"]]', '[["\ufffd"]]']);
    for (const key of ['liquid', 'costarring', 'other', 'after']) {
      const payload = `{"other":1,"costarring":1,"liquid":1,"after":1,"${key}":1}`;
      expect(matched(one, payload)).toEqual([]);
      expect(() => checkedLeaves(Buffer.from(payload), 'payload')).toThrow(`payload: has the key "${key}" twice`);
    }
  });

  it('forgets one payload before the next', () => {
    const matcher = matcherOf('{"a":1}', '{"b":1}');
    expect(matched(matcher, '{"a":1}')).toEqual(['[["a"]]']);
    expect(matched(matcher, '{"a":1,"x":{"y":1,"y":1}}')).toEqual([]);
    expect(matched(matcher, '{"b":1}')).toEqual(['[["b"]]']);
  });

  it('reads a part of a larger buffer', () => {
    const all = new Uint8Array(Buffer.from('xx{"a":1}yy'));
    expect(matcherOf('{"a":1}').match(all.subarray(2, 9))).toHaveLength(1);
  });

  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  const wide = (leaves: number) => `{${Array.from({ length: leaves }, (_, index) => `"k${index}":1`).join(',')}}`;

  it.each([
    ['{"a":1,"x":1,"x":1}', 'has the key "x" twice in one object'],
    ['[{"x":[{"y":1,"z":2,"y":1}]}]', 'has the key "y" twice in one object'],
    [`{"a":1,"x":${deep(64)}}`, 'is more than 64 levels deep'],
    [wide(1_025), 'has more than 1024 leaves'],
    [`{"a":1,"${'k'.repeat(100)}":1,"${'k'.repeat(100)}":1}`, `has the key "${'k'.repeat(64)}…" twice in one object`],
    // Such bytes are refused before; here they only must not do harm.
    ['', 'is not JSON'],
    ['{', 'is not JSON'],
    ['{"a"', 'is not JSON'],
    ['{"a":', 'is not JSON'],
    ['{"a":"', 'is not JSON'],
    ['{"a\\', 'is not JSON'],
    ['{"a\\q":1}', 'is not JSON'],
    ['{"a":1]', 'is not JSON'],
    ['[1', 'is not JSON'],
    ['{}{', 'is not JSON'],
  ])('finds none in what breaks the limits: %.40s', (payload, problem) => {
    expect(matched(matcherOf('{"a":1}', '{"k7":1}'), payload)).toEqual([]);
    expect(() => checkedLeaves(Buffer.from(payload), 'payload')).toThrow(
      expect.objectContaining({ reason: 'FIELD_INVALID', message: `payload: ${problem}` }),
    );
  });

  it('takes what goes to the limits', () => {
    const matcher = matcherOf('{"k7":1}');
    expect(matched(matcher, wide(1_024))).toEqual(['[["k7"]]']);
    expect(matched(matcher, `{"k7":${deep(63)}}`)).toEqual(['[["k7"]]']);
    const items = Array.from({ length: 5_000 }, () => '{"x":1,"y":2}').join(',');
    expect(matched(matcher, `{"k7":[${items}]}`)).toEqual(['[["k7"]]']);
  });

  it('looks at nothing where no shape is watched', () => {
    expect(matched(matcherOf(), 'no JSON')).toEqual([]);
  });

  it('is not slowed down by an object with very many keys', () => {
    const keys = Array.from({ length: 40_000 }, (_, index) => `"\\u006b${index}":0`).join(',');
    const began = performance.now();
    expect(matched(matcherOf('{"a":1}'), `{"a":[{${keys}}]}`)).toHaveLength(1);
    // Some 60 ms; a comparison of each with each takes seconds.
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});
