// TopicService: registers topics and tells about them.

import type { CallContext } from 'nice-grpc';
import {
  type CheckSchemaRequest,
  type CheckSchemaResponse,
  type DropShapeRequest,
  type DropShapeResponse,
  type GetContextRequest,
  type GetContextResponse,
  type GetRetentionStateRequest,
  type GetRetentionStateResponse,
  type GetSchemaRequest,
  type GetSchemaResponse,
  type GetTopicRequest,
  type GetTopicResponse,
  type ListArchivesRequest,
  type ListArchivesResponse,
  type ListDiscardedSamplesRequest,
  type ListDiscardedSamplesResponse,
  type ListSchemasRequest,
  type ListSchemasResponse,
  type ListShapesRequest,
  type ListShapesResponse,
  type ListTopicsRequest,
  type ListTopicsResponse,
  type PreviewRetentionRequest,
  type PreviewRetentionResponse,
  type RegisterTopicRequest,
  type RegisterTopicResponse,
  type ResumeRetentionRequest,
  type ResumeRetentionResponse,
  type UnregisterTopicRequest,
  type UnregisterTopicResponse,
  type UpdateContextRequest,
  type UpdateContextResponse,
  type UpdateTopicRequest,
  type UpdateTopicResponse,
  Archive as WireArchive,
  DiscardedSample as WireSample,
  Shape as WireShape,
  Topic as WireTopic,
} from '../../../generated/madeleine/v1/topic_service.js';
import { settingsFrom } from '../../domain/topics/topic-settings.js';
import type { ListedShape, ShapeDirectory } from '../../engine/group/shape-directory.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { Contexts } from '../../engine/topics/contexts.js';
import type { ChangedBy, Topics } from '../../engine/topics/topics.js';
import type { ArchiveStore } from '../../storage/ports/archive-storage.js';
import type { DiscardStore } from '../../storage/ports/topic-storage.js';
import { managementCall } from '../wire/management-call.js';
import { BY_NAME, listPage } from '../wire/pages.js';
import {
  callerOf,
  idField,
  labelField,
  nameKey,
  ownContext,
  prefixField,
  readContext,
  toTimestamp,
} from '../wire/wire.js';
import { archiveToWire } from './archive-wire.js';
import { contextPatch, contextToWire, sampleToWire } from './context-wire.js';
import type { RetentionCalls } from './retention-calls.js';
import type { SchemaCalls } from './schema-calls.js';
import { changesToWire, ownTopic, patchFromWire, topicToWire } from './topic-wire.js';

export interface TopicServiceOptions {
  readonly topics: Topics;
  readonly shapes: ShapeDirectory;
  readonly contexts: Contexts;
  readonly discards: Pick<DiscardStore, 'list'>;
  readonly archives: Pick<ArchiveStore, 'list'>;
  readonly source: LogSource;
  readonly schemas: SchemaCalls;
  readonly retention: RetentionCalls;
}

export class TopicService {
  readonly #options: TopicServiceOptions;

  constructor(options: TopicServiceOptions) {
    this.#options = options;
  }

  async registerTopic(request: RegisterTopicRequest, context: CallContext): Promise<RegisterTopicResponse> {
    const key = ownTopic(request);
    const settings = settingsFrom(request.settings, 'settings');
    if (!request.force) await this.#options.retention.assertMayRegister(key, settings);
    const by = changedBy('RegisterTopic', request, context);
    const { topic, created, changes } = await this.#options.topics.register(key, settings, by);
    return { topic: topicToWire(topic), created, changes: changesToWire(changes) };
  }

  async updateTopic(request: UpdateTopicRequest, context: CallContext): Promise<UpdateTopicResponse> {
    const key = ownTopic(request);
    const patch = patchFromWire(request);
    if (!request.force) await this.#options.retention.assertMayUpdate(key, patch);
    const by = changedBy('UpdateTopic', request, context);
    const { topic, changes } = await this.#options.topics.update(key, patch, by);
    return { topic: topicToWire(topic), changes: changesToWire(changes) };
  }

  async unregisterTopic(request: UnregisterTopicRequest, context: CallContext): Promise<UnregisterTopicResponse> {
    const by = managedBy('UnregisterTopic', request, context);
    await this.#options.topics.unregister(ownTopic(request), by);
    return {};
  }

  async getTopic(request: GetTopicRequest): Promise<GetTopicResponse> {
    return { topic: topicToWire(await this.#options.topics.get(nameKey(request))) };
  }

  async listTopics(request: ListTopicsRequest): Promise<ListTopicsResponse> {
    const namePrefix = prefixField('name_prefix', request.namePrefix);
    const filter = { context: readContext('context', request.context), namePrefix };
    const { topics, source } = this.#options;
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListTopics', filter],
      epoch: source.epoch,
      key: BY_NAME,
      read: (after, limit) => topics.list({ ...filter, after, limit }),
      toWire: topicToWire,
      codec: WireTopic,
    });
    return { topics: items, nextPageToken };
  }

  async getContext(request: GetContextRequest): Promise<GetContextResponse> {
    return { context: contextToWire(await this.#options.contexts.get(ownContext('context', request.context))) };
  }

  async updateContext(request: UpdateContextRequest, context: CallContext): Promise<UpdateContextResponse> {
    const name = ownContext('context', request.context);
    const patch = contextPatch(request);
    const by = managedBy('UpdateContext', request, context);
    return { context: contextToWire(await this.#options.contexts.update(name, patch, by)) };
  }

  async listDiscardedSamples(request: ListDiscardedSamplesRequest): Promise<ListDiscardedSamplesResponse> {
    const { discards, source } = this.#options;
    const filter = { context: readContext('context', request.context), topic: labelField('topic', request.topic) };
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListDiscardedSamples', filter],
      epoch: source.epoch,
      key: { id: 'position' },
      read: (before, limit) => discards.list({ ...filter, before: before?.id, limit }),
      toWire: sampleToWire,
      codec: WireSample,
    });
    return { samples: items, nextPageToken };
  }

  async listArchives(request: ListArchivesRequest): Promise<ListArchivesResponse> {
    const { archives, source } = this.#options;
    const filter = { context: readContext('context', request.context), topic: labelField('topic', request.topic) };
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListArchives', filter],
      epoch: source.epoch,
      key: { id: 'position' },
      read: (after, limit) => archives.list({ ...filter, after: after?.id ?? 0, limit }),
      toWire: archiveToWire,
      codec: WireArchive,
    });
    return { archives: items, nextPageToken };
  }

  async listShapes(request: ListShapesRequest): Promise<ListShapesResponse> {
    const { shapes, source } = this.#options;
    const filter = { context: readContext('context', request.context), topic: labelField('topic', request.topic) };
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListShapes', filter],
      epoch: source.epoch,
      key: { id: 'position' },
      read: (after, limit) => shapes.list({ ...filter, after: after?.id ?? 0, limit }),
      toWire: shapeToWire,
      codec: WireShape,
    });
    return { shapes: items, nextPageToken };
  }

  previewRetention(request: PreviewRetentionRequest): Promise<PreviewRetentionResponse> {
    return this.#options.retention.preview(request);
  }

  getRetentionState(request: GetRetentionStateRequest): Promise<GetRetentionStateResponse> {
    return this.#options.retention.state(request);
  }

  resumeRetention(request: ResumeRetentionRequest): Promise<ResumeRetentionResponse> {
    return this.#options.retention.resume(request);
  }

  async dropShape(request: DropShapeRequest, context: CallContext): Promise<DropShapeResponse> {
    const id = idField('id', request.id);
    await this.#options.shapes.drop(id, managedBy('DropShape', request, context));
    return {};
  }

  getSchema(request: GetSchemaRequest): Promise<GetSchemaResponse> {
    return this.#options.schemas.get(request);
  }

  listSchemas(request: ListSchemasRequest): Promise<ListSchemasResponse> {
    return this.#options.schemas.list(request);
  }

  checkSchema(request: CheckSchemaRequest, context: CallContext): Promise<CheckSchemaResponse> {
    return this.#options.schemas.check(request, context);
  }
}

function changedBy(
  name: string,
  request: { readonly by: string; readonly dryRun: boolean },
  context: CallContext,
): ChangedBy {
  return { ...managedBy(name, request, context), dryRun: request.dryRun };
}

function managedBy(name: string, request: { readonly by: string }, { signal, peer }: CallContext) {
  return { call: managementCall(name, request), signal, caller: callerOf(peer) };
}

function shapeToWire({ id, context, topic, paths, ready, indexedFrom, neededAt, ...times }: ListedShape): WireShape {
  const { awaitedUntil, freeAt } = times;
  return {
    id: BigInt(id),
    context,
    topic,
    paths: [...paths],
    ready,
    indexedFrom: indexedFrom === undefined ? undefined : BigInt(indexedFrom),
    neededAt: toTimestamp(neededAt),
    awaitedUntil: awaitedUntil === undefined ? undefined : toTimestamp(awaitedUntil),
    freeAt: freeAt === undefined ? undefined : toTimestamp(freeAt),
  };
}
