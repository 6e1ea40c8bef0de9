// The filter of a consumer's settings, which a request may say in two ways: in the field that has been there from the first, or in
// `where`, which can say more. What is stored does not tell which of them it was.

import type { EventFilter } from '../../events/event-filter.js';
import { EVENT_STATUS } from '../../events/event-status.js';
import { FILTER_MEMBERS } from '../../events/normal-filter.js';
import { subjectName } from '../../events/subject.js';

/** A field of settings by which a request says what a consumer gets. */
export type FilterField = 'filter' | 'where';

/** What `filter` can say. */
const SAID_BY_FILTER: ReadonlySet<string> = new Set<keyof EventFilter>([
  ...(['topics', 'streams', 'issuers', 'subjects', 'tags', 'entityTypes', 'kinds', 'description'] as const),
]);

export const EVERY_EVENT: EventFilter = {};

/** Whether the field `filter` can say all that this filter says, which is in its normal form. */
export function isSaidByFilter(filter: EventFilter): boolean {
  return Object.keys(filter).every((member) => SAID_BY_FILTER.has(member));
}

/** A member in which two filters differ. */
export interface FilterDifference {
  /** Its path below the settings, as the wire calls it. */
  readonly field: string;
  /** The stored value, by the names that the contract has for numbers. */
  readonly stored: unknown;
}

/** The members in which the filter that a field of a request gives differs from the stored one; both are in their normal form. */
export function filterDifferences(stored: EventFilter, given: EventFilter, said: FilterField): FilterDifference[] {
  const words = filterInWords(stored);
  return FILTER_MEMBERS.flatMap(([member, wire]) => {
    if (JSON.stringify(stored[member]) === JSON.stringify(given[member])) return [];
    const field = SAID_BY_FILTER.has(member) ? said : 'where';
    return [{ field: `${field}.${wire}`, stored: words[wire] ?? [] }];
  });
}

/** What a filter in its normal form says, by the names that the contract has for members and numbers. */
export function filterInWords({ subjects, kinds, ...filter }: EventFilter): Readonly<Record<string, unknown>> {
  const words: { readonly [Member in keyof EventFilter]?: unknown } = {
    ...filter,
    subjects: subjects?.map(subjectName),
    kinds: kinds?.map((kind) => EVENT_STATUS[kind].name),
  };
  const told = FILTER_MEMBERS.map(([member, wire]) => [wire, words[member]] as const);
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}
