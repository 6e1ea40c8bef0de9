// Work that many ask for at the same time and that is done for all of them at once.

export class SharedRun<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<T> | undefined;
  #next: Promise<T> | undefined;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  /** Whether nothing is under way or waits for it. */
  get isIdle(): boolean {
    return this.#running === undefined && this.#next === undefined;
  }

  /** The result of the run that is under way, or else of one that begins now: where one that began before the call will do. */
  join(): Promise<T> {
    return this.#running ?? this.run();
  }

  /**
   * The result of a run that began after the call. One at a time: a run that is under way may have begun too early, so those who
   * come meanwhile share the next one, whatever becomes of this one.
   */
  run(): Promise<T> {
    if (this.#running === undefined) {
      this.#running = this.#work().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    const next = () => {
      this.#next = undefined;
      return this.run();
    };
    this.#next ??= this.#running.then(next, next);
    return this.#next;
  }
}
