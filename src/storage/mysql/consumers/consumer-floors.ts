// How far each durable consumer has come at least, remembered from deletion to deletion: offsets only rise, but for what is counted as
// a move, so that most deletions need not look at consumers at all.

import type { Millis, Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';

/** What is remembered is read anew after so long: a server of before moves consumers without counting it. */
const FRESH_MS = 10_000;
const READ = 'SELECT id, acked_to FROM consumer WHERE deleted_at IS NULL AND ephemeral = 0';

export class ConsumerFloors {
  readonly #monotonicMs: () => Millis;
  #floors = new Map<number, Position>();
  #moves: number | undefined;
  #readAtMs: Millis = Number.NEGATIVE_INFINITY;

  constructor(monotonicMs: () => Millis) {
    this.#monotonicMs = monotonicMs;
  }

  /** Reads them anew where they may have fallen, or are old. */
  async refresh(queries: Queries, moves: number): Promise<void> {
    const now = this.#monotonicMs();
    if (this.#moves === moves && now - this.#readAtMs < FRESH_MS) return;
    const rows = await queries.execute<{ id: number; acked_to: Position }>(READ);
    this.#floors = new Map(rows.map(({ id, acked_to: offset }) => [id, offset]));
    this.#moves = moves;
    this.#readAtMs = now;
  }

  /** The consumers that may not have come as far as this. */
  below(position: Position): readonly number[] {
    return [...this.#floors].flatMap(([id, floor]) => (floor < position ? [id] : []));
  }

  /** Takes note of how far a consumer is. */
  note(id: number, offset: Position): void {
    this.#floors.set(id, offset);
  }
}
