// The paths that identify the events of a topic.

import { describe, expect, it } from 'vitest';
import { parseDescriptionPaths } from '../../../../src/domain/descriptions/description-paths.js';

function describeBy(pointers: readonly string[], payload: string): string {
  return parseDescriptionPaths(pointers, 'description_paths').describe(Buffer.from(payload), 'event.payload').text;
}

describe('description paths', () => {
  it('take the values that they lead to', () => {
    const payload = '{"total":1.50,"order":{"id":4711,"lines":[1,2]},"a.b":{"/~":null}}';
    expect(describeBy(['/order/id'], payload)).toBe('{"order":{"id":4711}}');
    expect(describeBy(['/total', '/order/lines'], payload)).toBe('{"order":{"lines":[1,2]},"total":1.5}');
    expect(describeBy(['/a.b/~1~0'], payload)).toBe('{"a.b":{"/~":null}}');
  });

  it('take objects whole', () => {
    expect(describeBy(['/a'], '{"a":{"c":{},"b":1},"x":1}')).toBe('{"a":{"b":1,"c":{}}}');
    expect(describeBy(['/a'], '{"a":{}}')).toBe('{"a":{}}');
  });

  it.each([
    ['{"order":{}}', 'event.payload: has nothing at /order/id, which identifies the events of its topic'],
    ['{"order":[{"id":1}]}', 'event.payload: has nothing at /order/id, which identifies the events of its topic'],
    ['7', 'event.payload: has nothing at /order/id, which identifies the events of its topic'],
    ['{"order":{"id":1,"id":1}}', 'event.payload: has the key "id" twice in one object'],
    [`{"order":{"id":"${'x'.repeat(16 * 1024)}"}}`, 'event.payload: has more than 16384 bytes'],
  ])('refuse the payload %.30s', (payload, message) => {
    expect(() => describeBy(['/order/id'], payload)).toThrow(
      expect.objectContaining({ reason: 'FIELD_INVALID', message }),
    );
  });

  it.each([
    [['order.id'], 'description_paths[0]: is not a JSON Pointer such as /order/id'],
    [['/a', '/b~2'], 'description_paths[1]: is not a JSON Pointer such as /order/id'],
    [[''], 'description_paths[0]: leads to the whole payload'],
    [['/a/b', '/c', '/a'], 'description_paths[2]: overlaps /a/b'],
    [['/a', '/a'], 'description_paths[1]: overlaps /a'],
    [[`/${'x'.repeat(1_024)}`], 'description_paths[0]: has more than 1024 bytes'],
    [Array.from({ length: 17 }, (_, index) => `/${index}`), 'description_paths: has more than 16 paths'],
  ])('are refused: %.40j', (pointers, message) => {
    expect(() => parseDescriptionPaths(pointers, 'description_paths')).toThrow(
      expect.objectContaining({ reason: 'FIELD_INVALID', message }),
    );
  });

  it('may be neighbours', () => {
    expect(describeBy(['/a/b', '/ab', '/a/c'], '{"a":{"b":1,"c":2,"d":3},"ab":4}')).toBe('{"a":{"b":1,"c":2},"ab":4}');
  });
});
