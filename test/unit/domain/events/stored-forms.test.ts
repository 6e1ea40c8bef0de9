// Forms that are stored stay as the first server wrote them: a retry after an upgrade is told from another push by its digest, and
// waits of before are read. The values were computed before the fields of an event had one table.

import { expect, it } from 'vitest';
import { NewEvent } from '../../../../generated/madeleine/v1/event.js';
import { PushEventRequest } from '../../../../generated/madeleine/v1/event_service.js';
import { MadeleineError } from '../../../../src/domain/errors.js';
import { contentDigest } from '../../../../src/domain/events/content-digest.js';
import type { EventDraft } from '../../../../src/domain/events/event.js';
import { decodePush } from '../../../../src/grpc/events/push-decoder.js';
import { toPushCommand } from '../../../../src/grpc/events/push-validation.js';
import { waitEnvelope, waitEnvelopeText } from '../../../../src/storage/mysql/waits/wait-envelope.js';
import { bytesPayload } from '../../../support/events/builders.js';

const NAMES = { topic: 'orders', issuer: 'shop' };
const payload = bytesPayload('{"total":12.5}');
const TEXTS = {
  ...{ sessionId: 'session', correlationId: 'answered', to: 'mailer', replyTo: 'billing' },
  ...{ tag: 'form', entityType: 'order', organization: 'org', unit: 'unit' },
};
const OCCURRED = { context: 'ctx', version: 7, stream: 's', subject: 4, properties: { b: '2', a: '1' } };
const REST = {
  system: { id: 'i', name: 'n', time: { seconds: 5n, nanos: 6000 }, timezone: 'UTC' },
  trigger: { type: 'manual', name: 'anna' },
  ...{ traceparent: 'tp', tracestate: 'ts' },
};

function draftOf(event: Partial<NewEvent>): EventDraft {
  const request = PushEventRequest.fromPartial({ event: NewEvent.fromPartial(event as NewEvent) });
  const command = toPushCommand(decodePush(PushEventRequest.encode(request).finish()), '', { maxEventBytes: 1_000 });
  if (command instanceof MadeleineError) throw command;
  return command.draft;
}

it.each<[name: string, event: Partial<NewEvent>, digest: string]>([
  ['a bare event', { payload }, '01b9551fca83d203d917207b9ffefe2e5e'],
  ['every field', { ...TEXTS, ...OCCURRED, ...REST, payload }, '01d45ebcfcb393a00078064e3ae969fc5d'],
  ['texts alone', { ...TEXTS, payload }, '01fa599f5b5a4378c4186ac4159c0a7dce'],
  ['a trace alone', { traceparent: 'tp', payload }, '017fa677198a3506fb509072450578d61d'],
  [
    'a system with nothing but an id',
    { system: { id: 'i', name: '', time: undefined, timezone: '' }, payload },
    '0157857d30f0cdbf125e74b34cef2fbb1a',
  ],
  ['a description', { description: { total: 12.5 }, payload }, '01eda5ffd7f8713cbbe3cbea0f251db58d'],
  [
    'other bytes than JSON',
    { payload: { contentType: 'image/png', body: { $case: 'data', value: Buffer.from([0, 255]) } } },
    '0174859acaef916eab3a79097438d33c09',
  ],
  ['what is awaited', { description: { order: 7 } }, '0163ba20ad9119e3aaa6c4371001c9586f'],
  [
    'what is awaited with every field',
    { context: 'ctx', version: 7, ...TEXTS, ...REST, description: { order: 7 } },
    '01ae1e22f887daf9d69a7a69a244f7196b',
  ],
])('the digest of %s', (_name, event, digest) => {
  expect(contentDigest(draftOf({ ...NAMES, ...event })).toString('hex')).toBe(digest);
});

const WAIT_TEXT =
  '{"sessionId":"session","correlationId":"answered","to":"mailer","replyTo":"billing","tag":"form","entityType":"order",' +
  '"organization":"org","unit":"unit","rest":{"system":{"id":"i","name":"n","timezone":"UTC","time":5000006},' +
  '"trigger":{"type":"manual","name":"anna"},"traceparent":"tp","tracestate":"ts"}}';

it('the text of a wait, written and read', () => {
  const columns = { ...NAMES, context: 'ctx', version: 7 };
  const draft = draftOf({ ...columns, ...TEXTS, ...REST, description: { order: 7 } });
  expect(waitEnvelopeText(draft)).toBe(WAIT_TEXT);
  const { messageId, payload: _, description, ...envelope } = draft;
  expect(waitEnvelope(columns, WAIT_TEXT)).toEqual({ ...envelope });
  expect(waitEnvelopeText(draftOf({ ...NAMES, description: { order: 7 } }))).toBeNull();
});
