import { type CloudEvent, HTTP } from 'cloudevents';
import { describe, expect, it } from 'vitest';
import { EntryKind } from '../../../../src/domain/events/event.js';
import type { CallbackEvent } from '../../../../src/engine/cawins/callback-sender.js';
import { CLOUD_EVENT_CONTENT_TYPE, encodeCloudEvent } from '../../../../src/outbound/attempt/cloud-event.js';
import { logEntry } from '../../../support/cawins/callback-attempt.js';

/** As the SDK of CloudEvents reads it, which checks it against the specification's schema. */
function parsed(event: CallbackEvent): CloudEvent<unknown> {
  const body = encodeCloudEvent('dlv_1', event).toString();
  const read = HTTP.toEvent<unknown>({ headers: { 'content-type': CLOUD_EVENT_CONTENT_TYPE }, body });
  expect(Array.isArray(read)).toBe(false);
  const one = read as CloudEvent<unknown>;
  expect(one.validate()).toBe(true);
  return one;
}

describe('the CloudEvent of a callback', () => {
  it('has the attributes that CloudEvents requires, and ours as extensions', () => {
    const entry = logEntry({ stream: 'order 17', sequence: 3, subject: 5, topic: 'payment', context: 'Zürich' });
    const event = parsed({ entry, cawinId: 9_007_199_254_740_991, awaitedId: 6 });
    expect(event).toMatchObject({
      specversion: '1.0',
      id: 'dlv_1',
      source: '/madeleine/contexts/Z%C3%BCrich',
      type: 'payment.occurred',
      subject: 'UPDATED',
      datacontenttype: 'application/json',
      outcome: 'OCCURRED',
      cawinid: '9007199254740991',
      awaitedid: '6',
      eventid: '7',
      position: '41',
      context: 'Zürich',
      stream: 'order 17',
      streamsequence: '3',
      issuer: 'bank',
      data: { order: 17, amount: 12.5 },
    });
    // The SDK cuts times to milliseconds; the body keeps microseconds.
    expect(encodeCloudEvent('dlv_1', { entry, cawinId: 1, awaitedId: 1 }).toString()).toContain(
      '"time":"2025-11-21T14:28:00.123456Z"',
    );
  });

  it('leaves out what is not set', () => {
    const names = Object.keys(
      JSON.parse(encodeCloudEvent('d', { entry: logEntry(), cawinId: 1, awaitedId: 7 }).toString()),
    );
    expect(names).not.toContain('subject');
    expect(names).not.toContain('stream');
    expect(names).not.toContain('tag');
  });

  it('carries the whole envelope', () => {
    const entry = logEntry({
      ...{
        version: 4,
        sessionId: 's',
        correlationId: 'c',
        to: 'shipping',
        replyTo: 'billing',
        tag: 't',
        entityType: 'e',
      },
      ...{ organization: 'o', unit: 'u' },
      rest: {
        properties: { 'Any Key': 'value "quoted"' },
        system: { id: 'i', name: 'n', time: 1_000_001, timezone: 'Europe/Berlin' },
        trigger: { type: 'manual', name: 'anna' },
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        tracestate: 'a=b',
        createdBy: 'principal',
      },
    });
    const event = parsed({ entry, cawinId: 1, awaitedId: 7 });
    expect(event).toMatchObject({
      ...{ topicversion: '4', sessionid: 's', correlationid: 'c', to: 'shipping', replyto: 'billing', tag: 't' },
      ...{ entitytype: 'e', organization: 'o', unit: 'u', systemid: 'i', systemname: 'n' },
      ...{ systemtime: '1970-01-01T00:00:01.000001Z', systemtimezone: 'Europe/Berlin', triggertype: 'manual' },
      ...{ triggername: 'anna', createdby: 'principal', tracestate: 'a=b' },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
    expect(JSON.parse(String(event['properties']))).toEqual({ 'Any Key': 'value "quoted"' });
  });

  it('keeps the digits of numbers and the order of keys', () => {
    const text = '{ "b": 9007199254740993, "a": 1.0, "c": 1e400, "ü": "\\u00fc" }';
    const entry = logEntry({ payload: { contentType: 'application/vnd.bank+json', bytes: Buffer.from(text) } });
    const body = encodeCloudEvent('d', { entry, cawinId: 1, awaitedId: 1 }).toString();
    expect(body.endsWith(`,"datacontenttype":"application/vnd.bank+json","data":${text}}`)).toBe(true);
    expect(() => parsed({ entry, cawinId: 1, awaitedId: 1 })).not.toThrow();
  });

  it('sends other payloads as base64', () => {
    const bytes = Buffer.from([0, 255, 10, 34]);
    const event = parsed({
      entry: logEntry({ payload: { contentType: 'image/png', bytes } }),
      cawinId: 1,
      awaitedId: 1,
    });
    expect(event.datacontenttype).toBe('image/png');
    expect(event.data_base64).toBe(bytes.toString('base64'));
  });

  it.each(['text', 'ünter/text', 'a/b\nc', '/'])(
    'has no content type %j, which was stored before such were refused',
    (contentType) => {
      const bytes = Buffer.from('x');
      const event = parsed({ entry: logEntry({ payload: { contentType, bytes } }), cawinId: 1, awaitedId: 1 });
      expect(event.datacontenttype).toBe('application/octet-stream');
    },
  );

  it.each(['{"a":1},"id":"forged"', '', '{', '1}'])('does not let %j break out of the body', (text) => {
    const entry = logEntry({ payload: { contentType: 'application/json', bytes: Buffer.from(text) } });
    const body = JSON.parse(encodeCloudEvent('d', { entry, cawinId: 1, awaitedId: 1 }).toString());
    expect(body).toMatchObject({ id: 'd', data_base64: Buffer.from(text).toString('base64') });
    expect(body).not.toHaveProperty('data');
  });

  it.each([
    [EntryKind.INVALIDATED, 'payment.invalidated', 'INVALIDATED'],
    [EntryKind.EXPIRED, 'payment.expired', 'EXPIRED'],
  ])('of an entry of kind %s has no data', (kind, type, outcome) => {
    const event = parsed({ entry: logEntry({ kind, payload: undefined }), cawinId: 1, awaitedId: 1 });
    expect(event).toMatchObject({ type, outcome });
    expect(event.data).toBeUndefined();
    expect(event.datacontenttype).toBeUndefined();
  });
});
