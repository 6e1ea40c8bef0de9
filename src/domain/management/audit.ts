// What is kept of a management call: an event of the topic `madeleine.audit`, stored in one transaction with what the call changes
// (see consumer-change.ts for how a call is made). Its payload says who called what, and what that changed.

import { EMPTY_ENVELOPE } from '../events/envelope.js';
import type { EventDraft } from '../events/event.js';
import { ALL_CONTEXTS, DEFAULT_CONTEXT, SERVER_ISSUER } from '../names.js';

export const AUDIT_TOPIC = 'madeleine.audit';

/** A call that changes what others rely on. */
export interface ManagementCall {
  /** Name of the RPC, such as `UpdateConsumer`. */
  readonly call: string;
  /** Who calls, in their own words; empty: not said. */
  readonly by: string;
}

/** Members of a payload by the names of the contract. */
export type AuditValues = Readonly<Record<string, unknown>>;

/** What a call changes. */
export interface AuditedChange {
  /** The kind of what is changed, such as `consumer`. */
  readonly entityType: string;
  /** What becomes of it. */
  readonly subject: number;
  /** The context that the change concerns, or `all`. */
  readonly context: string;
  /** Which one is changed, and how far. */
  readonly about: AuditValues;
  /** The values that change, as they are before; undefined: there are none. */
  readonly before?: AuditValues | undefined;
  /** What they are after it. */
  readonly after?: AuditValues | undefined;
}

/** Positions that one entry names; of more it has the first ones and the count. */
export const MAX_AUDITED_POSITIONS = 100;

/** The event that tells of a call's change. Tagged with the call, so that readers can ask for one kind of call. */
export function auditDraft({ call, by }: ManagementCall, change: AuditedChange): EventDraft {
  const { entityType, subject, context, about, before, after } = change;
  const content = { call, by, context, ...about, before, after };
  return {
    ...EMPTY_ENVELOPE,
    ...{ context: context === ALL_CONTEXTS ? DEFAULT_CONTEXT : context, topic: AUDIT_TOPIC, issuer: SERVER_ISSUER },
    ...{ subject, entityType, tag: call },
    messageId: '',
    payload: { contentType: 'application/json', bytes: Buffer.from(JSON.stringify(content)) },
    description: undefined,
  };
}
