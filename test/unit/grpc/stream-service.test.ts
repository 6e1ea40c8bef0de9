// What TransferStream takes as a reason: the same as every other call that keeps one.

import type { CallContext } from 'nice-grpc';
import { expect, it } from 'vitest';
import { TransferStreamRequest } from '../../../generated/madeleine/v1/stream_service.js';
import type { StreamTransfers, TransferCall } from '../../../src/engine/group/stream-transfers.js';
import { StreamService, type StreamServiceOptions } from '../../../src/grpc/events/stream-service.js';

const ASKED = { stream: 'order-7', owner: 'shop', newOwner: 'web', by: 'anna' };

/** The calls that were made of requests with the reasons. */
async function callsFor(...reasons: string[]): Promise<TransferCall[]> {
  const calls: TransferCall[] = [];
  const transfer: StreamTransfers['transfer'] = async ({ context, stream: name, newOwner: owner }, call) => {
    calls.push(call);
    const never = { firstPosition: 1, lastPosition: 1, firstEventAt: 1, lastEventAt: 1, lastSequence: 1 };
    return { context, name, owner, epoch: 2, formerOwner: 'shop', transferPosition: 2, truncatedTo: 0, ...never };
  };
  const service = new StreamService({ transfers: { transfer } } as unknown as StreamServiceOptions);
  const context = { peer: '10.0.0.1:4711' } as CallContext;
  for (const reason of reasons) {
    await service.transferStream(TransferStreamRequest.fromPartial({ ...ASKED, reason }), context);
  }
  return calls;
}

it('keeps reasons of several lines, as those of other calls', async () => {
  const reason = 'the shop moves:\nsee the plan';
  expect(await callsFor(reason, '')).toEqual([
    { call: 'TransferStream', by: 'anna', reason },
    { call: 'TransferStream', by: 'anna', reason: '' },
  ]);
});

it('refuses one of more than a kilobyte', async () => {
  await expect(callsFor('ü'.repeat(513))).rejects.toMatchObject({
    ...{ reason: 'FIELD_INVALID', violations: [{ field: 'reason', description: 'has more than 1024 bytes' }] },
  });
});
