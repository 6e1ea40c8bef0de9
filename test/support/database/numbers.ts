// Rows by the thousand for tests that need many, in SQL that every engine knows.

const DIGITS = Array.from({ length: 10 }, (_, digit) => `SELECT ${digit} AS digit`).join(' UNION ALL ');

/** A table for FROM: its column `seq` has each whole number from the first to the last. */
export function numbers(first: number, last: number): string {
  const places = Array.from({ length: String(last - first).length }, (_, place) => place);
  const sum = places.map((place) => `d${place}.digit * ${10 ** place}`).join(' + ');
  const tables = places.map((place) => `(${DIGITS}) d${place}`).join(' JOIN ');
  return `(SELECT ${first} + ${sum} AS seq FROM ${tables} HAVING seq <= ${last}) numbers`;
}
