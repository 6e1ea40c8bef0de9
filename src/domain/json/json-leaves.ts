// All leaves of a JSON text with their paths, and back. A leaf is a scalar, null, a whole array or an empty object.

import { asBuffer } from './bytes.js';
import { comparePaths, type JsonPath } from './json-path.js';
import { scanLeaves, WantedPaths } from './json-scan.js';
import { JsonCursor, OPEN_BRACE } from './json-tokens.js';

export interface Leaf {
  readonly path: JsonPath;
  /** Canonical (json-tokens.ts): equal values have equal tokens. */
  readonly token: string;
}

const NOTHING = new WantedPaths();

/**
 * The leaves, sorted by path. A text that is no object is one leaf with an empty path, and so is `{}`. Throws JsonProblem for
 * more than 64 levels or 1,024 leaves and for a key that an object has twice.
 */
export function readLeaves(bytes: Uint8Array): Leaf[] {
  scanLeaves(bytes, NOTHING);
  const leaves: Leaf[] = [];
  addLeaves(new JsonCursor(asBuffer(bytes), 0), [], leaves);
  return leaves.sort((a, b) => comparePaths(a.path, b.path));
}

function addLeaves(cursor: JsonCursor, path: JsonPath, leaves: Leaf[]): void {
  if (cursor.peek() !== OPEN_BRACE) {
    leaves.push({ path, token: cursor.token() });
    return;
  }
  let empty = true;
  cursor.members((key) => {
    empty = false;
    addLeaves(cursor, [...path, key], leaves);
  });
  if (empty) leaves.push({ path, token: '{}' });
}

/** The text of the value that has these leaves, which are sorted by path: without spaces, with sorted keys. */
export function leavesText(leaves: readonly Leaf[]): string {
  return textOf(leaves, 0, leaves.length, 0);
}

/** Writes the leaves in [from, to), which share their first `depth` keys. */
function textOf(leaves: readonly Leaf[], from: number, to: number, depth: number): string {
  const first = leaves[from] as Leaf;
  if (first.path.length === depth) return first.token;
  const members: string[] = [];
  for (let start = from; start < to; ) {
    const key = (leaves[start] as Leaf).path[depth] as string;
    let end = start + 1;
    while (end < to && (leaves[end] as Leaf).path[depth] === key) end++;
    members.push(`${JSON.stringify(key)}:${textOf(leaves, start, end, depth + 1)}`);
    start = end;
  }
  return `{${members.join(',')}}`;
}
