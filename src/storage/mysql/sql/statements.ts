// Statements that share a round trip, gathered before it is known how many there are.

import type { Queries, SqlValue } from './database.js';
import { placeholders } from './placeholders.js';

/** Several statements that are sent as one. One that is alone, and of which there are few texts, is sent prepared. */
export class Statements {
  readonly #texts: string[] = [];
  readonly #values: SqlValue[] = [];
  #isPrepared = true;

  /** `isOfFew`: its text is one of few hundred. */
  add(text: string, values: readonly SqlValue[], isOfFew = false): void {
    this.#texts.push(text);
    for (const value of values) this.#values.push(value);
    this.#isPrepared &&= isOfFew;
  }

  /** `INSERT … VALUES` with these rows and what follows them; nothing without rows. */
  addRows(insert: string, rows: readonly (readonly SqlValue[])[], end = ''): void {
    const first = rows[0];
    if (first === undefined) return;
    this.add(`${insert} VALUES ${placeholders(rows.length, `(${placeholders(first.length)})`)} ${end}`, rows.flat());
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0;
  }

  /** The rows of each statement. */
  async run(queries: Queries): Promise<unknown[][]> {
    const [first] = this.#texts;
    if (first === undefined) return [];
    if (this.#texts.length > 1)
      return (await queries.query<unknown>(this.#texts.join('; '), this.#values)) as unknown[][];
    return [this.#isPrepared ? await queries.execute(first, this.#values) : await queries.query(first, this.#values)];
  }
}
