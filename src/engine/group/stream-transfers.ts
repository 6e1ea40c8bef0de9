// Hands streams to other owners: one unit of a group each.

import { restsOn, type StreamState } from '../../domain/events/stream.js';
import type { TransferUnit } from '../../domain/group/group-plan-types.js';
import type { Uuid7Source } from '../../lib/uuid7.js';
import type { LogTail } from '../log/log-tail.js';
import type { GroupCommit } from './group-commit.js';
import type { PushedBy } from './pushes.js';

export interface StreamTransfersOptions {
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly tail: Pick<LogTail, 'reach'>;
  readonly uuids: Uuid7Source;
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
  async transfer(
    given: Omit<TransferUnit, 'kind' | 'messageId'>,
    { signal, caller }: PushedBy = {},
  ): Promise<StreamState> {
    const { groupCommit, tail, uuids } = this.#options;
    const outcome = await groupCommit.submit({ kind: 'transfer', ...given, messageId: uuids.next() }, signal, caller);
    if (outcome.kind === 'refused') throw outcome.error;
    await tail.reach(restsOn(outcome.stream));
    return outcome.stream;
  }
}
