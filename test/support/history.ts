// The operation log of a test and its checker: what was answered, delivered and acknowledged, held against what is stored.

import type { Delivery } from '../../generated/madeleine/v1/consumer_service.js';
import type { Event as EventMessage } from '../../generated/madeleine/v1/event.js';

export interface AnsweredPush {
  readonly messageId: string;
  readonly position: bigint;
  readonly stream: string;
  readonly sequence: bigint;
}

export class History {
  readonly #answered = new Map<string, AnsweredPush>();
  readonly #delivered = new Map<string, Delivery[]>();
  readonly #faults: string[] = [];

  /** A push was answered. A second answer for the same message id has to be the same. */
  answered(event: EventMessage): void {
    const { messageId, position, stream, sequence } = event;
    const before = this.#answered.get(messageId);
    if (before !== undefined && before.position !== position) {
      this.#faults.push(`message ${messageId} was answered with ${before.position} and with ${position}`);
    }
    this.#answered.set(messageId, { messageId, position, stream, sequence });
  }

  get answeredCount(): number {
    return this.#answered.size;
  }

  /** A consumer was shown an event. */
  delivered(consumer: string, delivery: Delivery): void {
    const list = this.#delivered.get(consumer);
    if (list === undefined) this.#delivered.set(consumer, [delivery]);
    else list.push(delivery);
  }

  deliveredCount(consumer: string): number {
    return new Set(this.#delivered.get(consumer)?.map(({ event }) => event?.position)).size;
  }

  /**
   * Everything that is wrong: an answered push that is not stored exactly once; something shown that is not stored; holes in
   * positions or sequences; a consumer that did not get every stored event, or got one before an earlier one of its stream,
   * which consumers in `unordered` may.
   */
  faults(stored: readonly EventMessage[], { unordered = [] }: { unordered?: readonly string[] } = {}): string[] {
    return [
      ...this.#faults,
      ...this.#storageFaults(stored),
      ...sequenceFaults(stored),
      ...this.#deliveryFaults(stored, unordered),
    ];
  }

  #storageFaults(stored: readonly EventMessage[]): string[] {
    const faults: string[] = [];
    const byMessage = new Map<string, EventMessage[]>();
    for (const event of stored) byMessage.set(event.messageId, [...(byMessage.get(event.messageId) ?? []), event]);
    for (const { messageId, position } of this.#answered.values()) {
      const found = byMessage.get(messageId) ?? [];
      if (found.length !== 1) faults.push(`answered ${messageId} is stored ${found.length} times`);
      else if (found[0]?.position !== position) faults.push(`answered ${position} is stored at ${found[0]?.position}`);
    }
    stored.forEach(({ position }, index) => {
      if (position !== BigInt(index + 1)) faults.push(`position ${index + 1} is missing before ${position}`);
    });
    return faults.slice(0, 20);
  }

  #deliveryFaults(stored: readonly EventMessage[], unordered: readonly string[]): string[] {
    const faults: string[] = [];
    const byPosition = new Map(stored.map((event) => [event.position, event]));
    for (const [consumer, deliveries] of this.#delivered) {
      const seen = new Set<bigint>();
      const newest = new Map<string, bigint>();
      for (const { event } of deliveries) {
        if (event === undefined || seen.has(event.position)) continue;
        seen.add(event.position);
        if (byPosition.get(event.position)?.messageId !== event.messageId)
          faults.push(`${consumer}: shown ${event.position} is not stored`);
        if (event.stream === '' || unordered.includes(consumer)) continue;
        const before = newest.get(event.stream) ?? 0n;
        if (event.sequence !== before + 1n)
          faults.push(`${consumer}: ${event.stream}#${event.sequence} came first after #${before}`);
        newest.set(event.stream, event.sequence);
      }
      for (const position of byPosition.keys())
        if (!seen.has(position)) faults.push(`${consumer}: never got ${position}`);
    }
    return faults.slice(0, 20);
  }
}

function sequenceFaults(stored: readonly EventMessage[]): string[] {
  const newest = new Map<string, bigint>();
  return stored.flatMap(({ stream, sequence }) => {
    if (stream === '') return [];
    const expected = (newest.get(stream) ?? 0n) + 1n;
    newest.set(stream, sequence);
    return sequence === expected ? [] : [`${stream}: #${sequence} where #${expected} was due`];
  });
}
