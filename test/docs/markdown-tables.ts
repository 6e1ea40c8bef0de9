// Reads tables of pages.

/** Cells of the rows whose first cell is code and fits the pattern. */
export function rowsOf(markdown: string, first: RegExp): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter(([name = '']) => first.test(name));
}

/** The text of a cell that is code. */
export const code = (cell = '') => cell.replace(/^`(.*)`$/, '$1');
