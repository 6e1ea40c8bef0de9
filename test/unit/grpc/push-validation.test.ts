// What a push is refused with: everything that is wrong, its own members first.

import { describe, expect, it } from 'vitest';
import { MadeleineError } from '../../../src/domain/errors.js';
import { decodePush } from '../../../src/grpc/events/push-decoder.js';
import { toPushCommand } from '../../../src/grpc/events/push-validation.js';
import type { Tree } from '../../support/contract/descriptors.js';
import { descriptors } from '../../support/contract/event-fields.js';

function violationsOf(event: Tree): readonly string[] {
  const request = descriptors.encode('madeleine.v1.PushEventRequest', { event });
  const command = toPushCommand(decodePush(request), '', { maxEventBytes: 10_000 });
  return command instanceof MadeleineError ? command.violations.map(({ field }) => field) : [];
}

describe('the refusal of a push', () => {
  it('names its own members before those of its maps, which may be more than are told', () => {
    const properties = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`key ${n}`, 'x'.repeat(5_000)]));
    const event = { issuer: ' ', properties, payload: { data: Buffer.from('{}') } };
    expect(violationsOf(event).slice(0, 3)).toEqual(['event.topic', 'event.issuer', 'event.properties']);
  });
});
