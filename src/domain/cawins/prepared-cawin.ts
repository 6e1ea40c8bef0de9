// A cawin that is about to be made: what a unit of a group takes along to the event that it finds, awaits or names.

import type { Micros, Millis } from '../../units.js';
import type { EndKind } from './cawin.js';

/** What is stored of a callback besides its secrets. */
export interface CallbackRecord {
  readonly url: string;
  /** See endpointOrigin. */
  readonly origin: string;
  readonly headerNames: readonly string[];
  readonly timeoutMs: Millis;
  readonly signed: boolean;
  readonly formerSecretUntil: Micros | undefined;
}

/** Encrypts what the cawin keeps secret; undefined if that is nothing. Called within a transaction, perhaps twice. */
export type Seal = (cawinId: number) => Buffer | undefined;

export interface CawinDraft {
  readonly active: boolean;
  readonly notifyOn: readonly EndKind[];
  readonly callback: CallbackRecord;
  /** Empty: none. */
  readonly requestId: string;
  /** The digest of what was asked for, secrets and headers' values aside; compared by the caller. */
  readonly digest: Buffer;
}

/**
 * The deadline of a cawin that is about to be made: `wait`: so long from the time of its group, if the event is awaited; `at`: that
 * time; undefined: the event's.
 */
export type CawinDeadline = { readonly wait: Micros } | { readonly at: Micros } | undefined;

export interface PreparedCawin {
  readonly draft: CawinDraft;
  readonly seal: Seal;
  readonly deadline: CawinDeadline;
  readonly endpointId: number;
  /** What a former run of its group made, whose COMMIT was not answered: it may be there. */
  readonly former?: MadeCawin | undefined;
}

/** What became of a prepared cawin. `created` is false where its request id was used before: that cawin is the one. */
export interface MadeCawin {
  readonly id: number;
  readonly created: boolean;
}
