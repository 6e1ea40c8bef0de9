// Edited copies of parked events: each is a push to the consumer alone that takes the place of the parked event.

import { type ConsumerKey, consumerCriteria } from '../../../domain/consumers/consumer.js';
import { bug, fieldInvalid } from '../../../domain/errors.js';
import { EntryKind, type EventDraft, type LogEntry } from '../../../domain/events/event.js';
import { compileCriteria } from '../../../domain/events/event-filter.js';
import { Subject } from '../../../domain/events/subject.js';
import type { ManagementCall } from '../../../domain/management/audit.js';
import type { Position } from '../../../units.js';
import type { Shown } from '../../erasure/erasures.js';
import type { Management } from '../../group/management.js';
import type { PushCommand, PushedBy, PushedEvent, Pushes } from '../../group/pushes.js';
import type { LogSource } from '../../log/log-source.js';
import { namedPosition } from '../../log/named-position.js';
import type { Consumers } from '../consumers.js';

export interface EditedReplaysOptions {
  readonly consumers: Pick<Consumers, 'replaceParked'>;
  readonly pushes: Pick<Pushes, 'push'>;
  readonly management: Pick<Management, 'entry'>;
  readonly source: LogSource;
  readonly erasures: Shown;
  /** The newest erasure that this instance keeps to. */
  readonly erasedTo: () => Position;
}

/** A parked event as it was read. */
export interface ParkedOriginal {
  /** Undefined: it is not stored any more. */
  readonly entry: LogEntry | undefined;
  /** The newest erasure that was kept to then. */
  readonly erasedTo: Position;
}

/** What is to take the place of a parked event, and who asks for that. */
export interface Edit {
  readonly command: PushCommand;
  /** See ParkedOriginal.erasedTo. */
  readonly erasedTo: Position;
  readonly call: ManagementCall;
}

export class EditedReplays {
  readonly #options: EditedReplaysOptions;

  constructor(options: EditedReplaysOptions) {
    this.#options = options;
  }

  /** The event at a position that a request names as `position`. POSITION_BEYOND_HEAD. */
  async original(position: Position, signal?: AbortSignal): Promise<ParkedOriginal> {
    const { source, erasures } = this.#options;
    await namedPosition(source, { field: 'position', position }, signal);
    const erasedTo = this.#options.erasedTo();
    const [entry] = await source.readAt([position]);
    // What is decided by then need not be done yet.
    return { entry: entry && erasures.shown(entry), erasedTo };
  }

  /**
   * Pushes the edited event and discards the one that is parked at the position, both or neither; neither if something was erased since
   * that one was read. Rejects as the contract of ReplayEditedEvent says.
   */
  async replay(
    key: ConsumerKey,
    position: Position,
    { command, erasedTo, call }: Edit,
    by: PushedBy,
  ): Promise<PushedEvent & { readonly kind: 'stored' }> {
    const { consumers, pushes, management } = this.#options;
    const about = { consumer: key.name, count: 1, positions: [position] };
    const told = { entityType: 'parked_event', subject: Subject.UPDATED, context: key.context, about };
    const result = await consumers.replaceParked(key, position, async (place, settings) => {
      const criteria = consumerCriteria(key, settings);
      if (!compileCriteria(criteria)(asEntry(command.draft)))
        throw fieldInvalid('event', 'is not what the consumer’s filter selects: it would never be delivered');
      const audit = management.entry(call, told);
      const [pushed] = await pushes.push([{ ...command, replaces: { ...place, erasedTo } }], true, { ...by, audit });
      if (pushed === undefined) throw bug('a push without a result');
      return pushed;
    });
    if (result.kind === 'refused') throw result.error;
    return result;
  }
}

/** The event as it will be, as far as filters look at it. */
function asEntry(draft: EventDraft): LogEntry {
  return { ...draft, kind: EntryKind.OCCURRED, position: 0, eventId: 0, sequence: 0, createdAt: 0 };
}
