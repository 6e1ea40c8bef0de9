import { describe, expect, it } from 'vitest';
import { callbackFields } from '../../../../src/outbound/attempt/callback-fields.js';
import { signatureHeaders } from '../../../../src/outbound/attempt/signature.js';
import { callbackAttempt, logEntry, SECRET } from '../../../support/cawins/callback-attempt.js';

const BODY = Buffer.from('{}');
const NOW = 1_763_735_280_000;

describe('what a callback carries beside its body', () => {
  it('is what its cawin asks for, the trace of its event, and the signature', () => {
    const rest = { traceparent: '00-trace', tracestate: 'a=b' };
    const attempt = callbackAttempt('https://a.example', {
      headers: { Authorization: 'Bearer x', Host: 'b.example', 'Webhook-Id': 'forged', traceparent: 'forged' },
      event: { entry: logEntry({ rest }), cawinId: 5, awaitedId: 7 },
    });
    expect(callbackFields(attempt, [BODY], NOW)).toEqual({
      Authorization: 'Bearer x',
      ...rest,
      ...signatureHeaders({ id: 'dlv_5_1', bodies: [BODY], secrets: [SECRET], nowMs: NOW }),
    });
  });

  it.each(['vendor=’', 'a\nb', 'a\u0000', '\ud800', 'é', ' x', ''])(
    'leaves out what is stored and no header: %j',
    (text) => {
      const attempt = callbackAttempt('https://a.example', {
        ...{ secrets: [], headers: { 'x-own': text, connection: 'close', ok: 'yes' } },
        event: { entry: logEntry({ rest: { traceparent: text, tracestate: text } }), cawinId: 5, awaitedId: 7 },
      });
      expect(Object.keys(callbackFields(attempt, [BODY], NOW))).toEqual(['ok', 'webhook-id', 'webhook-timestamp']);
    },
  );

  it('has no trace where the event has none', () => {
    const fields = callbackFields(callbackAttempt('https://a.example', { secrets: [] }), [BODY], NOW);
    expect(Object.keys(fields)).toEqual(['webhook-id', 'webhook-timestamp']);
  });
});
