// What people do with the parked events of a consumer that runs here, made durable.

import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { MadeleineError } from '../../domain/errors.js';
import type { ParkedPlace } from '../../domain/group/group-plan-types.js';
import { Gate } from '../../lib/gate.js';
import type { ParkedStore } from '../../storage/ports/parked-storage.js';
import type { Position } from '../../units.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import type { ConsumerHold } from './ownership/consumer-hold.js';

export type ParkedAction = 'replay' | 'discard';

/** What became of a push that takes the place of a parked event. */
export type ReplacingResult =
  | { readonly kind: 'stored'; readonly effect: string }
  | { readonly kind: 'refused'; readonly error: MadeleineError };

export interface ConsumerParkedOptions {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly hold: ConsumerHold;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly parked: Pick<ParkedStore, 'has'>;
}

export class ConsumerParked {
  readonly #options: ConsumerParkedOptions;
  /** Made for the first change: most consumers have none. */
  #turns: Gate | undefined;

  constructor(options: ConsumerParkedOptions) {
    this.#options = options;
  }

  /** Replays or discards, and resolves once that is durable with those of the positions that were parked. */
  change(action: ParkedAction, positions: Iterable<Position>): Promise<ReadonlySet<Position>> {
    return this.#inTurn(async () => {
      const { window, life, members, progress } = this.#options;
      const { parked } = window;
      const changed = new Set<Position>();
      for (const position of positions) {
        if (action === 'replay' ? parked.replay(position) : parked.discard(position)) changed.add(position);
      }
      // What is discarded may wait to be handed out.
      members.markStale();
      members.wake();
      await progress.flush();
      life.assertRunning();
      return changed;
    });
  }

  /**
   * Has a push take the place of the parked event at a position. `push` stores it, and discards the parked event in the same
   * transaction; the result is its.
   */
  replace<Result extends ReplacingResult>(
    position: Position,
    push: (place: ParkedPlace) => Promise<Result>,
  ): Promise<Result> {
    return this.#inTurn(async () => {
      const { hold, members, progress, window } = this.#options;
      // The transaction looks for its row.
      await progress.flush();
      const { id: consumerId, epoch: ownerEpoch } = hold.guard;
      const result = await push({ consumerId, ownerEpoch, position });
      if (result.kind === 'refused' && result.error.reason === 'OWNED_ELSEWHERE') throw hold.matchedNothing();
      if (result.kind === 'stored' && (await this.#isGone(result.effect, consumerId, position))) {
        window.parked.discard(position);
        members.wake();
      }
      return result;
    });
  }

  /** Whether the stored list has the position no more: a repeated push found what an earlier one did, perhaps long ago. */
  async #isGone(effect: string, consumerId: number, position: Position): Promise<boolean> {
    return effect !== 'duplicate' || !(await this.#options.parked.has(consumerId, position));
  }

  /** Does the work after what was asked for before: nothing is replayed while it is replaced. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#turns ??= new Gate(1);
    return this.#turns.run(async () => {
      this.#options.life.assertRunning();
      this.#options.life.use();
      return work();
    });
  }
}
