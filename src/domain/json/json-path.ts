// Paths into JSON objects: sequences of keys, so that keys with dots, slashes, quotes or nothing in them are unambiguous.
// For people and settings they are written as JSON Pointers (RFC 6901).

export type JsonPath = readonly string[];

/** Key by key, each by its UTF-16 units; a path comes before those that go on from it. */
export function comparePaths(a: JsonPath, b: JsonPath): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const left = a[index] as string;
    const right = b[index] as string;
    if (left !== right) return left < right ? -1 : 1;
  }
  return a.length - b.length;
}

/** Whether the path is the prefix or goes on from it. */
export function isWithin(path: JsonPath, prefix: JsonPath): boolean {
  return prefix.length <= path.length && prefix.every((key, index) => path[index] === key);
}

/** `/order/id`; in a key `~` is written ~0 and `/` is written ~1. The whole document is the empty text. */
export function pointerOf(path: JsonPath): string {
  return path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The path of a pointer; undefined if the text is none. Every part counts as the key of an object. */
export function parsePointer(pointer: string): JsonPath | undefined {
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined;
  const keys = pointer.slice(1).split('/');
  return keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}
