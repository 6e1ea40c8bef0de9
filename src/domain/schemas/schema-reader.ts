// Reads a JSON Schema: what is no keyword of its dialect, or has no value that the keyword can have, is told with its place. The
// result has keywords by their meaning only (schema.ts).

import { pointerOf } from '../json/json-path.js';
import { canonicalText, hasInfinite, isDeeper, isObject, type Json, type JsonObject } from './json.js';
import { type Keywords, Reference, type Schema } from './schema.js';
import { ANNOTATIONS, type Dialect } from './schema-dialect.js';
import { KEYWORDS, type KeywordReader } from './schema-keywords.js';
import { limits } from './schema-limits.js';
import { SchemaPlaces } from './schema-places.js';
import type { SchemaProblems } from './schema-problems.js';

type MutableKeywords = { -readonly [Name in keyof Keywords]: Keywords[Name] };

class SchemaNode implements Schema {
  readonly pointer: string;
  readonly verdict?: boolean;
  readonly keywords: MutableKeywords = {};
  readonly #raw: Json;
  readonly #dialect: Dialect;
  #text: string | undefined;

  constructor(raw: Json, pointer: string, dialect: Dialect) {
    this.#raw = raw;
    this.#dialect = dialect;
    this.pointer = pointer;
    if (typeof raw === 'boolean') this.verdict = raw;
  }

  get text(): string {
    this.#text ??= `${this.#dialect} ${canonicalText(this.#raw)}`;
    return this.#text;
  }
}

interface Pending {
  readonly reference: Reference;
  readonly pointer: string;
  readonly base: string;
  readonly isDynamic: boolean;
}

export interface ReadSchema {
  readonly root: Schema;
  /** Keywords that nobody knows, by their pointers: they mean nothing. */
  readonly unknown: readonly string[];
}

export class SchemaReader {
  readonly #raw: Json;
  readonly #dialect: Dialect;
  readonly #problems: SchemaProblems;
  readonly #places: SchemaPlaces;
  readonly #nodes = new Map<string, SchemaNode>();
  readonly #pending: Pending[] = [];
  readonly #unknown: string[] = [];
  #patterns = 0;

  constructor(raw: Json, dialect: Dialect, problems: SchemaProblems) {
    this.#raw = raw;
    this.#dialect = dialect;
    this.#problems = problems;
    this.#places = new SchemaPlaces(raw, dialect);
  }

  /** The schema; undefined where something is wrong with it. */
  read(): ReadSchema | undefined {
    if (isDeeper(this.#raw, limits.schemaDepth)) {
      this.#problems.add('', `nests more than ${limits.schemaDepth} levels`);
      return undefined;
    }
    if (hasInfinite(this.#raw)) this.#problems.add('', 'has a number that no double can hold');
    const root = this.schema(this.#raw, '', this.#places.base);
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) this.#lead(next);
    if (this.#nodes.size > limits.subschemas)
      this.#problems.add('', `has more than ${limits.subschemas} schemas within it`);
    if (this.#patterns > limits.patterns) this.#problems.add('', `has more than ${limits.patterns} patterns`);
    return this.#problems.found.length === 0 ? { root, unknown: this.#unknown } : undefined;
  }

  /** The schema at a place of the document. */
  schema(raw: Json, pointer: string, base: string): Schema {
    const known = this.#nodes.get(pointer);
    if (known !== undefined) return known;
    const node = new SchemaNode(raw, pointer, this.#dialect);
    this.#nodes.set(pointer, node);
    if (this.#nodes.size > limits.subschemas) return node;
    if (isObject(raw)) this.#readObject(raw, node, base);
    else if (typeof raw !== 'boolean') this.#problems.add(pointer, 'is no schema: neither an object nor true or false');
    return node;
  }

  #readObject(raw: JsonObject, node: SchemaNode, outer: string): void {
    const { pointer } = node;
    const hasOnlyRef = this.#dialect === 'draft-07' && raw['$ref'] !== undefined;
    const base = hasOnlyRef ? outer : this.#places.enter(raw, pointer, outer, this.#problems);
    const reader: KeywordReader = {
      dialect: this.#dialect,
      keywords: node.keywords,
      siblings: raw,
      part: (part, path) => this.schema(part, pointer + pointerOf(path), base),
      wrong: (path, what) => this.#problems.add(pointer + pointerOf(path), what),
      pattern: () => {
        this.#patterns += 1;
        return this.#patterns <= limits.patterns;
      },
      reference: (text, isDynamic) => {
        const reference = new Reference(text);
        this.#pending.push({ reference, pointer, base, isDynamic });
        return reference;
      },
    };
    for (const [name, value] of Object.entries(raw)) {
      // What stands beside a reference means nothing in this dialect.
      if (hasOnlyRef && name !== '$ref') continue;
      this.#readKeyword(name, value, reader, pointer);
    }
  }

  #readKeyword(name: string, value: Json, reader: KeywordReader, pointer: string): void {
    const read = KEYWORDS[this.#dialect].get(name);
    if (read !== undefined) read(value, reader);
    else if (!ANNOTATIONS.has(name)) this.#unknown.push(pointer + pointerOf([name]));
  }

  #lead({ reference, pointer, base, isDynamic }: Pending): void {
    const place = this.#places.find(reference.text, base, isDynamic);
    const field = `${pointer}/${isDynamic ? '$dynamicRef' : '$ref'}`;
    if (typeof place === 'string') {
      this.#problems.add(field, place);
      return;
    }
    reference.leadTo(this.schema(place.raw, place.pointer, place.base));
  }
}
