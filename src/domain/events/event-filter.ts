// Which entries a reader, watcher, list or consumer wants: the criteria, and the one place that evaluates them.

import type { Micros } from '../../units.js';
import { loadDescription } from '../descriptions/description.js';
import { ALL_CONTEXTS, isReservedTopic } from '../names.js';
import { ENVELOPE, type Envelope, type FieldWith, fieldsWith } from './envelope.js';
import { EntryKind, isJsonContentType, type LogEntry } from './event.js';

/** A field by which events are selected, by several values. */
export type ListField = FieldWith<{ filter: { many: string } }>;
/** Fields by which events are selected: each by several values, in a criterion that has a name of its own. */
export const LIST_FIELDS = fieldsWith<{ filter: { many: string } }>(({ filter }) => typeof filter === 'object');

type Lists = {
  readonly [Field in ListField as (typeof ENVELOPE)[Field]['filter']['many']]?: readonly Envelope[Field][];
};

/** What is said of events, wherever they are. Every member that is set has to hold; in a list, one of its members. Empty lists are not set. */
export interface EventFilter extends Lists {
  /** Kinds of entries; empty: OCCURRED. */
  readonly kinds?: readonly EntryKind[];
  readonly properties?: Readonly<Record<string, string>>;
  /**
   * Text of a description that the payload contains; of what withdraws an event that had occurred, that event's payload; of another
   * entry without a payload, its own description.
   */
  readonly description?: string;
}

/** A filter with where and when its events are, and who asks. */
export interface EventCriteria extends EventFilter {
  /** A context, or `all`. */
  readonly context: string;
  /** Created strictly later. */
  readonly startTime?: Micros;
  /** Created strictly earlier. */
  readonly endTime?: Micros;
  /**
   * The consumer that asks: an event addressed `to` a name reaches only the consumer of that name. Readers leave it out
   * and see all.
   */
  readonly consumer?: string;
  /** Whether to pass over what the consumer's own name issued or expects replies to. */
  readonly ignoreOwn?: boolean;
  /** Whether the server itself asks, for everything: its own topics need not be named. */
  readonly withReserved?: boolean;
}

/** Whether the criteria hide the events of the server's own topics, see `isHidden`: they do unless they name them. */
export function hidesReserved({ topics = [], withReserved = false }: EventCriteria): boolean {
  return topics.length === 0 && !withReserved;
}

export type EntryMatcher = (entry: LogEntry) => boolean;

/**
 * Whether it takes the payload of another entry to tell whether the entry matches: it withdraws an event that had occurred, and
 * events are selected by a description.
 */
export function needsWithdrawn({ description, kinds }: EventCriteria, entry: LogEntry): boolean {
  return description !== undefined && kinds?.includes(EntryKind.INVALIDATED) === true && isWithdrawal(entry);
}

/** Whether the entry withdraws an event that had occurred: it has no payload, and that event has. */
function isWithdrawal({ kind, payload, rest }: LogEntry): boolean {
  return kind === EntryKind.INVALIDATED && payload === undefined && rest?.occurredAt !== undefined;
}

/** The matcher of the criteria; each criterion that is not set costs nothing per entry. */
export function compileCriteria(criteria: EventCriteria): EntryMatcher {
  const tests = criteriaTests(criteria);
  const { kinds = [] } = criteria;
  if (kinds.length === 0) return (entry) => entry.kind === EntryKind.OCCURRED && tests.every((test) => test(entry));
  return (entry) => kinds.includes(entry.kind) && tests.every((test) => test(entry));
}

function criteriaTests(criteria: EventCriteria): EntryMatcher[] {
  const tests: EntryMatcher[] = [];
  const { context } = criteria;
  if (context !== ALL_CONTEXTS) tests.push((entry) => entry.context === context);
  for (const field of LIST_FIELDS) {
    const { of, filter } = ENVELOPE[field];
    const wanted: readonly unknown[] = criteria[filter.many] ?? [];
    if (wanted.length > 0) tests.push(oneOf(wanted, of));
  }
  if (hidesReserved(criteria)) tests.push((entry) => !isHidden(entry));
  const { startTime, endTime, consumer } = criteria;
  if (startTime !== undefined) tests.push((e) => e.createdAt > startTime);
  if (endTime !== undefined) tests.push((e) => e.createdAt < endTime);
  for (const [key, value] of Object.entries(criteria.properties ?? {})) {
    tests.push((e) => {
      const properties = e.rest?.properties;
      return properties !== undefined && Object.hasOwn(properties, key) && properties[key] === value;
    });
  }
  if (criteria.description !== undefined) tests.push(describedBy(criteria.description));
  if (consumer !== undefined) {
    tests.push((e) => e.to === '' || e.to === consumer);
    if (criteria.ignoreOwn === true) tests.push((e) => e.issuer !== consumer && e.replyTo !== consumer);
  }
  return tests;
}

function oneOf(wanted: readonly unknown[], of: (envelope: Envelope) => unknown): EntryMatcher {
  const [first] = wanted;
  if (wanted.length === 1) return (entry) => of(entry) === first;
  const set = new Set(wanted);
  return (entry) => set.has(of(entry));
}

/** Whether an entry is for those only who name its topic. A transfer is not: its kind has to be asked for. */
export function isHidden({ kind, topic }: Pick<LogEntry, 'kind' | 'topic'>): boolean {
  return isReservedTopic(topic) && kind !== EntryKind.TRANSFERRED;
}

function describedBy(text: string): EntryMatcher {
  const description = loadDescription(text);
  return ({ payload, rest }) => {
    if (payload !== undefined)
      return isJsonContentType(payload.contentType) && description.isContainedIn(payload.bytes);
    return rest?.description !== undefined && description.isContainedIn(Buffer.from(rest.description));
  };
}
