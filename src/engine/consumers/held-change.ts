// A management call on a consumer that runs here. What is kept of it in memory follows the commit; where nobody can tell whether that was
// made, memory is given up, and read anew with the next call.

import type { ConsumerKey } from '../../domain/consumers/consumer.js';
import { MadeleineError, storageUnavailable } from '../../domain/errors.js';
import type { AuditedChange, ManagementCall } from '../../domain/management/audit.js';
import type { HeldChange } from '../../domain/management/consumer-change.js';
import type { Management } from '../group/management.js';
import type { ConsumerHold } from './ownership/consumer-hold.js';

export interface HeldConsumer {
  readonly key: ConsumerKey;
  readonly hold: ConsumerHold;
  readonly management: Pick<Management, 'change'>;
}

/** The consumer as a change names it. */
export function target({ key, hold }: HeldConsumer): Pick<HeldChange, 'key' | 'hold'> {
  return { key, hold: hold.guard };
}

/** What is told of a change of the consumer. */
export type ToldChange = Omit<AuditedChange, 'entityType' | 'context' | 'about'> &
  Partial<Pick<AuditedChange, 'entityType' | 'about'>>;

/**
 * Stores the change and its entry. Rejects, and the session is at its end, where it cannot be told that they are stored. `gone`: nothing is,
 * as something that the change names is parked no more.
 */
export async function store(
  { key, hold, management }: HeldConsumer,
  call: ManagementCall,
  change: HeldChange,
  told: ToldChange,
): Promise<'changed' | 'gone'> {
  const audited = {
    entityType: 'consumer',
    ...told,
    context: key.context,
    about: { consumer: key.name, ...told.about },
  };
  const effect = await management.change(call, change, audited).catch((error: unknown) => {
    if (error instanceof MadeleineError && error.reason === 'OVERLOADED') throw error;
    throw hold.unsure(error instanceof Error ? error : storageUnavailable(error));
  });
  if (effect !== 'changed' && effect !== 'gone') throw hold.matchedNothing();
  return effect;
}
