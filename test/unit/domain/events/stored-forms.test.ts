// Forms that are stored stay as the first server wrote them: a retry after an upgrade is told from another push by its digest, and
// waits of before are read. The values were computed before the fields of an event had one table.

import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { NewEvent } from '../../../../generated/madeleine/v1/event.js';
import { PushEventRequest } from '../../../../generated/madeleine/v1/event_service.js';
import { MadeleineError } from '../../../../src/domain/errors.js';
import { contentDigest, isSameContent } from '../../../../src/domain/events/content-digest.js';
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
])('the first digest of %s', (_name, event, stored) => {
  const draft = draftOf({ ...NAMES, ...event });
  const digest = contentDigest(draft);
  expect(isSameContent(draft, digest, Buffer.from(stored, 'hex'))).toBe(true);
  const other = draftOf({ ...NAMES, ...event, tag: 'another' });
  expect(isSameContent(other, contentDigest(other), Buffer.from(stored, 'hex'))).toBe(false);
});

it.each<[name: string, event: Partial<NewEvent>, digest: string]>([
  ['a bare event', { payload }, '029bb5818050310da7d63903f71e9dbce4'],
  ['every field', { ...TEXTS, ...OCCURRED, ...REST, payload }, '02e715b01cbb293912e9661297b8aa13f8'],
  ['a description', { description: { total: 12.5 }, payload }, '02065e26eedbfc16041c10fd00dd24f26a'],
  ['what is awaited', { description: { order: 7 } }, '02aaaaf3382ccde05a85d6291cf36d44fa'],
  ['what is about somebody', { dataSubject: 'person-7', payload }, '029d9aca09626a33b0585bda7f402a18f2'],
  ['what was caused', { causedBy: 'cause', payload }, '027b73f4c2c9fecd9d2f1eea901b7d591a'],
])('the second digest of %s', (_name, event, digest) => {
  expect(contentDigest(draftOf({ ...NAMES, ...event })).toString('hex')).toBe(digest);
});

it.each<[what: string, one: Partial<NewEvent>, other: Partial<NewEvent>]>([
  ['another trace', { traceparent: 'a', tracestate: 'b' }, { traceparent: 'c', tracestate: 'd' }],
  ['no trace', { traceparent: 'a' }, {}],
  ['a trace where there was a system', { system: REST.system }, { system: REST.system, tracestate: 'b' }],
  ['another time of its system', { system: REST.system }, { system: { ...REST.system, time: undefined } }],
  ['another zone of its system', { system: REST.system }, { system: { ...REST.system, timezone: 'utc' } }],
  [
    'a system that says nothing',
    { system: { id: '', name: '', time: undefined, timezone: '' } },
    { trigger: { type: '', name: '' } },
  ],
  ['the default content type by its name', {}, { payload: bytesPayload('{"total":12.5}', 'application/json') }],
  ['its message id in another case', { messageId: randomUUID() }, { messageId: randomUUID().toUpperCase() }],
])('a retry may have %s', (_what, one, other) => {
  const [first, second] = [one, other].map((event) => draftOf({ ...NAMES, payload, ...event }));
  expect(contentDigest(first as EventDraft)).toEqual(contentDigest(second as EventDraft));
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
