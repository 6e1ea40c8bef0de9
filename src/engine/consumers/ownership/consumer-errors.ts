// The failures of consumers that several parts answer with.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import { MadeleineError } from '../../../domain/errors.js';
import type { Instance } from '../../../storage/ports/log-storage.js';

export function consumerUnknown(key: ConsumerKey): MadeleineError {
  return new MadeleineError('CONSUMER_UNKNOWN', `there is no consumer "${key.name}" in context "${key.context}"`);
}

/** Says that another instance runs the consumer, and which. */
export function ownedElsewhere(key: ConsumerKey, owner: Instance): MadeleineError {
  return new MadeleineError('OWNED_ELSEWHERE', `consumer "${key.name}" is run by ${owner.address}`, {
    metadata: { owner: owner.address },
    retryAfterMs: 1000,
  });
}

/** Says that the consumer, run here until now, is another instance's; which one is not known yet. */
export function holdLost(key: ConsumerKey): MadeleineError {
  return new MadeleineError('OWNED_ELSEWHERE', `consumer "${key.name}" went to another instance`, {
    retryAfterMs: 100,
  });
}
