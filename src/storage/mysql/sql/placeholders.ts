// The placeholders of statements that take lists.

/** Values looked up in one statement; lists are padded to a few sizes, so that few statements are prepared. */
const LOOKUP_SIZES = [1, 8, 64, 500];

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
