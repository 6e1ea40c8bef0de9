// Numbers that must not be taken for one another. Each has a flavour: a plain number, such as the result of arithmetic or a
// column of a row, becomes any of them, and one of them never becomes another. It costs nothing at run time.

type Flavoured<Name extends string> = number & { readonly flavour?: Name };

/**
 * Place in commit order: dense, from 1; 0 stands for "before the first". A number, not a bigint: the server itself hands
 * positions out one by one and would need 285 years at a million a second to leave the exact range, and numbers are what
 * makes the delivery window fast. What a client sends is a bigint until it was checked against the head.
 */
export type Position = Flavoured<'Position'>;

/** The id of an event, unique on the server, from 1. An entry that ended several waits has the lowest of theirs. */
export type EventId = Flavoured<'EventId'>;

/** An instant in microseconds since 1970-01-01 UTC, or a span of microseconds: exact until the year 2255. */
export type Micros = Flavoured<'Micros'>;

/** A span of milliseconds, or an instant of the monotonic or the wall clock in them; the name says which. */
export type Millis = Flavoured<'Millis'>;
