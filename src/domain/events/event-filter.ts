// Which entries a reader, watcher, list or consumer wants: the criteria, and the one place that evaluates them.

import type { Micros } from '../../units.js';
import { loadDescription } from '../descriptions/description.js';
import { ALL_CONTEXTS } from '../names.js';
import { EntryKind, isJsonContentType, type LogEntry } from './event.js';

/** Every member that is set has to hold; in a list, one of its members. Empty lists and strings are not set. */
export interface EventCriteria {
  /** A context, or `all`. */
  readonly context: string;
  /** Kinds of entries; empty: OCCURRED. */
  readonly kinds?: readonly EntryKind[];
  readonly topics?: readonly string[];
  readonly streams?: readonly string[];
  readonly issuers?: readonly string[];
  readonly subjects?: readonly number[];
  readonly tags?: readonly string[];
  readonly entityTypes?: readonly string[];
  readonly sessionId?: string;
  readonly correlationId?: string;
  readonly to?: string;
  readonly replyTo?: string;
  readonly organization?: string;
  readonly unit?: string;
  readonly properties?: Readonly<Record<string, string>>;
  /** Text of a description that the payload contains; of an event without a payload, its own description. */
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

/** The matcher of the criteria; each criterion that is not set costs nothing per entry. */
export function compileCriteria(criteria: EventCriteria): EntryMatcher {
  const tests = criteriaTests(criteria);
  const { kinds = [] } = criteria;
  if (kinds.length === 0) return (entry) => entry.kind === EntryKind.OCCURRED && tests.every((test) => test(entry));
  return (entry) => kinds.includes(entry.kind) && tests.every((test) => test(entry));
}

function criteriaTests(criteria: EventCriteria): EntryMatcher[] {
  const tests: EntryMatcher[] = [];
  const equals = (wanted: string | undefined, of: (entry: LogEntry) => string) => {
    if (wanted !== undefined && wanted !== '') tests.push((entry) => of(entry) === wanted);
  };
  const oneOf = <T>(wanted: readonly T[] | undefined, of: (entry: LogEntry) => T) => {
    if (wanted === undefined || wanted.length === 0) return;
    const set = new Set(wanted);
    tests.push((entry) => set.has(of(entry)));
  };
  if (criteria.context !== ALL_CONTEXTS) equals(criteria.context, (e) => e.context);
  oneOf(criteria.topics, (e) => e.topic);
  oneOf(criteria.streams, (e) => e.stream);
  oneOf(criteria.issuers, (e) => e.issuer);
  oneOf(criteria.subjects, (e) => e.subject);
  oneOf(criteria.tags, (e) => e.tag);
  oneOf(criteria.entityTypes, (e) => e.entityType);
  equals(criteria.sessionId, (e) => e.sessionId);
  equals(criteria.correlationId, (e) => e.correlationId);
  equals(criteria.to, (e) => e.to);
  equals(criteria.replyTo, (e) => e.replyTo);
  equals(criteria.organization, (e) => e.organization);
  equals(criteria.unit, (e) => e.unit);
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
