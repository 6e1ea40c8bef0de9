// Whether all that one schema takes, the writer's, is taken by another one, the reader's: and if that is not plain, where not.
//
// No difference means that it is proven. A difference is a place where the proof does not go on; its tries are values that may show that it
// is one. Schemas lead to themselves: two that are being compared further out count as proven.

import { canonicalText, type Json, textsOf } from '../json.js';
import { type Alternative, isImpossible, type SchemaSet } from './alternative.js';
import { saysTheSame } from './closed-schemas.js';
import { type Difference, MAX_TRIES } from './difference.js';
import { arrayDifferences, type ComparingObjects, objectDifferences } from './inner-differences.js';
import { alternativesOf } from './normal-form.js';
import { Samples } from './samples.js';
import { numberDifferences, stringDifferences } from './scalar-differences.js';
import { SetKeys } from './set-keys.js';
import { spokenOf } from './spoken.js';

/** Pairs of sets, and of their alternatives, that are compared, and how many within one another; more is not proven. */
const MAX_COMPARED = 500;
const MAX_ALTERNATIVES = 2_500;
const MAX_NESTED = 50;
/** Differences that are looked at, of all pairs. */
const MAX_DIFFERENCES = 2_000;
/** Numbers that are looked at one by one. */
const MAX_COUNTED = 200;

export interface InclusionOptions {
  /** Whether all schemas hold for the value; undefined: that takes too long to tell. */
  readonly isValid: (set: SchemaSet, value: Json) => boolean | undefined;
  /** Whether an object may have members that its writer's schema does not name, where that allows them. */
  readonly strict: boolean;
}

export class Inclusion {
  readonly strict: boolean;
  readonly samples: Samples;
  readonly isValid: InclusionOptions['isValid'];
  /** What was found of pairs, where it rests on no pair that is being compared. */
  readonly #found = new Map<string, readonly Difference[]>();
  /** Pairs that are being compared, and how many are further out. */
  readonly #open = new Map<string, number>();
  /** The outermost of the open pairs that what is being found rests on. */
  #restsOn = Number.POSITIVE_INFINITY;
  #compared = 0;
  #alternatives = 0;
  #differences = 0;
  readonly #keys = new SetKeys();

  constructor({ isValid, strict }: InclusionOptions) {
    this.strict = strict;
    this.isValid = isValid;
    this.samples = new Samples(isValid, this.#keys);
  }

  /** Where the reader's schemas take less than the writer's. */
  differences(writer: SchemaSet, reader: SchemaSet): readonly Difference[] {
    if (reader.every((one) => one.verdict === true || writer.some((other) => saysTheSame(other, one)))) return [];
    if (isImpossible(writer)) return [];
    const pair = `${this.#keys.of(writer)} ${this.#keys.of(reader)}`;
    const openAt = this.#open.get(pair);
    if (openAt !== undefined) this.#restsOn = Math.min(this.#restsOn, openAt);
    return this.#found.get(pair) ?? (openAt === undefined ? this.#compare(pair, writer, reader) : []);
  }

  #compare(pair: string, writer: SchemaSet, reader: SchemaSet): readonly Difference[] {
    this.#compared += 1;
    const depth = this.#open.size;
    if (this.#isTooMuch || depth >= MAX_NESTED) return [tooLarge];
    const outer = this.#restsOn;
    this.#open.set(pair, depth);
    this.#restsOn = Number.POSITIVE_INFINITY;
    const readers = alternativesOf(reader);
    const found = alternativesOf(writer).flatMap((one) => this.#alternative(one, { writer, reader, readers }));
    this.#open.delete(pair);
    if (this.#restsOn >= depth) {
      this.#found.set(pair, found);
      this.#restsOn = outer;
    } else this.#restsOn = Math.min(this.#restsOn, outer);
    return found;
  }

  #alternative(
    one: Alternative,
    {
      writer,
      reader,
      readers,
    }: { readonly writer: SchemaSet; readonly reader: SchemaSet; readonly readers: readonly Alternative[] },
  ): readonly Difference[] {
    const values = one.values ?? countedNumbers(one);
    if (values !== undefined) return this.#values(values, one, writer, reader);
    const same = readers.filter(({ kind }) => kind === one.kind);
    if (same.length === 0) return [typeDifference(one, readers, this.samples.ofAlternative(one))];
    let best: readonly Difference[] | undefined;
    for (const other of same) {
      const found = this.#between(one, other, writer);
      if (found.length === 0) return found;
      if (best === undefined || found.length < best.length) best = found;
    }
    return best ?? [];
  }

  /** Each of the values is looked at. */
  #values(values: readonly Json[], { kind }: Alternative, writer: SchemaSet, reader: SchemaSet): readonly Difference[] {
    const refused = values.filter(
      (value) => this.isValid(writer, value) !== false && this.isValid(reader, value) !== true,
    );
    if (refused.length === 0) return [];
    const shown = refused
      .slice(0, 5)
      .map((value) => JSON.stringify(value).slice(0, 60))
      .join(', ');
    const isType = !alternativesOf(reader).some((other) => other.kind === kind);
    return [
      {
        path: [],
        keyword: isType ? 'type' : 'enum',
        reader: `does not take ${shown}`,
        writer: 'does',
        tries: () => refused.slice(0, MAX_TRIES),
      },
    ];
  }

  #between(one: Alternative, other: Alternative, writer: SchemaSet): readonly Difference[] {
    this.#alternatives += 1;
    if (this.#isTooMuch) return [tooLarge];
    const found = [...this.#ofKind(one, other, writer)];
    this.#differences += found.length;
    if (other.values !== undefined) {
      const listed = textsOf(other.values);
      const tries = this.samples.ofAlternative(one).filter((value) => !listed.has(canonicalText(value)));
      found.push({
        path: [],
        keyword: 'enum',
        reader: 'takes listed values only',
        writer: 'takes others',
        tries: () => tries.slice(0, MAX_TRIES),
      });
    }
    for (const [text, keyword] of other.opaque) {
      if (one.opaque.has(text)) continue;
      const tries = this.samples.ofAlternative(one).slice(0, MAX_TRIES);
      found.push({
        path: [],
        keyword,
        reader: `asks what ${keyword} says`,
        writer: 'says that in another way, or not at all',
        tries: () => tries,
      });
    }
    return found;
  }

  #ofKind(one: Alternative, other: Alternative, writer: SchemaSet): Iterable<Difference> {
    switch (one.kind) {
      case 'number':
        return numberDifferences(one.number, other.number);
      case 'string':
        return stringDifferences(one.string, other.string, this.samples.ofAlternative(one) as readonly string[]);
      case 'array':
        return arrayDifferences(one.array, other.array, this);
      default:
        return objectDifferences(one.object, other.object, this.#comparingObjects(writer));
    }
  }

  get #isTooMuch(): boolean {
    const isMuch = this.#compared > MAX_COMPARED || this.#alternatives > MAX_ALTERNATIVES;
    return isMuch || this.#differences > MAX_DIFFERENCES;
  }

  #comparingObjects(writer: SchemaSet): ComparingObjects {
    const { strict, samples } = this;
    return { strict, samples, spoken: spokenOf(writer), differences: (one, other) => this.differences(one, other) };
  }
}

const tooLarge: Difference = {
  path: [],
  keyword: '',
  reader: 'is too large to be compared',
  writer: 'too',
  tries: () => [],
};

function typeDifference({ kind }: Alternative, readers: readonly Alternative[], tries: readonly Json[]): Difference {
  const kinds = [...new Set(readers.map((reader) => reader.kind))];
  const reader = kinds.length === 0 ? 'takes nothing there' : `takes ${kinds.join(' or ')} only`;
  return { path: [], keyword: 'type', reader, writer: `takes ${kind} too`, tries: () => tries.slice(0, MAX_TRIES) };
}

/** All whole numbers between close bounds. */
function countedNumbers({ kind, number, opaque }: Alternative): readonly number[] | undefined {
  if (kind !== 'number' || !number.isInteger || opaque.size > 0) return undefined;
  const first = Math.ceil(number.minimum);
  const count = Math.floor(number.maximum) - first + 1;
  if (!(count <= MAX_COUNTED)) return undefined;
  return Array.from({ length: Math.max(0, count) }, (_, at) => first + at);
}
