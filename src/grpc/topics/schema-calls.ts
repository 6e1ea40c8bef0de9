// The calls of TopicService about schemas.

import type { CallContext } from 'nice-grpc';
import {
  type CheckSchemaRequest,
  type CheckSchemaResponse,
  type GetSchemaRequest,
  type GetSchemaResponse,
  type ListSchemasRequest,
  type ListSchemasResponse,
  SchemaCompatibility,
  Schema as WireSchema,
} from '../../../generated/madeleine/v1/topic_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import { JsonSchema } from '../../domain/schemas/json-schema.js';
import { readCompatibility } from '../../domain/topics/topic-settings.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { Schemas } from '../../engine/topics/schemas.js';
import { listPage } from '../wire/pages.js';
import { workingMs } from '../wire/time-left.js';
import { callerOf, nameKey, ownContext, requiredName } from '../wire/wire.js';
import { checkToWire, schemaToWire } from './schema-wire.js';

/** Stored events that a schema is held against, if nobody says how many. */
const DEFAULT_EVENTS = 10_000;

export interface SchemaCallsOptions {
  readonly schemas: Schemas;
  readonly source: Pick<LogSource, 'epoch'>;
}

export class SchemaCalls {
  readonly #options: SchemaCallsOptions;

  constructor(options: SchemaCallsOptions) {
    this.#options = options;
  }

  async get(request: GetSchemaRequest): Promise<GetSchemaResponse> {
    const key = topicOf(request);
    return { schema: schemaToWire(key, await this.#options.schemas.get(key, request.version)) };
  }

  async list(request: ListSchemasRequest): Promise<ListSchemasResponse> {
    const { schemas, source } = this.#options;
    const topic = topicOf(request);
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListSchemas', topic],
      epoch: source.epoch,
      key: { version: 'position' },
      read: (after, limit) => schemas.list(topic, { after: after?.version ?? 0, limit }),
      toWire: (schema) => schemaToWire(topic, schema),
      codec: WireSchema,
    });
    return { schemas: items, nextPageToken };
  }

  async check(request: CheckSchemaRequest, { signal, peer, metadata }: CallContext): Promise<CheckSchemaResponse> {
    const topic = { context: ownContext('context', request.context), name: requiredName('topic', request.topic) };
    if (request.schema === '') throw fieldInvalid('schema', 'is required');
    const schema = JsonSchema.parse(request.schema, 'schema');
    const isAsTopic = request.compatibility === SchemaCompatibility.SCHEMA_COMPATIBILITY_UNSPECIFIED;
    const checked = await this.#options.schemas.check(topic, {
      schema,
      compatibility: isAsTopic ? undefined : readCompatibility(request.compatibility, 'compatibility'),
      strict: request.strict,
      events: request.lastEvents ?? DEFAULT_EVENTS,
      caller: callerOf(peer),
      signal,
      timeMs: workingMs(metadata),
    });
    return checkToWire(checked, schema);
  }
}

function topicOf({ context, topic }: { readonly context: string; readonly topic: string }) {
  return nameKey({ context, name: topic }, 'topic');
}
