// TopicService: registers topics and tells about them.

import type { CallContext } from 'nice-grpc';
import {
  type DropShapeRequest,
  type DropShapeResponse,
  type GetTopicRequest,
  type GetTopicResponse,
  type ListShapesRequest,
  type ListShapesResponse,
  type ListTopicsRequest,
  type ListTopicsResponse,
  type RegisterTopicRequest,
  type RegisterTopicResponse,
  Shape as WireShape,
  Topic as WireTopic,
} from '../../../generated/madeleine/v1/topic_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import { reservedTopicProblem } from '../../domain/names.js';
import type { Topic } from '../../domain/topics/topic.js';
import { settingFields, settingsFrom } from '../../domain/topics/topic-settings.js';
import type { ListedShape, ShapeDirectory } from '../../engine/group/shape-directory.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { Topics } from '../../engine/topics/topics.js';
import { managementCall } from '../wire/management-call.js';
import { BY_NAME, listPage } from '../wire/pages.js';
import {
  idField,
  labelField,
  nameKey,
  ownContext,
  prefixField,
  readContext,
  requiredName,
  toTimestamp,
} from '../wire/wire.js';

export interface TopicServiceOptions {
  readonly topics: Topics;
  readonly shapes: ShapeDirectory;
  readonly source: LogSource;
}

export class TopicService {
  readonly #options: TopicServiceOptions;

  constructor(options: TopicServiceOptions) {
    this.#options = options;
  }

  async registerTopic(request: RegisterTopicRequest, { signal }: CallContext): Promise<RegisterTopicResponse> {
    const context = ownContext('context', request.context);
    const name = requiredName('name', request.name);
    const problem = reservedTopicProblem(name);
    if (problem !== undefined) throw fieldInvalid('name', problem);
    const settings = settingsFrom(request.settings, 'settings');
    const call = managementCall('RegisterTopic', request);
    const { topic, created } = await this.#options.topics.register({ context, name }, settings, { call, signal });
    return { topic: toWire(topic), created };
  }

  async getTopic(request: GetTopicRequest): Promise<GetTopicResponse> {
    return { topic: toWire(await this.#options.topics.get(nameKey(request))) };
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
      toWire,
      codec: WireTopic,
    });
    return { topics: items, nextPageToken };
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

  async dropShape(request: DropShapeRequest, { signal }: CallContext): Promise<DropShapeResponse> {
    const id = idField('id', request.id);
    await this.#options.shapes.drop(id, { call: managementCall('DropShape', request), signal });
    return {};
  }
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

function toWire({ context, name, registration }: Topic): WireTopic {
  return {
    context,
    name,
    registered: registration !== undefined,
    registeredAt: registration && toTimestamp(registration.registeredAt),
    settings: registration && settingFields(registration.settings),
  };
}
