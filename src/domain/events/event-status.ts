// What an entry says of its event, as the contract calls it: the one map between kinds, the wire's EventStatus and names.

import { EntryKind } from './event.js';

/** The name and the number of EventStatus of each kind. */
export const EVENT_STATUS = {
  [EntryKind.AWAITED]: { name: 'AWAITED', wire: 1 },
  [EntryKind.OCCURRED]: { name: 'OCCURRED', wire: 2 },
  [EntryKind.INVALIDATED]: { name: 'INVALIDATED', wire: 3 },
  [EntryKind.EXPIRED]: { name: 'EXPIRED', wire: 4 },
  [EntryKind.TRANSFERRED]: { name: 'TRANSFERRED', wire: 5 },
} as const satisfies Record<EntryKind, { readonly name: keyof typeof EntryKind; readonly wire: number }>;

const KINDS = new Map<number, EntryKind>(Object.values(EntryKind).map((kind) => [EVENT_STATUS[kind].wire, kind]));

/** The kind of a number of EventStatus; undefined for one that is not set or not known. */
export function kindOfStatus(wire: number): EntryKind | undefined {
  return KINDS.get(wire);
}
