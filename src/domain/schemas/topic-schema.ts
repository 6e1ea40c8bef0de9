// The schemas of a topic, by version. A version never changes, and its number is never used again.

import { createHash } from 'node:crypto';
import { fieldInvalid, MadeleineError } from '../errors.js';
import { type EventDraft, isJsonContentType, type Payload } from '../events/event.js';
import { asBuffer } from '../json/bytes.js';
import { CheckRun } from './check-run.js';
import type { Mismatch } from './explanation.js';
import type { Json } from './json.js';
import { JsonSchema } from './json-schema.js';

/** One version of a topic's schema. */
export class TopicSchema {
  readonly version: number;
  /** Its one text: see JsonSchema.canonical. */
  readonly text: string;
  #schema: JsonSchema | undefined;
  /** What it was made into, as long as somebody has that, or nobody needs the memory; undefined: it is kept. */
  #former: WeakRef<JsonSchema> | undefined;
  #isFormer = false;
  #digest: Buffer | undefined;

  constructor(version: number, text: string, schema?: JsonSchema) {
    this.version = version;
    this.text = text;
    this.#schema = schema;
  }

  /** The schema, made into functions when it is first asked for, unless somebody had it already. */
  prepared(): JsonSchema {
    const known = this.#schema ?? this.#former?.deref();
    if (known !== undefined) return known;
    const made = JsonSchema.parse(this.text, 'schema');
    if (this.#isFormer) this.#former = new WeakRef(made);
    else this.#schema = made;
    return made;
  }

  /** Whether it is made into functions. */
  get isReady(): boolean {
    return (this.#schema ?? this.#former?.deref()) !== undefined;
  }

  /** Keeps no functions from now on, which take megabytes where the text has kilobytes: few ask for what is not the latest. */
  retire(): void {
    this.#isFormer = true;
    if (this.#schema !== undefined) this.#former = new WeakRef(this.#schema);
    this.#schema = undefined;
  }

  /** SHA-256 of its text. */
  get digest(): Buffer {
    this.#digest ??= createHash('sha256').update(this.text).digest();
    return this.#digest;
  }

  /** What is wrong with the payload: nothing, if it is valid. What is no JSON fits no schema. `known`: its value. */
  mismatches({ contentType, bytes }: Payload, run: CheckRun, known?: Json): readonly Mismatch[] {
    if (!isJsonContentType(contentType)) return NOT_JSON;
    const value = known ?? parsed(bytes);
    return value === undefined ? NOT_JSON : this.prepared().mismatches(value, run);
  }
}

const NOT_JSON: readonly Mismatch[] = [{ path: '', what: 'is not JSON, as the schema of its topic asks', rule: '' }];

function parsed(bytes: Uint8Array): Json | undefined {
  try {
    return JSON.parse(asBuffer(bytes).toString()) as Json;
  } catch {
    // Also what nests too deep for the platform.
    return undefined;
  }
}

/** The versions of one topic, ascending. */
export class TopicSchemas {
  static readonly NONE = new TopicSchemas([]);
  readonly versions: readonly TopicSchema[];

  constructor(versions: readonly TopicSchema[]) {
    this.versions = versions;
    for (const former of versions.slice(0, -1)) former.retire();
  }

  get latest(): TopicSchema | undefined {
    return this.versions.at(-1);
  }

  /** The version of that number; of 0: the latest. */
  of(version: number): TopicSchema | undefined {
    return version === 0 ? this.latest : this.versions.find((one) => one.version === version);
  }

  /** These and the next version. */
  with(next: TopicSchema): TopicSchemas {
    return new TopicSchemas([...this.versions, next]);
  }

  /** What a push meets: its version of the schema, and why it is refused, if it is. `known`: the value of its payload. */
  meet({ context, topic, version, payload }: EventDraft, known?: Json): SchemaMet {
    const schema = this.of(version);
    if (schema === undefined) return { schema, problem: this.#unknownVersion(), steps: 0 };
    const run = new CheckRun();
    const found = payload === undefined ? [] : schema.mismatches(payload, run, known);
    const problem = found.length === 0 ? undefined : rejected({ context, topic }, schema, found);
    return { schema, problem, steps: run.spent };
  }

  #unknownVersion(): MadeleineError {
    const { latest } = this;
    return fieldInvalid('event.version', `is no version of the topic's schema: the latest is ${latest?.version ?? 0}`);
  }
}

/** The version of its topic's schema that a push meets. */
export interface SchemaMet {
  readonly schema: TopicSchema | undefined;
  /** Why the push is refused; undefined: it is not. */
  readonly problem: MadeleineError | undefined;
  /** What it took to tell. */
  readonly steps: number;
}

/** A payload that does not fit the schema of its topic. */
function rejected(
  { context, topic }: { readonly context: string; readonly topic: string },
  { version }: TopicSchema,
  found: readonly Mismatch[],
): MadeleineError {
  const violations = found.map(({ path, what, rule }) => ({
    field: `event.payload${path}`,
    description: rule === '' ? what : `${what} (${rule})`,
  }));
  const [first] = violations;
  const message = `the payload does not fit version ${version} of the schema of "${topic}": ${first?.field} ${first?.description}`;
  return new MadeleineError('SCHEMA_REJECTED', message, {
    violations,
    metadata: { context, topic, version: String(version) },
  });
}
