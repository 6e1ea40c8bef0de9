// What a consumer lost unread: spans of positions, each with how many of its events were deleted in there. Few, however much goes.

import type { Position } from '../../../units.js';

export interface UnreadSpan {
  readonly first: Position;
  readonly last: Position;
  /** Events of the consumer that were deleted in there before it had passed them; 0: they were not counted. */
  readonly events: number;
}

/** Spans of one consumer that wait to be told, at most. */
export const MAX_UNREAD_SPANS = 100;
/** Positions between two spans that one frame tells of as well. */
const NEAR_POSITIONS = 10_000;

/** Returns the spans with the positions that were deleted now, ascending: near ones as one, and no more than there may be. */
export function withUnread(spans: readonly UnreadSpan[], positions: readonly Position[]): readonly UnreadSpan[] {
  const added = positions.map((position) => ({ first: position, last: position, events: 1 }));
  const all = [...spans, ...added].sort((a, b) => a.first - b.first);
  const near = joined(all, NEAR_POSITIONS);
  return joined(near, distanceThatFits(near));
}

/** Returns the spans in their order, those as one between which lie no more than so many positions. */
function joined(spans: readonly UnreadSpan[], near: number): readonly UnreadSpan[] {
  const result: UnreadSpan[] = [];
  for (const span of spans) {
    const before = result.at(-1);
    if (before === undefined || span.first - before.last > near) result.push(span);
    else result[result.length - 1] = union(before, span);
  }
  return result;
}

function union(a: UnreadSpan, b: UnreadSpan): UnreadSpan {
  return { first: a.first, last: Math.max(a.last, b.last), events: a.events + b.events };
}

/** The distance up to which spans have to be joined so that no more are left than there may be; 0: they are few enough. */
function distanceThatFits(spans: readonly UnreadSpan[]): number {
  const surplus = spans.length - MAX_UNREAD_SPANS;
  if (surplus <= 0) return 0;
  const distances = spans.slice(1).map(({ first }, index) => first - (spans[index] as UnreadSpan).last);
  return distances.sort((a, b) => a - b)[surplus - 1] as number;
}
