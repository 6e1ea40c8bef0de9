// Management calls: each change is committed with its entry of the audit. See domain/management/consumer-change.ts for how one is made.

import type { Push } from '../../domain/group/group-plan-types.js';
import { type AuditedChange, auditDraft, type ManagementCall } from '../../domain/management/audit.js';
import type { ChangeEffect, ConsumerChange } from '../../domain/management/consumer-change.js';
import type { Uuid7Source } from '../../lib/uuid7.js';
import type { GroupCommit } from './group-commit.js';

export interface ManagementOptions {
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly uuids: Uuid7Source;
}

export class Management {
  readonly #options: ManagementOptions;

  constructor(options: ManagementOptions) {
    this.#options = options;
  }

  /** The entry of a call, for a unit that stores it with what it changes. */
  entry(call: ManagementCall, change: AuditedChange): Push {
    const messageId = this.#options.uuids.next();
    return { draft: auditDraft(call, change), messageId, digest: undefined, expectedSequence: undefined };
  }

  /**
   * Changes a consumer, and resolves once that and its entry are durable, or there is nothing to change. Rejects with OVERLOADED, and
   * nothing is changed; with anything else it may be.
   */
  async change(call: ManagementCall, change: ConsumerChange, audited: AuditedChange): Promise<ChangeEffect> {
    const unit = { kind: 'manage', change, audit: this.entry(call, audited) } as const;
    // What was begun is not given up with its call: whoever keeps the consumer in memory has to know what became of it.
    return (await this.#options.groupCommit.submit(unit)).effect;
  }
}
