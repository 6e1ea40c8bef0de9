// The placeholders of statements that take lists.

/** Values looked up in one statement; lists are padded to a few sizes, so that few statements are prepared. */
const LOOKUP_SIZES = [1, 8, 64, 500];

/** Values of one list of rows: from 1,000 on MariaDB makes a table of it, and may read the whole of the other one to join them. */
const LISTED_VALUES = 900;

/** `?, ?, …`, or another group of them, n times. */
export function placeholders(count: number, mark = '?'): string {
  return Array.from({ length: count }, () => mark).join(', ');
}

/** Hands the items on in chunks of a few fixed sizes, the last one repeated to fill a chunk. */
export async function inChunks<T>(items: readonly T[], work: (chunk: readonly T[]) => Promise<void>): Promise<void> {
  const largest = LOOKUP_SIZES.at(-1) ?? 1;
  for (let start = 0; start < items.length; start += largest) {
    const chunk = items.slice(start, start + largest);
    const size = LOOKUP_SIZES.find((candidate) => candidate >= chunk.length) ?? largest;
    const last = chunk.at(-1) as T;
    await work([...chunk, ...Array.from({ length: size - chunk.length }, () => last)]);
  }
}

/** Hands rows on that make a list of rows, `(…), (…)`, as many at a time as the list may have. */
export async function inRowLists<Row extends readonly unknown[]>(
  rows: readonly Row[],
  work: (rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  const size = Math.floor(LISTED_VALUES / (rows[0]?.length ?? 1));
  for (let start = 0; start < rows.length; start += size) await work(rows.slice(start, start + size));
}
