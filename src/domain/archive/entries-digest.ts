// The digest of what some entries are: SHA-256 over the id and the SHA-256 of the stored payload of each, in their order. It outlives
// the erasure of their content, and does not depend on how they are written down.

import { createHash, type Hash } from 'node:crypto';
import type { EventId } from '../../units.js';

/** Stands in the place of the hash where there is no payload. */
const NO_PAYLOAD = Buffer.alloc(32);

export class EntriesDigest {
  readonly #hash: Hash;

  constructor(hash = createHash('sha256')) {
    this.#hash = hash;
  }

  /** Another one that goes on from here. */
  copy(): EntriesDigest {
    return new EntriesDigest(this.#hash.copy());
  }

  /** `payloadSha256`: 32 bytes; undefined: the entry has no payload, and never had. */
  add(eventId: EventId, payloadSha256: Buffer | undefined): void {
    const id = Buffer.alloc(8);
    id.writeBigUInt64BE(BigInt(eventId));
    this.#hash.update(id).update(payloadSha256 ?? NO_PAYLOAD);
  }

  /** The digest of what was added, in hex. */
  get hex(): string {
    return this.#hash.copy().digest('hex');
  }
}
