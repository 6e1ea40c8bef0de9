// What a command prints: lines and tables for people, one JSON object a line for machines. Results go to stdout, news and
// errors to stderr.

import { once } from 'node:events';
import type { Writable } from 'node:stream';

/** Where a command prints to. */
export class Output {
  readonly #stdout: Writable;
  readonly #stderr: Writable;
  /** Whether to print one JSON object a line instead of text for people. */
  readonly json: boolean;

  constructor(options: { readonly stdout: Writable; readonly stderr: Writable; readonly json: boolean }) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.json = options.json;
  }

  /** Columns of the terminal that stdout is, or undefined when it is a file or a pipe. */
  get columns(): number | undefined {
    return (this.#stdout as Partial<NodeJS.WriteStream>).columns;
  }

  /**
   * Prints a line of result, or several with line ends between them; resolves when stdout takes more, or nobody reads it any more:
   * whether that ends the command is not for its lines to say.
   */
  async line(text: string): Promise<void> {
    if (this.#stdout.destroyed || this.#stdout.write(`${text}\n`)) return;
    const settled = new AbortController();
    const { signal } = settled;
    try {
      // A reader that went away closes the stream, and then there is nothing left to wait for.
      await Promise.race([once(this.#stdout, 'drain', { signal }), once(this.#stdout, 'close', { signal })]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    } finally {
      settled.abort();
    }
  }

  /** Prints news for people, such as a lost connection; not a result. */
  notice(text: string): void {
    this.#stderr.write(`madeleine: ${text}\n`);
  }

  /** Prints a list: a table for people, or its items as JSON. */
  async list<T>(items: readonly T[], { columns, json }: View<T>): Promise<void> {
    const lines = this.json ? items.map(json) : tableLines(items, columns);
    for (const line of lines) await this.line(line);
  }

  /** Prints one thing: its fields one under the other, or as JSON. */
  async item<T>(item: T, { columns, json }: View<T>): Promise<void> {
    if (this.json) return this.line(json(item));
    const width = Math.max(...columns.map(({ title }) => title.length));
    for (const { title, text } of columns)
      await this.line(`${title.padEnd(width)}  ${printable(text(item))}`.trimEnd());
  }
}

/** How things of a kind read. */
export interface View<T> {
  readonly columns: readonly Column<T>[];
  /** The thing as JSON on one line. */
  readonly json: (item: T) => string;
}

/** A column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly text: (item: T) => string;
  /** Whether cells stand at the right edge, as numbers do. */
  readonly right?: boolean;
}

/** What other rows leave room for, in characters: a longer cell stands out of its row alone. */
const MAX_COLUMN = 40;

/** The lines of a table with its header; columns are as wide as their longest cell, within bounds. */
export function tableLines<T>(items: readonly T[], columns: readonly Column<T>[]): string[] {
  const rows = [columns.map(({ title }) => title), ...items.map((item) => columns.map((c) => printable(c.text(item))))];
  const widths = columns.map((_, index) => columnWidth(rows.map((row) => row[index]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return columns[index]?.right === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

function columnWidth(lengths: readonly number[]): number {
  return lengths.reduce((widest, length) => (length > MAX_COLUMN ? widest : Math.max(widest, length)), 0);
}

/** Text that cannot steer a terminal: control characters are shown as their escapes. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** The text, cut at `width` with a mark where it was cut; not in the middle of a surrogate pair. */
export function cut(text: string, width: number | undefined): string {
  if (width === undefined || text.length <= width) return text;
  return `${text.slice(0, Math.max(0, width - 1)).replace(/[\ud800-\udbff]$/, '')}…`;
}
