// The schemas of topics, as people and programs ask for them: versions, and what a new one would mean. What is told rests on durable rows
// only.

import { MadeleineError } from '../../domain/errors.js';
import type { Compatibility, SchemaFinding } from '../../domain/schemas/compatibility/compatibility.js';
import type { JsonSchema } from '../../domain/schemas/json-schema.js';
import { TopicSchema } from '../../domain/schemas/topic-schema.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { SchemaStore, SchemaVersionsRead, StoredSchema } from '../../storage/ports/schema-storage.js';
import type { ShapeCatalogCache } from '../group/shape-catalog-cache.js';
import type { SchemaJudge } from './schema-judge.js';
import type { SchemaShadow, ShadowResult } from './schema-shadow.js';
import type { Topics } from './topics.js';

export interface SchemasOptions {
  readonly store: SchemaStore;
  readonly topics: Pick<Topics, 'get'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current' | 'catchUp'>;
  readonly durableReads: DurableReads;
  readonly judge: SchemaJudge;
  readonly shadow: SchemaShadow;
}

interface TopicKey {
  readonly context: string;
  readonly name: string;
}

/** A version, and whether pushes that name none meet it. */
export interface ToldSchema extends StoredSchema {
  readonly isInForce: boolean;
}

/** What is to be checked. */
export interface SchemaCheckCall {
  readonly schema: JsonSchema;
  /** Undefined: as the topic has it. */
  readonly compatibility: Compatibility | undefined;
  /** Undefined: as the server has it. */
  readonly strict: boolean | undefined;
  /** Stored events to hold it against, at most. */
  readonly events: number;
  readonly caller: string;
  readonly signal: AbortSignal;
  /** How long it may take, if the caller gave it less than what it has. */
  readonly timeMs?: number | undefined;
}

export interface CheckedSchema {
  readonly isCompatible: boolean;
  readonly compatibility: Compatibility;
  readonly latestVersion: number;
  readonly isSame: boolean;
  readonly findings: readonly SchemaFinding[];
  readonly shadow: ShadowResult | undefined;
}

export class Schemas {
  readonly #options: SchemasOptions;
  /** Versions of the catalogue up to this one are known to be durable. */
  #durableVersion = 0;

  constructor(options: SchemasOptions) {
    this.#options = options;
  }

  /** A version of the topic's schema, with its text; 0: the latest. TOPIC_UNKNOWN; SCHEMA_UNKNOWN. */
  async get(key: TopicKey, version: number): Promise<ToldSchema> {
    const { context, name } = key;
    const [schema] = await this.#told(key, () => this.#options.store.find(context, name, version));
    if (schema === undefined) throw schemaUnknown(version);
    return schema;
  }

  /** Versions of the topic's schema after another one, without their texts. TOPIC_UNKNOWN. */
  list(key: TopicKey, page: { readonly after: number; readonly limit: number }): Promise<readonly ToldSchema[]> {
    const { context, name } = key;
    return this.#told(key, () => this.#options.store.list(context, name, page));
  }

  /** What a new schema of the topic would mean. */
  async check({ context, name }: TopicKey, call: SchemaCheckCall): Promise<CheckedSchema> {
    const { catalog, judge, shadow } = this.#options;
    const { schema, strict, events, caller, signal, timeMs } = call;
    // As it is stored, or newer: other instances give topics their schemas too.
    const { catalogVersion } = await this.#options.store.find(context, name, 0);
    await catalog.catchUp((known) => known.version >= catalogVersion);
    const schemas = catalog.current.schemasOf(context, name);
    const settings = catalog.current.settingsOf(context, name);
    const compatibility = call.compatibility ?? settings?.compatibility ?? 'BACKWARD';
    const isSame = schemas.latest?.text === schema.text;
    const judging = { compatibility, strict, caller, signal };
    const judgement = isSame ? { isCompatible: true, findings: [] } : await judge.judge(schema, schemas, judging);
    const run = { context, topic: name, events, caller, signal, timeMs };
    return {
      ...judgement,
      compatibility,
      isSame,
      latestVersion: schemas.latest?.version ?? 0,
      shadow: events === 0 ? undefined : await shadow.run(new TopicSchema(0, schema.text, schema), run),
    };
  }

  async #told(key: TopicKey, read: () => Promise<SchemaVersionsRead>): Promise<readonly ToldSchema[]> {
    const { durableReads, topics } = this.#options;
    const { schemas, catalogVersion } = await durableReads.durable(
      read,
      (found) => found.catalogVersion > this.#durableVersion,
    );
    this.#durableVersion = Math.max(this.#durableVersion, catalogVersion);
    const { registration } = await topics.get(key);
    const inForce = registration?.settings.schema ?? '';
    return this.#withForce(key, schemas, inForce);
  }

  async #withForce(
    { context, name }: TopicKey,
    schemas: readonly StoredSchema[],
    inForce: string,
  ): Promise<readonly ToldSchema[]> {
    if (inForce === '') return schemas.map((schema) => ({ ...schema, isInForce: false }));
    const { schemas: latest } = await this.#options.store.find(context, name, 0);
    return schemas.map((schema) => ({ ...schema, isInForce: schema.version === latest[0]?.version }));
  }
}

function schemaUnknown(version: number): MadeleineError {
  return new MadeleineError(
    'SCHEMA_UNKNOWN',
    version === 0 ? 'the topic has no schema' : `the topic's schema has no version ${version}`,
  );
}
