// Where references of a schema lead: to a pointer, an anchor, or a schema within it that has an `$id`. Nothing outside of it is
// known, or fetched.

import { parsePointer, pointerOf } from '../json/json-path.js';
import { isObject, type Json, type JsonObject, memberOf } from './json.js';
import type { Dialect } from './schema-dialect.js';
import type { SchemaProblems } from './schema-problems.js';

/** The base of a schema that says none. */
const NO_BASE = 'schema://inside/';

export interface SchemaPlace {
  readonly raw: Json;
  readonly pointer: string;
  readonly base: string;
}

const OUTWARDS = 'refers outwards: it has to lead to a place in this very schema, such as #/$defs/address';

export class SchemaPlaces {
  readonly #raw: Json;
  readonly #dialect: Dialect;
  /** The places of schemas with an `$id`, by it. */
  readonly #resources = new Map<string, string>();
  /** The places of anchors, by base and name. */
  readonly #anchors = new Map<string, string>();
  /** Bases that have a dynamic anchor, by its name. */
  readonly #dynamic = new Map<string, Set<string>>();
  readonly #bases = new Map<string, string>();

  constructor(raw: Json, dialect: Dialect) {
    this.#raw = raw;
    this.#dialect = dialect;
    this.#resources.set(NO_BASE, '');
  }

  get base(): string {
    return NO_BASE;
  }

  /** Takes note of what the schema at the pointer is called; returns the base of what stands in it. */
  enter(raw: JsonObject, pointer: string, outer: string, problems: SchemaProblems): string {
    const base = this.#identified(raw['$id'], pointer, outer, problems);
    this.#bases.set(pointer, base);
    if (this.#dialect === 'draft-07') return base;
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const name = raw[keyword];
      if (name === undefined) continue;
      if (typeof name !== 'string' || !/^[A-Za-z_][A-Za-z0-9._-]*$/.test(name)) {
        problems.add(`${pointer}/${keyword}`, 'is no name of letters, digits, "-", "_" and "."');
        continue;
      }
      this.#call(this.#anchors, `${base}#${name}`, { pointer, keyword }, problems);
      if (keyword === '$dynamicAnchor') this.#dynamic.set(name, (this.#dynamic.get(name) ?? new Set()).add(base));
    }
    return base;
  }

  #identified(id: Json | undefined, pointer: string, outer: string, problems: SchemaProblems): string {
    if (id === undefined) return outer;
    const uri = typeof id === 'string' ? resolved(id, outer) : undefined;
    if (uri === undefined) {
      problems.add(`${pointer}/$id`, 'is no URI reference');
      return outer;
    }
    const [base = '', fragment = ''] = uri.split('#');
    if (fragment === '') {
      this.#call(this.#resources, base, { pointer, keyword: '$id' }, problems);
      return base;
    }
    const isAnchor = this.#dialect === 'draft-07';
    if (isAnchor) this.#call(this.#anchors, `${base}#${fragment}`, { pointer, keyword: '$id' }, problems);
    else problems.add(`${pointer}/$id`, 'has a fragment: $anchor gives a place a name');
    return outer;
  }

  /** Gives the place a name: one that another place has too would mean this or that, by the order in which they are written. */
  #call(
    names: Map<string, string>,
    name: string,
    { pointer, keyword }: { readonly pointer: string; readonly keyword: string },
    problems: SchemaProblems,
  ): void {
    const other = names.get(name);
    if (other === undefined || other === pointer) names.set(name, pointer);
    else
      problems.add(`${pointer}/${keyword}`, `is the name of another place too: ${other === '' ? 'the whole' : other}`);
  }

  /** The place that the reference leads to from where that base holds, or what is wrong with it. */
  find(reference: string, from: string, isDynamic: boolean): SchemaPlace | string {
    const uri = resolved(reference, from);
    if (uri === undefined) return 'is no URI reference';
    const at = uri.indexOf('#');
    const base = at < 0 ? uri : uri.slice(0, at);
    const fragment = decoded(at < 0 ? '' : uri.slice(at + 1));
    const resource = this.#resources.get(base);
    if (resource === undefined) return OUTWARDS;
    if (fragment === undefined) return 'is no URI reference';
    if (fragment === '' || fragment.startsWith('/')) return this.#at(resource + fragment, base);
    const bases = this.#dynamic.get(fragment);
    if (isDynamic && bases?.has(base) === true && bases.size > 1) {
      return `leads to one of ${bases.size} schemas of this name, by the way that was taken to it: that is not supported`;
    }
    const anchor = this.#anchors.get(`${base}#${fragment}`);
    return anchor === undefined ? `leads to no place: there is no anchor ${fragment}` : this.#at(anchor, base);
  }

  #at(pointer: string, base: string): SchemaPlace | string {
    const path = parsePointer(pointer);
    let raw: Json | undefined = this.#raw;
    for (const key of path ?? []) raw = stepped(raw, key);
    if (path === undefined || raw === undefined) return 'leads to no place in this schema';
    const written = pointerOf(path);
    return { raw, pointer: written, base: this.#bases.get(written) ?? base };
  }
}

function stepped(value: Json | undefined, key: string): Json | undefined {
  if (Array.isArray(value)) return /^(0|[1-9]\d*)$/.test(key) ? (value as readonly Json[])[Number(key)] : undefined;
  return isObject(value) ? memberOf(value, key) : undefined;
}

function resolved(reference: string, base: string): string | undefined {
  try {
    return new URL(reference, base).href;
  } catch {
    // The platform says no more than that.
    return undefined;
  }
}

function decoded(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}
