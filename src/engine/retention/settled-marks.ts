// The positions up to which the log was settled, by when that was seen on the clock that never jumps: says which are some time back.

import type { Millis, Position } from '../../units.js';

interface Mark {
  readonly atMs: Millis;
  readonly position: Position;
}

export class SettledMarks {
  readonly #ageMs: Millis;
  /** Ascending; the first one is the last that is old enough, if there is one. */
  #marks: readonly Mark[] = [];

  constructor(ageMs: Millis) {
    this.#ageMs = ageMs;
  }

  /** Takes note of where the log is settled now; returns where it was so long ago, 0 if that is not known. */
  note(atMs: Millis, position: Position): Position {
    const marks = [...this.#marks, { atMs, position }];
    const first = marks.findLastIndex((mark) => mark.atMs <= atMs - this.#ageMs);
    this.#marks = marks.slice(Math.max(0, first));
    return first === -1 ? 0 : (this.#marks[0]?.position ?? 0);
  }
}
