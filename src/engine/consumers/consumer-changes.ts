// The settings of a running consumer, and the changes that people make to it: one after the other, and nothing is delivered until
// they are stored.

import {
  applySettings,
  assertFilterIsSeen,
  type ConsumerSettings,
  differingSettings,
  type SettingsPatch,
  selectsOtherwise,
} from '../../domain/consumers/consumer.js';
import type { WindowSettings } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import {
  type ConsumerSnapshot,
  MAX_SNAPSHOTS,
  type SavedPlace,
} from '../../domain/consumers/managed/consumer-snapshot.js';
import type { OffsetMove } from '../../domain/consumers/managed/offset-move.js';
import { storedRanges } from '../../domain/consumers/position-ranges.js';
import { MadeleineError, snapshotUnknown } from '../../domain/errors.js';
import { Subject } from '../../domain/events/subject.js';
import type { AuditValues, ManagementCall } from '../../domain/management/audit.js';
import type { GenerationStart, HeldChange } from '../../domain/management/consumer-change.js';
import { changedSettings, settingsValues } from '../../domain/management/settings-values.js';
import type { Clock } from '../../lib/clock.js';
import { Gate } from '../../lib/gate.js';
import type { ConsumerRecord, ConsumerStore } from '../../storage/ports/consumer-storage.js';
import type { PlaceStore } from '../../storage/ports/place-storage.js';
import type { Position } from '../../units.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import { type HeldConsumer, store, type ToldChange, target } from './held-change.js';
import { consumerUnknown } from './ownership/consumer-errors.js';

const { CREATED, UPDATED, DELETED } = Subject;
const NOTHING = new Uint8Array(0);

/** Who asks for a move, and why. */
export interface AskedMove {
  readonly call: ManagementCall;
  readonly reason: string;
}

export interface SavedSnapshot {
  readonly saved: ConsumerSnapshot;
  /** The one that had the name before. */
  readonly replaced: ConsumerSnapshot | undefined;
}

export interface ConsumerChangesOptions extends HeldConsumer {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly dispatcher: ConsumerDispatcher;
  readonly store: Pick<ConsumerStore, 'delete'>;
  readonly placeStore: Pick<PlaceStore, 'findSnapshot' | 'countSnapshots'>;
  readonly clock: Clock;
  /** Called when the consumer is deleted, with what everybody is to be told. */
  readonly onDeleted: (error: Error) => void;
}

export class ConsumerChanges {
  readonly #options: ConsumerChangesOptions;
  #settings: ConsumerSettings;
  #pause: ConsumerPause | undefined;
  #underWay = 0;
  /** Made for the first change: most consumers have none. */
  #turns: Gate | undefined;

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

  /**
   * Moves the offset, in a new generation; resolves once it is durable. `fromOldest`: to the oldest stored event, so that nothing is to be
   * told of what was deleted before it.
   */
  seek(offset: Position, asked: AskedMove, { fromOldest = false } = {}): Promise<void> {
    return this.#move({ kind: 'SEEK', offset, snapshot: '', fromOldest }, asked, () => NOTHING);
  }

  /** Goes to a place that was kept, as `seek` does; what was done above its offset counts if the consumer still selects alike. */
  restore(place: SavedPlace, asked: AskedMove): Promise<void> {
    const to = { kind: 'RESTORED', offset: place.offset, snapshot: place.name, fromOldest: false } as const;
    return this.#move(to, asked, () => this.doneAbove(place));
  }

  /** What of a place that was kept is done above its offset, as things stand. */
  doneAbove({ settings, acked }: SavedPlace): Uint8Array {
    return selectsOtherwise(this.#settings, settings) ? NOTHING : acked;
  }

  #move(
    { fromOldest, ...to }: Pick<OffsetMove, 'kind' | 'offset' | 'snapshot'> & { readonly fromOldest: boolean },
    { call, reason }: AskedMove,
    ackedNow: () => Uint8Array,
  ): Promise<void> {
    const { clock, progress, window } = this.#options;
    return this.#apart(async (write) => {
      const { offset, snapshot } = to;
      const start = this.#nextGeneration(offset);
      const before = { offset: window.offset, generation: window.generation };
      await write();
      const acked = ackedNow();
      const movedAt = progress.movedAtWith(offset);
      const { generation } = start;
      const told = { movedAt: clock.nowMs() * 1000, by: call.by, reason, formerOffset: before.offset, generation };
      const move = { ...to, ...told };
      const change = { kind: 'seek', ...this.#target, start, acked, movedAt, move, fromOldest } as const;
      const after = { offset, generation, ...(snapshot !== '' && { snapshot }), ...(reason !== '' && { reason }) };
      await this.#store(call, change, { subject: UPDATED, before, after });
      this.#begin(start, acked);
      progress.placed(offset, movedAt);
    });
  }

  /** Keeps the place of now under a name; resolves once that is durable. QUOTA for one more than MAX_SNAPSHOTS. */
  saveSnapshot(name: string, call: ManagementCall): Promise<SavedSnapshot> {
    const { clock, hold, placeStore, window } = this.#options;
    return this.#apart(async (write) => {
      const { offset, acked } = window.unsaved.take();
      const known = { settings: this.#settings, generation: window.generation };
      const told = { savedAt: clock.nowMs() * 1000, by: call.by };
      const place: SavedPlace = { name, offset, acked, doneTo: storedRanges(acked).last, ...known, ...told };
      // An acknowledgement that is in it has to be durable before.
      await write();
      const { id } = hold.guard;
      const replaced = await placeStore.findSnapshot(id, name);
      if (replaced === undefined && (await placeStore.countSnapshots(id)) >= MAX_SNAPSHOTS) throw tooManySnapshots();
      const subject = replaced === undefined ? CREATED : UPDATED;
      const values = { before: replaced && snapshotValues(replaced), after: snapshotValues(place) };
      await this.#storeSnapshot(call, { kind: 'save-snapshot', ...this.#target, place }, { subject, ...values }, name);
      return { saved: place, replaced };
    });
  }

  /** Deletes a snapshot. SNAPSHOT_UNKNOWN. */
  deleteSnapshot(name: string, call: ManagementCall): Promise<void> {
    const { hold, placeStore } = this.#options;
    return this.#apart(async () => {
      const place = await placeStore.findSnapshot(hold.guard.id, name);
      if (place === undefined) throw snapshotUnknown(name);
      const told = { subject: DELETED, before: snapshotValues(place) };
      await this.#storeSnapshot(call, { kind: 'delete-snapshot', ...this.#target, name }, told, name);
    });
  }

  /** Takes other settings; resolves once they are durable. If it selects otherwise then, a new generation begins with them. */
  configure(patch: SettingsPatch, call: ManagementCall): Promise<void> {
    const { progress, window } = this.#options;
    return this.#apart(async (write) => {
      const former = this.#settings;
      assertFilterIsSeen(former, patch);
      if (differingSettings(former, patch).length === 0) return;
      const settings = applySettings(former, patch);
      const start = selectsOtherwise(former, settings) ? this.#nextGeneration(window.offset) : undefined;
      await write();
      const told = { subject: UPDATED, ...changedSettings(former, settings) };
      await this.#store(call, { kind: 'configure', ...this.#target, settings, start }, told);
      this.#apply(settings, former);
      if (start === undefined) return;
      this.#begin(start);
      progress.placed(start.offset, progress.movedAt);
    });
  }

  /**
   * Pauses the consumer, and resolves once that is durable and nothing more is handed out. A pause that there is already stays.
   */
  setPaused(reason: string, call: ManagementCall): Promise<void> {
    return this.#apart(async () => {
      if (this.#pause !== undefined) return;
      const { window, members, dispatcher, clock } = this.#options;
      await this.#storePause(call, { pausedAt: clock.nowMs() * 1000, by: call.by, reason });
      window.members.pause(members.takePending(), clock.monotonicMs());
      dispatcher.restart();
    });
  }

  /** Ends a pause, if there is one, and resolves once that is durable. */
  resume(call: ManagementCall): Promise<void> {
    return this.#apart(async () => {
      if (this.#pause === undefined) return;
      await this.#storePause(call, undefined);
      this.#options.window.members.resume();
    });
  }

  async #storePause(call: ManagementCall, pause: ConsumerPause | undefined): Promise<void> {
    const before = { pause: pauseValues(this.#pause) };
    const told = { subject: UPDATED, before, after: { pause: pauseValues(pause) } };
    await this.#store(call, { kind: 'pause', ...this.#target, pause }, told);
    this.#pause = pause;
    this.#options.members.tellSign();
  }

  /** Deletes the consumer; its members end with CONSUMER_UNKNOWN. Without a call it goes by itself. */
  delete(call?: ManagementCall): Promise<void> {
    const { key, hold, store, onDeleted, window } = this.#options;
    return this.#apart(() =>
      hold.whileDeleting(async () => {
        if (call === undefined) {
          if (!(await store.delete(hold.guard))) throw hold.matchedNothing();
        } else {
          const before = { ...settingsValues(this.#settings), offset: window.offset };
          await this.#store(call, { kind: 'delete', ...this.#target }, { subject: DELETED, before });
        }
        onDeleted(consumerUnknown(key));
      }),
    );
  }

  get #target() {
    return target(this.#options);
  }

  async #store(call: ManagementCall, change: HeldChange, told: ToldChange): Promise<void> {
    await store(this.#options, call, change, told);
  }

  #storeSnapshot(call: ManagementCall, change: HeldChange, told: ToldChange, snapshot: string): Promise<void> {
    return this.#store(call, change, { ...told, entityType: 'snapshot', about: { snapshot } });
  }

  #nextGeneration(offset: Position): GenerationStart {
    const { generation, leases } = this.#options.window;
    // Nothing is delivered until the change is made, so that this stays the first lease.
    return { generation: generation + 1, firstLease: leases.next, offset };
  }

  #apply(settings: ConsumerSettings, former: ConsumerSettings): void {
    const { window, members, dispatcher } = this.#options;
    this.#settings = settings;
    window.configure(windowSettings(settings));
    if (settings.ordering !== former.ordering) members.clearPending();
    dispatcher.configure(settings);
  }

  #begin({ offset, generation }: GenerationStart, acked: Uint8Array = NOTHING): void {
    const { window, members, dispatcher } = this.#options;
    window.seek(offset, generation, acked);
    members.clearPending();
    dispatcher.restart();
  }

  /** Makes a change in its turn, while nothing else is written: a group would have to wait for it, with the head of the log. */
  #apart<Result>(work: (write: () => Promise<void>) => Promise<Result>): Promise<Result> {
    const { life, progress } = this.#options;
    this.#underWay += 1;
    this.#turns ??= new Gate(1);
    return this.#turns.run(() =>
      this.#make(() =>
        progress.apart((write) => {
          // What is known of the consumer may have been given up meanwhile.
          life.assertRunning();
          return work(() => write().then(() => life.assertRunning()));
        }),
      ),
    );
  }

  async #make<Result>(work: () => Promise<Result>): Promise<Result> {
    const { life, members } = this.#options;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      life.use();
      members.wake();
    }
  }
}

function tooManySnapshots(): MadeleineError {
  return new MadeleineError(
    'QUOTA',
    `the consumer has ${MAX_SNAPSHOTS} snapshots, as many as it may: delete one of them`,
  );
}

/** A snapshot as entries of the audit have it. */
function snapshotValues({ offset, doneTo, generation }: ConsumerSnapshot): AuditValues {
  return { offset, done_to: doneTo, generation };
}

/** A pause as entries of the audit have it. */
function pauseValues(pause: ConsumerPause | undefined): AuditValues | null {
  return pause === undefined ? null : { by: pause.by, reason: pause.reason };
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
