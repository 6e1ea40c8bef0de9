// The one form of a filter that is compared, stored and told: equal selections are equal in it, however they were said.

import { ENVELOPE, wireName } from './envelope.js';
import { EntryKind } from './event.js';
import { type EventFilter, LIST_FIELDS } from './event-filter.js';

/** A member of a filter with its name in the contract. */
export type FilterMember = readonly [member: keyof EventFilter, wire: string];

/** All members of filters. */
export const FILTER_MEMBERS: readonly FilterMember[] = [
  ...LIST_FIELDS.map((field): FilterMember => {
    const { many } = ENVELOPE[field].filter;
    return [many, wireName(many)];
  }),
  ['kinds', 'statuses'],
  ['properties', 'properties'],
  ['description', 'description'],
];

/**
 * Returns the filter without what is not set, its lists sorted and without duplicates: two in this form select alike if they are equal
 * member by member. OCCURRED alone is what is selected anyway.
 */
export function normalFilter(filter: EventFilter): EventFilter {
  const members = FILTER_MEMBERS.map(([member]) => [member, normal(filter[member])] as const);
  const { kinds = [], ...set } = Object.fromEntries(members.filter(([, value]) => value !== undefined)) as EventFilter;
  const isDefault = kinds.length === 0 || (kinds.length === 1 && kinds[0] === EntryKind.OCCURRED);
  return isDefault ? set : { ...set, kinds };
}

/** Whether the filter, in its normal form, says nothing but topics and streams. */
export function saysNamesOnly(filter: EventFilter): boolean {
  return Object.keys(filter).every((member) => member === 'topics' || member === 'streams');
}

function normal(value: EventFilter[keyof EventFilter]): unknown {
  if (value === undefined || typeof value === 'string') return value;
  if (isList(value)) return value.length === 0 ? undefined : [...new Set<string | number>(value)].sort(byValue);
  const pairs = Object.entries(value);
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs.sort(([a], [b]) => byValue(a, b)));
}

function isList(value: object): value is readonly (string | number)[] {
  return Array.isArray(value);
}

function byValue(a: string | number, b: string | number): number {
  return a < b ? -1 : Number(a > b);
}
