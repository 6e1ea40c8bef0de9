// The way of a push through the engine: ids, the group, and the answer, with the first result of what was pushed before.

import { contentDigest } from '../domain/content-digest.js';
import { bug, type MadeleineError } from '../domain/errors.js';
import type { EventDraft, LogEntry, Position } from '../domain/event.js';
import type { Push, PushOutcome } from '../domain/group-plan.js';
import type { Uuid7Source } from '../lib/uuid7.js';
import type { Metrics } from '../telemetry.js';
import type { GroupCommit } from './group-commit.js';
import type { LogReader } from './log-reader.js';
import type { LogTail } from './log-tail.js';

/** A validated push. */
export interface PushCommand {
  readonly draft: EventDraft;
  readonly expectedSequence: number | undefined;
}

export type PushedEvent =
  | { readonly kind: 'stored'; readonly entry: LogEntry; readonly duplicate: boolean }
  /** `fault`: index of the push that is to blame; of an atomic call it may be another one. */
  | { readonly kind: 'refused'; readonly error: MadeleineError; readonly fault: number };

export interface PushesOptions {
  readonly groupCommit: GroupCommit;
  readonly reader: LogReader;
  readonly tail: LogTail;
  readonly uuids: Uuid7Source;
  readonly metrics: Metrics;
}

export class Pushes {
  readonly #options: PushesOptions;

  constructor(options: PushesOptions) {
    this.#options = options;
  }

  /**
   * Pushes events and resolves once they are durable, one result an event, in order. `atomic`: all are stored or none.
   * Rejects with OVERLOADED, STORAGE_UNAVAILABLE, or the signal's reason while nothing was sent to the database.
   */
  async push(commands: readonly PushCommand[], atomic: boolean, signal?: AbortSignal): Promise<readonly PushedEvent[]> {
    const pushes = commands.map((command) => this.#toPush(command));
    const outcomes = await this.#options.groupCommit.submit({ kind: 'push', pushes, atomic }, signal);
    const before = await this.#storedBefore(outcomes);
    const results = outcomes.map((outcome) => toResult(outcome, before));
    this.#count(results);
    return results;
  }

  /** Counts a push that was refused before it came here. */
  refused(error: MadeleineError): void {
    this.#options.metrics.pushes.inc({ outcome: error.reason });
  }

  #toPush({ draft, expectedSequence }: PushCommand): Push {
    if (draft.messageId === '') {
      return { draft, expectedSequence, messageId: this.#options.uuids.next(), digest: undefined };
    }
    return { draft, expectedSequence, messageId: draft.messageId, digest: contentDigest(draft) };
  }

  /** The entries that duplicates stand for. They may rest on a row above the durable mark, so the mark is raised first. */
  async #storedBefore(outcomes: readonly PushOutcome[]): Promise<ReadonlyMap<Position, LogEntry>> {
    const positions = outcomes.flatMap((outcome) => (outcome.kind === 'duplicate' ? [outcome.position] : []));
    if (positions.length === 0) return new Map();
    await this.#options.tail.reach(Math.max(...positions));
    const entries = await this.#options.reader.readAt([...new Set(positions)]);
    return new Map(entries.map((entry) => [entry.position, entry]));
  }

  #count(results: readonly PushedEvent[]): void {
    const { pushes } = this.#options.metrics;
    const counts = new Map<string, number>();
    for (const result of results) {
      const outcome = result.kind === 'refused' ? result.error.reason : result.duplicate ? 'duplicate' : 'occurred';
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    for (const [outcome, count] of counts) pushes.inc({ outcome }, count);
  }
}

function toResult(outcome: PushOutcome, before: ReadonlyMap<Position, LogEntry>): PushedEvent {
  switch (outcome.kind) {
    case 'occurred':
      return { kind: 'stored', entry: outcome.entry, duplicate: false };
    case 'refused':
      return outcome;
    case 'duplicate': {
      const entry = before.get(outcome.position);
      if (entry === undefined) throw bug(`position ${outcome.position} is not readable`);
      return { kind: 'stored', entry, duplicate: outcome.own !== true };
    }
  }
}
