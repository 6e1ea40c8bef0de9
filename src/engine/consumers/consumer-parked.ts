// What people do with the parked events of a consumer that runs here, made durable.

import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { MadeleineError } from '../../domain/errors.js';
import { Subject } from '../../domain/events/subject.js';
import type { ParkedPlace } from '../../domain/group/group-plan-types.js';
import { MAX_AUDITED_POSITIONS, type ManagementCall } from '../../domain/management/audit.js';
import { Gate } from '../../lib/gate.js';
import type { ParkedStore } from '../../storage/ports/parked-storage.js';
import type { Position } from '../../units.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import { type HeldConsumer, store, target } from './held-change.js';

export type ParkedAction = 'replay' | 'discard';

/** What became of a push that takes the place of a parked event. */
export type ReplacingResult =
  | { readonly kind: 'stored'; readonly effect: string }
  | { readonly kind: 'refused'; readonly error: MadeleineError };

export interface ConsumerParkedOptions extends HeldConsumer {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly parked: Pick<ParkedStore, 'stillParked'>;
}

export class ConsumerParked {
  readonly #options: ConsumerParkedOptions;
  /** Made for the first change: most consumers have none. */
  #turns: Gate | undefined;

  constructor(options: ConsumerParkedOptions) {
    this.#options = options;
  }

  /** Replays or discards, and resolves once that is durable with those of the positions that were parked. */
  change(action: ParkedAction, positions: Iterable<Position>, call: ManagementCall): Promise<ReadonlySet<Position>> {
    return this.#inTurn(() =>
      this.#options.progress.apart(async (write) => {
        const { parked } = this.#options.window;
        // The transaction looks for their rows.
        await write();
        for (;;) {
          const present = await this.#present([...positions]);
          this.#options.life.assertRunning();
          const toChange = action === 'discard' ? present : present.filter((at) => parked.stateAt(at) === 'PARKED');
          if (toChange.length === 0 || (await this.#change(action, toChange, call)) === 'changed')
            return new Set(present);
        }
      }),
    );
  }

  /** Returns those that are parked. What is so here only was deleted with its event: whoever deletes does not ask who runs the consumer. */
  async #present(positions: readonly Position[]): Promise<readonly Position[]> {
    const { window, hold, parked } = this.#options;
    const known = positions.filter((position) => window.parked.stateAt(position) !== undefined);
    if (known.length === 0) return known;
    const still = await parked.stillParked(hold.guard.id, known);
    this.#discard(known.filter((position) => !still.has(position)));
    return known.filter((position) => still.has(position));
  }

  #discard(positions: readonly Position[]): void {
    if (positions.length === 0) return;
    const { window, members } = this.#options;
    for (const position of positions) window.parked.discard(position);
    // What is discarded may wait to be handed out.
    members.markStale();
    members.wake();
  }

  /** `gone`: nothing is changed, as one of them was deleted meanwhile. */
  async #change(
    action: ParkedAction,
    positions: readonly Position[],
    call: ManagementCall,
  ): Promise<'changed' | 'gone'> {
    const { window, members } = this.#options;
    const about = { count: positions.length, positions: positions.slice(0, MAX_AUDITED_POSITIONS) };
    const subject = action === 'replay' ? Subject.UPDATED : Subject.DELETED;
    const told = { entityType: 'parked_event', subject, about };
    const effect = await store(this.#options, call, { kind: action, ...target(this.#options), positions }, told);
    if (effect === 'gone') return effect;
    if (action === 'discard') this.#discard(positions);
    else for (const position of positions) window.parked.replay(position);
    members.wake();
    return effect;
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
      if (result.kind === 'refused' && result.error.reason === 'PARKED_UNKNOWN') await this.#present([position]);
      if (result.kind === 'stored' && (await this.#isGone(result.effect, consumerId, position))) {
        window.parked.discard(position);
        members.wake();
      }
      return result;
    });
  }

  /** Whether the stored list has the position no more: a repeated push found what an earlier one did, perhaps long ago. */
  async #isGone(effect: string, consumerId: number, position: Position): Promise<boolean> {
    return effect !== 'duplicate' || !(await this.#options.parked.stillParked(consumerId, [position])).has(position);
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
