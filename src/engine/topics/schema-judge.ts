// Whether a new schema of a topic goes together with the versions before it, as the topic wants it: a version at a time, in slices of the
// event loop.

import { MadeleineError } from '../../domain/errors.js';
import {
  breaksFirst,
  type Compatibility,
  directionsOf,
  findingsBetween,
  isBreak,
  isTransitive,
  type SchemaFinding,
} from '../../domain/schemas/compatibility/compatibility.js';
import type { JsonSchema } from '../../domain/schemas/json-schema.js';
import type { TopicSchema, TopicSchemas } from '../../domain/schemas/topic-schema.js';
import { CODED_BYTE, type LoopSlices } from '../../lib/loop-slices.js';

/** Findings that are told, of all versions. */
const MAX_FINDINGS = 100;

export interface SchemaJudgeOptions {
  /** Whether what is not proven is refused, and members that no schema names count. */
  readonly strict: boolean;
  /** Shared by all who have much to do at a time. */
  readonly slices: LoopSlices;
}

/** How a schema is to be judged. */
export interface Judging {
  readonly compatibility: Compatibility;
  /** Undefined: as the server has it. */
  readonly strict?: boolean | undefined;
  readonly caller: string;
  readonly signal?: AbortSignal | undefined;
}

export interface Judgement {
  readonly isCompatible: boolean;
  /** What breaks comes first; the rest is not proven. */
  readonly findings: readonly SchemaFinding[];
}

export class SchemaJudge {
  readonly #options: SchemaJudgeOptions;

  constructor(options: SchemaJudgeOptions) {
    this.#options = options;
  }

  /** Whether servers of these settings refuse what is not proven. */
  get strict(): boolean {
    return this.#options.strict;
  }

  /** Compares the schema with the latest version, or with all of them. */
  async judge(fresh: JsonSchema, { versions }: TopicSchemas, judging: Judging): Promise<Judgement> {
    const { compatibility, strict = this.#options.strict, caller, signal } = judging;
    const compared = isTransitive(compatibility) ? versions : versions.slice(-1);
    let findings: readonly SchemaFinding[] = [];
    const look = (one: TopicSchema) => {
      const former = { version: one.version, schema: one.prepared() };
      const found = directionsOf(compatibility).flatMap((way) => findingsBetween(fresh, former, way, strict));
      findings = breaksFirst([...findings, ...found]).slice(0, MAX_FINDINGS);
      // What is not proven decides nothing: another version may still break.
      return findings.filter(isBreak).length < MAX_FINDINGS;
    };
    // The newest first: what it is told of is what people look at.
    await this.#options.slices.each(caller, { items: compared.toReversed(), bytesOf: costOf, look }, signal);
    return { isCompatible: !findings.some((finding) => strict || isBreak(finding)), findings };
  }

  /** Rejects with SCHEMA_INCOMPATIBLE where the schema does not go together with what is there. */
  async assertCompatible(fresh: JsonSchema, schemas: TopicSchemas, judging: Judging): Promise<void> {
    const { isCompatible, findings } = await this.judge(fresh, schemas, judging);
    if (!isCompatible) throw incompatible(findings, judging.compatibility);
  }
}

/** A comparison walks through both schemas, and tries values. */
function costOf({ text }: TopicSchema): number {
  return CODED_BYTE * 4 * text.length;
}

function incompatible(findings: readonly SchemaFinding[], compatibility: Compatibility): MadeleineError {
  const violations = findings.map((finding) => ({ field: 'settings.schema', description: findingText(finding) }));
  const message = `settings.schema is not ${compatibility} compatible: ${violations[0]?.description}`;
  const metadata = { compatibility, version: String(findings[0]?.version ?? 0) };
  return new MadeleineError('SCHEMA_INCOMPATIBLE', message, { violations, metadata });
}

/** The finding as one sentence. */
export function findingText({ path, description, cure, example }: SchemaFinding): string {
  const shown = example === undefined ? ' (not proven)' : `, such as ${example.slice(0, 120)}`;
  return `${path === '' ? 'the value' : path}: ${description}${shown}; ${cure}`;
}
