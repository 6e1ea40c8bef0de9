// Hands streams to other owners: one unit of a group each.

import { restsOn, type StreamState } from '../../domain/events/stream.js';
import { Subject } from '../../domain/events/subject.js';
import type { Push, TransferUnit } from '../../domain/group/group-plan-types.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import type { Uuid7Source } from '../../lib/uuid7.js';
import type { LogTail } from '../log/log-tail.js';
import type { GroupCommit } from './group-commit.js';
import type { Management } from './management.js';
import type { PushedBy } from './pushes.js';

export interface StreamTransfersOptions {
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
  readonly tail: Pick<LogTail, 'reach'>;
  readonly uuids: Uuid7Source;
}

/** Which stream is handed from whom to whom. */
export type Transfer = Pick<TransferUnit, 'context' | 'stream' | 'owner' | 'newOwner'>;

export interface TransferCall extends ManagementCall {
  /** Why, for the entry of the audit; empty: not said. */
  readonly reason: string;
}

export class StreamTransfers {
  readonly #options: StreamTransfersOptions;

  constructor(options: StreamTransfersOptions) {
    this.#options = options;
  }

  /**
   * Hands the stream over, and returns it as it is then; one that came from this owner to the new one by its last transfer stays as it
   * is. STREAM_UNKNOWN; STREAM_OWNED where it has another owner.
   */
  async transfer(given: Transfer, call: TransferCall, { signal, caller }: PushedBy = {}): Promise<StreamState> {
    const { groupCommit, tail, uuids } = this.#options;
    const unit = { kind: 'transfer', ...given, messageId: uuids.next(), audit: this.#entry(given, call) } as const;
    const outcome = await groupCommit.submit(unit, signal, caller);
    if (outcome.kind === 'refused') throw outcome.error;
    await tail.reach(restsOn(outcome.stream));
    return outcome.stream;
  }

  #entry({ context, stream, owner, newOwner }: Transfer, { reason, ...call }: TransferCall): Push {
    const about = { stream, ...(reason === '' ? {} : { reason }) };
    const told = { context, about, before: { owner }, after: { owner: newOwner } };
    return this.#options.management.entry(call, { ...told, entityType: 'stream', subject: Subject.UPDATED });
  }
}
