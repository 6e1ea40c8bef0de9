// The settings of a running consumer, and the changes that people make to it: one after the other, and nothing is delivered until
// they are stored.

import {
  applySettings,
  type ConsumerKey,
  type ConsumerSettings,
  type SettingsPatch,
  selectsOtherwise,
} from '../../domain/consumers/consumer.js';
import type { WindowSettings } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import type { Clock } from '../../lib/clock.js';
import type { ConsumerRecord, ConsumerStore } from '../../storage/ports/consumer-storage.js';
import type { Position } from '../../units.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import { consumerUnknown } from './ownership/consumer-errors.js';
import type { ConsumerHold } from './ownership/consumer-hold.js';

export interface ConsumerChangesOptions {
  readonly key: ConsumerKey;
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly hold: ConsumerHold;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly dispatcher: ConsumerDispatcher;
  readonly store: Pick<ConsumerStore, 'configure' | 'setPause' | 'delete'>;
  readonly clock: Clock;
  /** Called when the consumer is deleted, with what everybody is to be told. */
  readonly onDeleted: (error: Error) => void;
}

export class ConsumerChanges {
  readonly #options: ConsumerChangesOptions;
  #settings: ConsumerSettings;
  #pause: ConsumerPause | undefined;
  #underWay = 0;
  #last: Promise<void> = Promise.resolve();

  constructor({ settings, pause }: Pick<ConsumerRecord, 'settings' | 'pause'>, options: ConsumerChangesOptions) {
    this.#settings = settings;
    this.#pause = pause;
    this.#options = options;
  }

  get settings(): ConsumerSettings {
    return this.#settings;
  }

  /** Undefined: it is not paused. */
  get pause(): ConsumerPause | undefined {
    return this.#pause;
  }

  /** Whether a change is made now, or waits for its turn. */
  get underWay(): boolean {
    return this.#underWay > 0;
  }

  /** Moves the offset, in a new generation; resolves once it is durable. */
  seek(position: Position): Promise<void> {
    return this.#change(async () => {
      this.#beginGeneration(position);
      await this.#options.progress.flush();
    });
  }

  /** Takes other settings; resolves once they are durable. If it selects otherwise then, a new generation begins. */
  configure(patch: SettingsPatch): Promise<void> {
    return this.#change(async () => {
      const { window, hold, progress, store } = this.#options;
      const former = this.#settings;
      const settings = applySettings(former, patch);
      if (!(await store.configure(hold.guard, settings))) throw hold.matchedNothing();
      this.#apply(settings, former);
      if (selectsOtherwise(former, settings)) this.#beginGeneration(window.offset);
      await progress.flush();
    });
  }

  /**
   * Pauses the consumer, and resolves once that is durable and nothing more is handed out. A pause that there is already stays.
   */
  setPaused(pause: ConsumerPause): Promise<void> {
    return this.#change(async () => {
      if (this.#pause !== undefined) return;
      await this.#storePause(pause);
      const { window, members, dispatcher, clock } = this.#options;
      window.members.pause(members.takePending(), clock.monotonicMs());
      dispatcher.restart();
    });
  }

  /** Ends a pause, if there is one, and resolves once that is durable. */
  resume(): Promise<void> {
    return this.#change(async () => {
      if (this.#pause === undefined) return;
      await this.#storePause(undefined);
      this.#options.window.members.resume();
    });
  }

  async #storePause(pause: ConsumerPause | undefined): Promise<void> {
    const { hold, store, members } = this.#options;
    if (!(await store.setPause(hold.guard, pause))) throw hold.matchedNothing();
    this.#pause = pause;
    members.tellSign();
  }

  /** Deletes the consumer; its members end with CONSUMER_UNKNOWN. */
  delete(): Promise<void> {
    const { key, hold, store, onDeleted } = this.#options;
    return this.#change(() =>
      hold.whileDeleting(async () => {
        if (!(await store.delete(hold.guard))) throw hold.matchedNothing();
        onDeleted(consumerUnknown(key));
      }),
    );
  }

  #apply(settings: ConsumerSettings, former: ConsumerSettings): void {
    const { window, members, dispatcher } = this.#options;
    this.#settings = settings;
    window.configure(windowSettings(settings));
    if (settings.ordering !== former.ordering) members.clearPending();
    dispatcher.configure(settings);
  }

  #beginGeneration(position: Position): void {
    const { window, members, dispatcher } = this.#options;
    window.seek(position, window.generation + 1);
    members.clearPending();
    dispatcher.restart();
  }

  #change(work: () => Promise<void>): Promise<void> {
    this.#underWay += 1;
    const change = this.#last.then(() => this.#make(work));
    // The next change begins whatever became of this one.
    this.#last = change.catch(() => {});
    return change;
  }

  async #make(work: () => Promise<void>): Promise<void> {
    const { life, members } = this.#options;
    try {
      life.assertRunning();
      await work();
    } finally {
      this.#underWay -= 1;
      life.use();
      members.wake();
    }
  }
}

/** What of a consumer's settings its window goes by. */
export function windowSettings(settings: ConsumerSettings): WindowSettings {
  return {
    ordering: settings.ordering,
    ackTimeoutMs: settings.ackTimeoutMs,
    maxAttempts: settings.maxAttempts,
    retryBackoff: settings.retryBackoff,
  };
}
