// Somebody who acts in a schedule, from its beginning until it is told to stop.

export abstract class Actor {
  readonly #stopping = new AbortController();
  #done: Promise<void> = Promise.resolve();

  start(): void {
    this.#done = this.run();
  }

  /** Resolves once it has done all that it wanted, or was told to stop. */
  get finished(): Promise<void> {
    return this.#done;
  }

  /** Resolves once what it began last has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  /** Aborts when it is to stop. */
  protected get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Acts until `stopping` aborts. */
  protected abstract run(): Promise<void>;
}
