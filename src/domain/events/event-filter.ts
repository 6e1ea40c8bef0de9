// Which entries a reader, watcher, list or consumer wants: the criteria, and the one place that evaluates them.

import type { Micros } from '../../units.js';
import { loadDescription } from '../descriptions/description.js';
import { ALL_CONTEXTS } from '../names.js';
import { ENVELOPE, type Envelope, type FieldWith, fieldsWith } from './envelope.js';
import { EntryKind, isJsonContentType, type LogEntry } from './event.js';

type ManyField = FieldWith<{ filter: { many: string } }>;
/** Fields by which events are selected: by several values in a criterion that has a name of its own, or by one. */
export const MANY_FIELDS = fieldsWith<{ filter: { many: string } }>(({ filter }) => typeof filter === 'object');
export const ONE_FIELDS = fieldsWith<{ filter: 'one' }>(({ filter }) => filter === 'one');

type ManyCriteria = {
  readonly [Field in ManyField as (typeof ENVELOPE)[Field]['filter']['many']]?: readonly Envelope[Field][];
};
/** Empty: not set. */
export type OneCriteria = { readonly [Field in FieldWith<{ filter: 'one' }>]?: string };

/** Every member that is set has to hold; in a list, one of its members. Empty lists and strings are not set. */
export interface EventCriteria extends ManyCriteria, OneCriteria {
  /** A context, or `all`. */
  readonly context: string;
  /** Kinds of entries; empty: OCCURRED. */
  readonly kinds?: readonly EntryKind[];
  readonly properties?: Readonly<Record<string, string>>;
  /**
   * Text of a description that the payload contains; of what withdraws an event that had occurred, that event's payload; of another
   * entry without a payload, its own description.
   */
  readonly description?: string;
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
  const equals = (wanted: string | undefined, of: (envelope: Envelope) => string) => {
    if (wanted !== undefined && wanted !== '') tests.push((entry) => of(entry) === wanted);
  };
  if (criteria.context !== ALL_CONTEXTS) equals(criteria.context, ENVELOPE.context.of);
  for (const field of MANY_FIELDS) {
    const { of, filter } = ENVELOPE[field];
    const wanted: readonly unknown[] = criteria[filter.many] ?? [];
    if (wanted.length === 0) continue;
    const set = new Set(wanted);
    tests.push((entry) => set.has(of(entry)));
  }
  for (const field of ONE_FIELDS) equals(criteria[field], ENVELOPE[field].of);
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

function describedBy(text: string): EntryMatcher {
  const description = loadDescription(text);
  return ({ payload, rest }) => {
    if (payload !== undefined)
      return isJsonContentType(payload.contentType) && description.isContainedIn(payload.bytes);
    return rest?.description !== undefined && description.isContainedIn(Buffer.from(rest.description));
  };
}
