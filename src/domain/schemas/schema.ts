// A JSON Schema as it is understood: keywords by what they mean, whichever dialect said so, references led to where they lead.
// What is checked, and what is compared with another version, are these.

import type { Json, JsonKind } from './json.js';
import type { LinearPattern } from './linear-pattern.js';

export type SchemaType = JsonKind | 'integer';

/** A schema, or a part of one. */
export interface Schema {
  /** Where it stands in its document, as a JSON Pointer. */
  readonly pointer: string;
  /** What it says as one text, without what stands elsewhere; equal ones say the same. */
  readonly text: string;
  /** Whether it takes everything, or nothing; then it has no keywords. */
  readonly verdict?: boolean;
  readonly keywords: Keywords;
}

export interface PatternedSchema {
  readonly pattern: LinearPattern;
  readonly schema: Schema;
}

/** Another schema of the document. */
export class Reference {
  readonly text: string;
  #target: Schema | undefined;

  constructor(text: string) {
    this.text = text;
  }

  leadTo(target: Schema): void {
    this.#target = target;
  }

  get target(): Schema {
    if (this.#target === undefined) throw new Error(`invariant broken: ${this.text} leads nowhere`);
    return this.#target;
  }
}

/** Unset: nothing is said. */
export interface Keywords {
  readonly type?: ReadonlySet<SchemaType>;
  readonly enum?: readonly Json[];
  readonly const?: { readonly value: Json };

  readonly multipleOf?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;

  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: LinearPattern;

  /** The schemas of the first items, each its own. */
  readonly prefixItems?: readonly Schema[];
  /** The schema of the items behind those. */
  readonly items?: Schema;
  readonly contains?: Schema;
  readonly minContains?: number;
  readonly maxContains?: number;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly unevaluatedItems?: Schema;

  readonly properties?: ReadonlyMap<string, Schema>;
  readonly patternProperties?: readonly PatternedSchema[];
  readonly additionalProperties?: Schema;
  readonly propertyNames?: Schema;
  readonly required?: readonly string[];
  readonly maxProperties?: number;
  readonly minProperties?: number;
  readonly dependentRequired?: ReadonlyMap<string, readonly string[]>;
  readonly dependentSchemas?: ReadonlyMap<string, Schema>;
  readonly unevaluatedProperties?: Schema;

  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  readonly if?: Schema;
  readonly then?: Schema;
  readonly else?: Schema;
  readonly ref?: Reference;
}

/** The schemas that are held against the same value as this one. */
export function inPlace({ keywords: k }: Schema): readonly Schema[] {
  return [
    ...(k.allOf ?? []),
    ...(k.anyOf ?? []),
    ...(k.oneOf ?? []),
    ...(k.dependentSchemas?.values() ?? []),
    ...[k.not, k.if, k.then, k.else, k.ref?.target].filter((one) => one !== undefined),
  ];
}

/** All schemas that this one is made of, or refers to, at first hand. */
export function partsOf(schema: Schema): readonly Schema[] {
  const { keywords: k } = schema;
  const single = [
    k.items,
    k.contains,
    k.unevaluatedItems,
    k.additionalProperties,
    k.propertyNames,
    k.unevaluatedProperties,
  ];
  return [
    ...inPlace(schema),
    ...(k.prefixItems ?? []),
    ...(k.properties?.values() ?? []),
    ...(k.patternProperties?.map(({ schema: one }) => one) ?? []),
    ...single.filter((one) => one !== undefined),
  ];
}
