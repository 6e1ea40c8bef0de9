// Streams as of one state of the head row, shared by the committers of an instance. Every group writes a random token into the
// head row; as long as a group finds the token that this instance wrote last, nobody else has committed anything and what is
// remembered here is exact. Any other token empties the cache. A group that was rolled back never showed its token.

import type { StreamState } from '../../../domain/events/stream.js';
import { scopedKey } from '../../../domain/names.js';
import type { NameMinter } from '../names/name-minter.js';

/** Looked at between groups: one group may go beyond it. */
const MAX_STREAMS = 100_000;

export class HeadCache {
  #token = -1;
  #minter: NameMinter | undefined;
  #ledgeredAt: number | undefined;
  /** Undefined as a value: known not to exist. */
  readonly #streams = new Map<string, StreamState | undefined>();

  /** Takes the token found under the lock; to be called before anything is asked. */
  keepOnlyFor(token: number): void {
    if (token === this.#token) this.#minter?.publish();
    // Never in the middle of a group, which takes what it does not find for unknown.
    if (token !== this.#token || this.#streams.size >= MAX_STREAMS) this.#streams.clear();
    this.#token = token;
    this.#minter = undefined;
  }

  /**
   * `ledgered_at` as it was last found under the lock, which rises with every group that awaits something: whoever finds the same
   * one later knows that nothing more is awaited than what a search made in between could see.
   */
  get ledgeredAt(): number | undefined {
    return this.#ledgeredAt;
  }

  set ledgeredAt(found: number) {
    this.#ledgeredAt = found;
  }

  knows(context: string, name: string): boolean {
    return this.#streams.has(scopedKey(context, name));
  }

  stream(context: string, name: string): StreamState | undefined {
    return this.#streams.get(scopedKey(context, name));
  }

  /** What was just read under the lock. */
  setStream(context: string, name: string, state: StreamState | undefined): void {
    this.#streams.set(scopedKey(context, name), state);
  }

  /** The group with this token is about to commit; its effects and names hold for whoever finds the token. */
  written(token: number, streams: readonly StreamState[], minter: NameMinter): void {
    this.#token = token;
    this.#minter = minter;
    for (const state of streams) this.setStream(state.context, state.name, state);
  }

  clear(): void {
    this.#streams.clear();
    this.#token = -1;
    this.#minter = undefined;
    this.#ledgeredAt = undefined;
  }
}
