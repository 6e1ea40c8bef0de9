// Truncates streams: the decision is one unit of a group, the events go later (see StreamTruncation).

import { MadeleineError, streamUnknown } from '../../domain/errors.js';
import { restsOn, type StreamState } from '../../domain/events/stream.js';
import { Subject } from '../../domain/events/subject.js';
import { beyondLast } from '../../domain/group/group-plan-truncations.js';
import type { Push, TruncateUnit } from '../../domain/group/group-plan-types.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import type { StreamStore } from '../../storage/ports/log-storage.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { Management } from '../group/management.js';
import type { PushedBy } from '../group/pushes.js';
import type { LogTail } from '../log/log-tail.js';
import type { StreamDirectory } from '../log/stream-directory.js';
import type { StreamUnread, UnreadBy, UnreadOfStreams } from './stream-unread.js';

/** Which stream, and up to where. */
export type Truncation = Pick<TruncateUnit, 'context' | 'stream' | 'upTo'>;

export interface TruncationCall extends ManagementCall {
  /** Why, for the entry of the audit; empty: not said. */
  readonly reason: string;
  /** Whether events go that consumers have not passed. */
  readonly force: boolean;
  readonly dryRun: boolean;
}

export interface Truncated {
  readonly stream: StreamState;
  /** How many events go, at most. */
  readonly events: number;
  readonly unread: StreamUnread;
}

export interface StreamTruncationsOptions {
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
  readonly tail: Pick<LogTail, 'reach'>;
  readonly directory: StreamDirectory;
  readonly store: Pick<StreamStore, 'storedUpTo'>;
  readonly unread: UnreadOfStreams;
}

const NOBODY: StreamUnread = { consumers: [], isPartial: false };
/** Consumers that a refusal names. */
const NAMED = 5;

export class StreamTruncations {
  readonly #options: StreamTruncationsOptions;

  constructor(options: StreamTruncationsOptions) {
    this.#options = options;
  }

  /**
   * Decides that the stream's events up to a sequence go, and tells how many these are and who has not passed them. STREAM_UNKNOWN;
   * WRONG_STATE beyond its last sequence, and without force where somebody has not passed them all.
   */
  async truncate(given: Truncation, call: TruncationCall, { signal, caller }: PushedBy = {}): Promise<Truncated> {
    const { groupCommit, tail } = this.#options;
    const found = await this.#look(given, signal);
    if (call.dryRun || given.upTo <= found.stream.truncatedTo) return found;
    if (!call.force && found.unread.consumers.length > 0) throw isUnread(found.unread);
    const unit = { kind: 'truncate', ...given, audit: this.#entry(given, call, found) } as const;
    const outcome = await groupCommit.submit(unit, signal, caller);
    if (outcome.kind === 'refused') throw outcome.error;
    await tail.reach(restsOn(outcome.stream));
    return { ...found, stream: outcome.stream };
  }

  async #look({ context, stream: name, upTo }: Truncation, signal: AbortSignal | undefined): Promise<Truncated> {
    const { directory, store, unread } = this.#options;
    const stream = await directory.find(context, name);
    if (stream === undefined) throw streamUnknown(context, name);
    if (upTo > stream.lastSequence) throw beyondLast(upTo, stream);
    const stored = await store.storedUpTo(context, name, upTo);
    if (stored === undefined) return { stream, events: 0, unread: NOBODY };
    const events = upTo - stored.firstSequence + 1;
    return { stream, events, unread: await unread.upTo(stream, stored.position, signal) };
  }

  #entry(
    { context, stream, upTo }: Truncation,
    { reason, force, dryRun: _, ...call }: TruncationCall,
    found: Truncated,
  ): Push {
    const about = { stream, ...(reason === '' ? {} : { reason }), ...(force && { force }), events: found.events };
    const before = { truncated_to: found.stream.truncatedTo };
    const told = { context, about, before, after: { truncated_to: upTo } };
    return this.#options.management.entry(call, { ...told, entityType: 'stream', subject: Subject.DELETED });
  }
}

function isUnread({ consumers, isPartial }: StreamUnread): MadeleineError {
  const named = consumers.slice(0, NAMED).map(unreadText);
  const more = isPartial || consumers.length > NAMED ? ', and others' : '';
  const description = `would take what durable consumers have not passed: ${named.join(', ')}${more}; \`force\` deletes it all the same`;
  return new MadeleineError('WRONG_STATE', `up_to_sequence ${description}`, {
    violations: [{ field: 'up_to_sequence', description }],
    metadata: {
      unread: String(consumers.reduce((sum, { count }) => sum + count, 0)),
      consumers: consumers
        .slice(0, NAMED)
        .map(({ name }) => name)
        .join(', '),
    },
  });
}

function unreadText({ name, count, isMinimum }: UnreadBy): string {
  return `${name} (${count}${isMinimum ? ' or more' : ''})`;
}
