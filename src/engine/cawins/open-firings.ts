// Events whose cawins are being fired: in turn, a part of each at a time, so that an event with a million cawins does not hold up
// one with a few. The ends of one event keep their order. In memory only: the place in the log says what is done.

import type { FiringJob } from '../../storage/ports/cawin-storage.js';
import type { Position } from '../../units.js';

export class OpenFirings {
  /** Jobs by event, in the order of their turns; the first of each list is under way. */
  readonly #jobs = new Map<number, readonly FiringJob[]>();

  /** Number of events. */
  get size(): number {
    return this.#jobs.size;
  }

  /** The lowest position of an end that is not fired to the end; undefined: none. */
  get lowest(): Position | undefined {
    let lowest: Position | undefined;
    for (const jobs of this.#jobs.values()) {
      for (const { end } of jobs) if (lowest === undefined || end.position < lowest) lowest = end.position;
    }
    return lowest;
  }

  add(job: FiringJob): void {
    this.#jobs.set(job.eventId, [...(this.#jobs.get(job.eventId) ?? []), job]);
  }

  /** Returns the jobs whose turn it is, of different events. They stay until `advance`. */
  next(limit: number): FiringJob[] {
    const next: FiringJob[] = [];
    for (const [job] of this.#jobs.values()) {
      if (next.length === limit) break;
      if (job !== undefined) next.push(job);
    }
    return next;
  }

  /** Moves on: `jobs` had their turn; of those in `left` there is more to do. */
  advance(jobs: readonly FiringJob[], left: readonly FiringJob[]): void {
    const more = new Map(left.map((job) => [job.eventId, job]));
    for (const { eventId } of jobs) {
      const [, ...later] = this.#jobs.get(eventId) ?? [];
      const job = more.get(eventId);
      this.#jobs.delete(eventId);
      if (job !== undefined) this.#jobs.set(eventId, [job, ...later]);
      else if (later.length > 0) this.#jobs.set(eventId, later);
    }
  }

  clear(): void {
    this.#jobs.clear();
  }
}
