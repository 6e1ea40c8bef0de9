// TopicService: registers topics and tells about them.

import type { CallContext } from 'nice-grpc';
import type {
  GetTopicRequest,
  GetTopicResponse,
  ListTopicsRequest,
  ListTopicsResponse,
  RegisterTopicRequest,
  RegisterTopicResponse,
  Topic as WireTopic,
} from '../../../generated/madeleine/v1/topic_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import { DEFAULT_CONTEXT, labelProblem, ownContextProblem } from '../../domain/names.js';
import { type Topic, topicSettings } from '../../domain/topics/topic.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { Topics } from '../../engine/topics/topics.js';
import { decodePageToken, encodePageToken } from '../wire/page-token.js';
import { readContext, requiredName, sizeField, toTimestamp } from '../wire/wire.js';

/** A page ends before it is larger: many clients take no more than 4 MiB. */
const PAGE_BYTES = 3 * 1024 * 1024;

export interface TopicServiceOptions {
  readonly topics: Topics;
  readonly source: LogSource;
}

export class TopicService {
  readonly #options: TopicServiceOptions;

  constructor(options: TopicServiceOptions) {
    this.#options = options;
  }

  async registerTopic(request: RegisterTopicRequest, { signal }: CallContext): Promise<RegisterTopicResponse> {
    const context = request.context === '' ? DEFAULT_CONTEXT : request.context;
    const problem = ownContextProblem(context);
    if (problem !== undefined) throw fieldInvalid('context', problem);
    const name = requiredName('name', request.name);
    const settings = topicSettings(request.settings ?? { descriptionPaths: [] }, 'settings');
    const { topic, created } = await this.#options.topics.register({ context, name }, settings, signal);
    return { topic: toWire(topic), created };
  }

  async getTopic(request: GetTopicRequest): Promise<GetTopicResponse> {
    const key = { context: readContext('context', request.context), name: requiredName('name', request.name) };
    return { topic: toWire(await this.#options.topics.get(key)) };
  }

  async listTopics(request: ListTopicsRequest): Promise<ListTopicsResponse> {
    const problem = labelProblem(request.namePrefix);
    if (problem !== undefined) throw fieldInvalid('name_prefix', problem);
    const filter = { context: readContext('context', request.context), namePrefix: request.namePrefix };
    const limit = sizeField('page_size', request.pageSize, { default: 100, max: 1_000 });
    const scope = { request: ['ListTopics', filter], epoch: this.#options.source.epoch };
    const cursor = decodePageToken(request.pageToken, scope, ['text', 'text']);
    const after = cursor === undefined ? {} : { after: { context: String(cursor[0]), name: String(cursor[1]) } };
    const topics = await this.#options.topics.list({ ...filter, ...after, limit: limit + 1 });
    const page = topics.slice(0, Math.min(limit, countWithin(topics, PAGE_BYTES)));
    const last = page.at(-1);
    const more = topics.length > page.length && last !== undefined;
    return { topics: page.map(toWire), nextPageToken: more ? encodePageToken([last.context, last.name], scope) : '' };
  }
}

/** How many of the topics, from the first, fit into the bytes; at least one. */
function countWithin(topics: readonly Topic[], maxBytes: number): number {
  let bytes = 0;
  const over = topics.findIndex(({ registration }, index) => {
    bytes += 1_024 + Buffer.byteLength(JSON.stringify(registration?.settings.descriptionPaths ?? []));
    return bytes > maxBytes && index > 0;
  });
  return over === -1 ? topics.length : over;
}

function toWire({ context, name, registration }: Topic): WireTopic {
  return {
    context,
    name,
    registered: registration !== undefined,
    registeredAt: registration && toTimestamp(registration.registeredAt),
    settings: registration && { descriptionPaths: [...registration.settings.descriptionPaths] },
  };
}
