// The one pass over a payload: takes the tokens of the leaves that are wanted and holds the whole text against the limits.
// Every push to a topic that somebody ever described an event of goes through here: what nobody wants is passed over
// without making an object or a string of it.
//
// It looks at the whole text even when all that is wanted was found: whether a payload can be indexed must not depend on the
// descriptions that happen to be asked for at present.

import { asBuffer } from './bytes.js';
import type { JsonPath } from './json-path.js';
import { MAX_JSON_DEPTH } from './json-text.js';
import {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  JsonProblem,
  notJson,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipScalar,
  skipSpace,
  skipString,
  stringAt,
  tokenAt,
} from './json-tokens.js';

/** Leaves that a description, or a payload that descriptions are held against, may have. */
export const MAX_LEAVES = 1_024;

/** Stands in the place of a token where an object that is not empty is: it has leaves, it is none. No token equals it. */
export const NOT_A_LEAF = '{…}';

/** Keys of one object that are compared one by one; beyond them a set takes over. */
const MAX_COMPARED_KEYS = 32;
const HASH_START = 0x811c9dc5 | 0;
const HASH_FACTOR = 0x01000193;
const NO_BYTES = Buffer.alloc(0);

/** The token of each wanted leaf by its slot; undefined: nothing is there. */
export type Tokens = (string | undefined)[];

interface Edge {
  /** The key in UTF-8; undefined if it takes more to tell: keys with this hash are several, or have lone surrogates. */
  bytes: Buffer | undefined;
  readonly node: PathNode;
}

class PathNode {
  /** Where the token goes if a leaf is here; -1: it is not wanted. */
  slot = -1;
  readonly byKey = new Map<string, PathNode>();
  readonly byHash = new Map<number, Edge>();
}

/** The leaves that scans look for, as a tree of keys. */
export class WantedPaths {
  readonly root = new PathNode();
  #size = 0;

  /** Number of slots given out. */
  get size(): number {
    return this.#size;
  }

  /** The slot of the path; the same path has one slot. */
  add(path: JsonPath): number {
    let node = this.root;
    for (const key of path) node = childOf(node, key);
    if (node.slot < 0) node.slot = this.#size++;
    return node.slot;
  }
}

function childOf(node: PathNode, key: string): PathNode {
  const known = node.byKey.get(key);
  if (known !== undefined) return known;
  const child = new PathNode();
  node.byKey.set(key, child);
  const bytes = Buffer.from(key);
  const hash = hashOf(key);
  const same = node.byHash.get(hash);
  if (same !== undefined) same.bytes = undefined;
  else node.byHash.set(hash, { bytes: bytes.toString() === key ? bytes : undefined, node: child });
  return child;
}

/** Hashes a key's UTF-8. Equal keys have equal hashes; keys that differ in lone surrogates do too. */
function hashOf(key: string): number {
  let hash = HASH_START;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, HASH_FACTOR);
  return hash;
}

/** Scans one text after the other; keeps its working memory, which is why there is one for all. */
class JsonScan {
  #bytes: Buffer = NO_BYTES;
  #at = 0;
  #leaves = 0;
  #tokens: Tokens = [];
  /** The key that was read last has escapes. */
  #escaped = false;
  // Keys of the objects that are open, in one stack: their hashes and where they begin.
  readonly #hashes = new Int32Array(MAX_JSON_DEPTH * MAX_COMPARED_KEYS);
  readonly #starts = new Int32Array(MAX_JSON_DEPTH * MAX_COMPARED_KEYS);
  #open = 0;

  collect(bytes: Uint8Array, wanted: WantedPaths): Tokens {
    const tokens: Tokens = new Array(wanted.size).fill(undefined);
    this.#bytes = asBuffer(bytes);
    this.#tokens = tokens;
    this.#at = 0;
    this.#leaves = 0;
    this.#open = 0;
    this.#value(wanted.root, 0, true);
    if (skipSpace(this.#bytes, this.#at) !== this.#bytes.length) throw notJson();
    this.#bytes = NO_BYTES;
    return tokens;
  }

  /** `outside`: not in an array, whose parts are no leaves of their own. */
  #value(node: PathNode | undefined, depth: number, outside: boolean): void {
    const start = skipSpace(this.#bytes, this.#at);
    this.#at = start;
    const first = this.#bytes[start];
    if (first === OPEN_BRACE) {
      this.#object(node, depth, outside);
      return;
    }
    if (first === OPEN_BRACKET) this.#array(depth);
    else this.#at = skipScalar(this.#bytes, start);
    if (outside) this.#leaf(node, start);
  }

  #leaf(node: PathNode | undefined, start: number): void {
    if (++this.#leaves > MAX_LEAVES) throw new JsonProblem(`has more than ${MAX_LEAVES} leaves`);
    if (node !== undefined && node.slot >= 0) this.#tokens[node.slot] = tokenAt(this.#bytes, start, this.#at);
  }

  #array(depth: number): void {
    if (depth >= MAX_JSON_DEPTH) throw tooDeep();
    if (this.#closes(CLOSE_BRACKET)) return;
    do this.#value(undefined, depth + 1, false);
    while (this.#goesOn(CLOSE_BRACKET));
  }

  #object(node: PathNode | undefined, depth: number, outside: boolean): void {
    if (depth >= MAX_JSON_DEPTH) throw tooDeep();
    const start = this.#at;
    if (this.#closes(CLOSE_BRACE)) {
      if (outside) this.#leaf(node, start);
      return;
    }
    const base = this.#open;
    let names: Set<string> | undefined;
    do {
      const keyStart = skipSpace(this.#bytes, this.#at);
      const hash = this.#key(keyStart);
      names = this.#checkKey(names, base, hash, keyStart);
      const child = node === undefined ? undefined : this.#child(node, hash, keyStart);
      this.#colon();
      this.#value(child, depth + 1, outside);
    } while (this.#goesOn(CLOSE_BRACE));
    this.#open = base;
    if (node !== undefined && node.slot >= 0) this.#tokens[node.slot] = NOT_A_LEAF;
  }

  /** Goes over the opening bracket, and over the closing one if it is next. */
  #closes(close: number): boolean {
    this.#at = skipSpace(this.#bytes, this.#at + 1);
    if (this.#bytes[this.#at] !== close) return false;
    this.#at++;
    return true;
  }

  /** Goes over a comma (true) or the closing bracket (false). */
  #goesOn(close: number): boolean {
    const at = skipSpace(this.#bytes, this.#at);
    this.#at = at + 1;
    const byte = this.#bytes[at];
    if (byte === COMMA) return true;
    if (byte === close) return false;
    throw notJson();
  }

  #colon(): void {
    const at = skipSpace(this.#bytes, this.#at);
    if (this.#bytes[at] !== COLON) throw notJson();
    this.#at = at + 1;
  }

  /** Goes over the key that begins at `start`; answers its hash. */
  #key(start: number): number {
    const bytes = this.#bytes;
    if (bytes[start] !== QUOTE) throw notJson();
    let hash = HASH_START;
    for (let at = start + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.#at = at + 1;
        this.#escaped = false;
        return hash;
      }
      if (byte === BACKSLASH) return this.#escapedKey(start);
      hash = Math.imul(hash ^ byte, HASH_FACTOR);
    }
    throw notJson();
  }

  #escapedKey(start: number): number {
    this.#at = skipString(this.#bytes, start);
    this.#escaped = true;
    return hashOf(stringAt(this.#bytes, start, this.#at));
  }

  /**
   * Throws if the object, whose keys are on the stack from `base`, has the key already. `names` takes over once it has many
   * keys, or two with the same hash: the time stays linear, whatever somebody makes up.
   */
  #checkKey(names: Set<string> | undefined, base: number, hash: number, start: number): Set<string> | undefined {
    if (names !== undefined) return this.#checkName(names, start);
    const open = this.#open;
    let index = base;
    while (index < open && this.#hashes[index] !== hash) index++;
    if (index < open || open - base === MAX_COMPARED_KEYS) return this.#checkName(this.#namesFrom(base), start);
    this.#hashes[open] = hash;
    this.#starts[open] = start;
    this.#open = open + 1;
    return undefined;
  }

  #namesFrom(base: number): Set<string> {
    const names = new Set<string>();
    for (let index = base; index < this.#open; index++) names.add(this.#keyAt(this.#starts[index] as number));
    return names;
  }

  #checkName(names: Set<string>, start: number): Set<string> {
    const key = this.#keyAt(start);
    if (names.has(key)) throw twice(key);
    return names.add(key);
  }

  #keyAt(start: number): string {
    return stringAt(this.#bytes, start, skipString(this.#bytes, start));
  }

  /** Where the key that was read last, and begins at `start`, leads. */
  #child(node: PathNode, hash: number, start: number): PathNode | undefined {
    const edge = node.byHash.get(hash);
    if (edge === undefined) return undefined;
    if (this.#escaped || edge.bytes === undefined) return node.byKey.get(this.#keyAt(start));
    return this.#isKey(edge.bytes, start + 1) ? edge.node : undefined;
  }

  /** Whether the key whose content is between `start` and the quote just passed has these bytes. */
  #isKey(key: Buffer, start: number): boolean {
    if (this.#at - 1 - start !== key.length) return false;
    for (let index = 0; index < key.length; index++) if (key[index] !== this.#bytes[start + index]) return false;
    return true;
  }
}

const SCAN = new JsonScan();

/**
 * The tokens of the wanted leaves of a JSON text. Throws JsonProblem for more than 64 levels or 1,024 leaves and for a key
 * that an object has twice, wherever in the text.
 */
export function scanLeaves(bytes: Uint8Array, wanted: WantedPaths): Tokens {
  return SCAN.collect(bytes, wanted);
}

function tooDeep(): JsonProblem {
  return new JsonProblem(`is more than ${MAX_JSON_DEPTH} levels deep`);
}

function twice(key: string): JsonProblem {
  const shown = key.length > 64 ? `${key.slice(0, 64)}…` : key;
  return new JsonProblem(`has the key ${JSON.stringify(shown)} twice in one object`);
}
