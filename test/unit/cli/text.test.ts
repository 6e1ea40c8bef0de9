// How the command line reads values and writes results: no server, no network.

import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Consumer, Delivery, SubscribeResponse } from '../../../generated/madeleine/v1/consumer_service.js';
import { Event, Subject } from '../../../generated/madeleine/v1/event.js';
import { settingsMask, settingsOf } from '../../../src/cli/commands/consumers/settings-options.js';
import { Backoff } from '../../../src/cli/connection/backoff.js';
import { deliveryJson, eventJson, eventLine, messageJson } from '../../../src/cli/text/event-json.js';
import { parseNewEvent } from '../../../src/cli/text/new-event-json.js';
import { cut, Output, printable, tableLines } from '../../../src/cli/text/output.js';
import { durationText, parseDuration, parseTime, timestampText } from '../../../src/cli/text/time-text.js';
import { acknowledgement, property, startPosition, subject, uint64 } from '../../../src/cli/text/values.js';

const createdAt = { seconds: 1_795_257_903n, nanos: 123_456_000 };

function event(payload: string, contentType = ''): Event {
  return Event.fromPartial({
    id: 18_446_744_073_709_551_615n,
    position: 12n,
    topic: 'orders',
    stream: 'order-7',
    sequence: 3n,
    issuer: 'shop',
    createdAt,
    payload: { contentType, body: { $case: 'data', value: Buffer.from(payload) } },
  });
}

describe('times', () => {
  it('keep their microseconds', () => {
    expect(timestampText(createdAt)).toBe('2026-11-21T10:45:03.123456Z');
    expect(parseTime('2026-11-21T10:45:03.123456Z', 0)).toEqual(createdAt);
    expect(parseTime('2026-11-21T11:45:03.123456+01:00', 0)).toEqual(createdAt);
  });

  it('are read as a day in UTC and as a while ago', () => {
    expect(timestampText(parseTime('2026-11-21', 0))).toBe('2026-11-21T00:00:00.000000Z');
    expect(timestampText(parseTime('15m', Date.parse('2026-11-21T10:15:00.250Z')))).toBe('2026-11-21T10:00:00.250000Z');
  });

  it('are refused without a zone, and when they do not exist', () => {
    expect(parseTime('2026-11-21T10:45:03', 0)).toBeUndefined();
    expect(parseTime('2026-13-21T10:45:03Z', 0)).toBeUndefined();
    expect(parseTime('yesterday', 0)).toBeUndefined();
  });

  it('as durations are read and written with their unit', () => {
    expect(parseDuration('1500ms')).toEqual({ seconds: 1n, nanos: 500_000_000 });
    expect(parseDuration('2h')).toEqual({ seconds: 7200n, nanos: 0 });
    expect(parseDuration('60')).toBeUndefined();
    expect(durationText({ seconds: 60n, nanos: 0 })).toBe('60s');
    expect(durationText({ seconds: 0n, nanos: 250_000_000 })).toBe('0.250000s');
  });
});

describe('values of flags', () => {
  it('take whole numbers of 64 bits and nothing else', () => {
    expect(uint64('18446744073709551615')).toBe(18_446_744_073_709_551_615n);
    for (const bad of ['18446744073709551616', '-1', '1.5', '', 'x', '1e3'])
      expect(() => uint64(bad)).toThrow(/whole number/);
  });

  it('name a place in the log in four ways', () => {
    expect(startPosition('earliest').at).toEqual({ $case: 'earliest', value: {} });
    expect(startPosition('position:7').at).toEqual({ $case: 'afterPosition', value: 7n });
    expect(startPosition('7').at).toEqual({ $case: 'afterPosition', value: 7n });
    expect(startPosition('time:2026-11-21T10:45:03.123456Z').at).toEqual({ $case: 'afterTime', value: createdAt });
    for (const bad of ['', 'first', 'position:', 'time:noon']) expect(() => startPosition(bad)).toThrow(/has to be/);
  });

  it('name a subject with or without its prefix', () => {
    expect(subject('created')).toBe(Subject.SUBJECT_CREATED);
    expect(subject('SUBJECT_CREATED')).toBe(Subject.SUBJECT_CREATED);
    for (const bad of ['unspecified', 'unrecognized', 'made']) expect(() => subject(bad)).toThrow(/create, update/);
  });

  it('split a property at its first sign', () => {
    expect(property('a=b=c', { x: 'y' })).toEqual({ x: 'y', a: 'b=c' });
    expect(() => property('=b', undefined)).toThrow(/key=value/);
  });

  it('take a lease behind a position', () => {
    expect(acknowledgement('17:3')).toEqual({ position: 17n, lease: 3n });
    expect(acknowledgement('17')).toEqual({ position: 17n, lease: 0n });
    expect(() => acknowledgement('17:3:1')).toThrow(/POSITION/);
  });

  it('make settings of what was given and leave the rest as stored', () => {
    expect(settingsOf({})).toBeUndefined();
    const settings = settingsOf({ topic: ['orders'], maxAttempts: 3, ignoreOwn: false });
    expect(settings).toMatchObject({ filter: { topics: ['orders'], streams: [] }, maxAttempts: 3, ignoreOwn: false });
    expect(settings).not.toHaveProperty('ackTimeout');
    expect(settingsMask(settings ?? {})).toEqual(['filter', 'max_attempts', 'ignore_own']);
  });
});

describe('JSON for machines', () => {
  it('has camelCase, 64-bit numbers as strings and whole times', () => {
    expect(JSON.parse(eventJson(event('{"total":12.5}')))).toEqual({
      id: '18446744073709551615',
      position: '12',
      topic: 'orders',
      stream: 'order-7',
      sequence: '3',
      issuer: 'shop',
      createdAt: '2026-11-21T10:45:03.123456Z',
      payload: { json: { total: 12.5 } },
    });
  });

  it('keeps the text of a JSON payload, so that its numbers stay exact', () => {
    expect(eventJson(event('{\n  "n": 9007199254740993.000000001\n}'))).toContain(
      '"json":{   "n": 9007199254740993.000000001 }',
    );
  });

  it('stays one line and parses whatever the payload', () => {
    for (const text of ['null', '"a\\nb"', '[1,\r\n2]', ' 5 ']) {
      const json = eventJson(event(text));
      expect(json).not.toMatch(/[\r\n]/);
      expect(JSON.parse(json).payload.json).toEqual(JSON.parse(text));
    }
  });

  it('gives other payloads as base64', () => {
    expect(JSON.parse(eventJson(event('plain', 'text/plain'))).payload).toEqual({
      contentType: 'text/plain',
      data: 'cGxhaW4=',
    });
  });

  it('puts the event into its delivery', () => {
    const delivery = Delivery.fromPartial({ event: event('1'), lease: 4n, attempt: 1, deadline: createdAt });
    expect(JSON.parse(deliveryJson(delivery))).toMatchObject({
      lease: '4',
      attempt: 1,
      deadline: '2026-11-21T10:45:03.123456Z',
      event: { position: '12', payload: { json: 1 } },
    });
  });

  it('mends times and durations inside of lists and oneofs', () => {
    const consumer = Consumer.fromPartial({
      settings: { ackTimeout: { seconds: 60n, nanos: 0 } },
      members: [{ name: 'a', subscribedAt: createdAt }],
      createdAt,
    });
    const frame = SubscribeResponse.fromPartial({ frame: { $case: 'opened', value: { consumer, member: 'a' } } });
    expect(JSON.parse(messageJson(SubscribeResponse, frame)).opened.consumer).toMatchObject({
      settings: { ackTimeout: '60s' },
      members: [{ name: 'a', subscribedAt: '2026-11-21T10:45:03.123456Z' }],
      createdAt: '2026-11-21T10:45:03.123456Z',
    });
  });
});

describe('lines of `push --events`', () => {
  it('are events as protobuf JSON, in both spellings', () => {
    expect(parseNewEvent('{"topic":"t","issuer":"i","reply_to":"r","payload":{"json":{"a":1}}}')).toMatchObject({
      topic: 't',
      issuer: 'i',
      replyTo: 'r',
      payload: { body: { $case: 'data', value: Buffer.from('{"a":1}') } },
    });
  });

  it('carry null as a payload', () => {
    expect(parseNewEvent('{"topic":"t","payload":{"json":null}}').payload?.body).toEqual({
      $case: 'data',
      value: Buffer.from('null'),
    });
  });

  it('may be what read printed: the members that the server gives are left out', () => {
    const again = parseNewEvent(
      eventJson({ ...event('{"a":[1]}'), messageId: '0190b5a0-0000-7000-8000-000000000001' }),
    );
    expect(again).toMatchObject({
      topic: 'orders',
      stream: 'order-7',
      messageId: '0190b5a0-0000-7000-8000-000000000001',
    });
    expect(again).not.toHaveProperty('position');
  });

  it('are refused when they are no event', () => {
    expect(() => parseNewEvent('{"topik":"t"}')).toThrow('no member "topik"');
    expect(() => parseNewEvent('{"topic":')).toThrow('not JSON');
    expect(() => parseNewEvent('[1]')).toThrow('not a JSON object');
    expect(() => parseNewEvent('{"subject":"MADE"}')).toThrow('no subject "MADE"');
  });
});

describe('text for people', () => {
  it('lines columns up, numbers at the right', () => {
    const columns = [
      { title: 'NAME', text: (row: { name: string; n: number }) => row.name },
      { title: 'N', text: (row: { name: string; n: number }) => String(row.n), right: true },
    ];
    expect(
      tableLines(
        [
          { name: 'orders', n: 7 },
          { name: 'a', n: 1234 },
        ],
        columns,
      ),
    ).toEqual(['NAME       N', 'orders     7', 'a       1234']);
  });

  it('leaves no room in every row for one long name', () => {
    const columns = [
      { title: 'NAME', text: (name: string) => name },
      { title: 'N', text: () => '7', right: true },
    ];
    const long = 'x'.repeat(255);
    expect(tableLines(['orders', long], columns)).toEqual(['NAME    N', 'orders  7', `${long}  7`]);
    const many = Array.from({ length: 200_000 }, () => 'a');
    expect(tableLines(many, columns)).toHaveLength(200_001);
  });

  it('never steers a terminal', () => {
    expect(printable('a\u001b[2Jb\u009bc\n')).toBe('a\\u001b[2Jb\\u009bc\\u000a');
    expect(eventLine({ ...event('"x"'), issuer: 'e\u001b]0;owned\u0007' })).toContain('e\\u001b]0;owned\\u0007');
  });

  it('shows an event on one line, cut to the terminal', () => {
    expect(eventLine(event('{"a":1}'))).toBe(
      '    12  event 18446744073709551615  2026-11-21T10:45:03.123456Z  orders  order-7#3  shop  {"a":1}',
    );
    expect(eventLine(event('{"a":1}'), 20)).toHaveLength(20);
    const smile = '\u{1f600}';
    expect(cut(`ab${smile}cd`, 4)).toBe('ab…');
    expect(cut(`ab${smile}cd`, 5)).toBe(`ab${smile}…`);
  });
});

describe('output', () => {
  const brokenBy = (code: string) => {
    const stdout = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });
    stdout.on('error', () => {});
    return new Output({ stdout, stderr: stdout, json: true });
  };

  it('goes on where nobody reads it, and fails where it cannot be written', async () => {
    const unread = brokenBy('EPIPE');
    for (let n = 0; n < 3; n++) await unread.line('x'.repeat(100_000));
    await expect(brokenBy('ENOSPC').line('x'.repeat(100_000))).rejects.toThrow('ENOSPC');
  });
});

describe('back-off', () => {
  it('doubles up to its bound, heeds the server, and starts again', () => {
    const backoff = new Backoff({ signal: new AbortController().signal, random: () => 1 });
    expect([1, 2, 3, 4].map(() => backoff.next())).toEqual([100, 200, 400, 800]);
    expect(backoff.next(4000)).toBe(4000);
    expect([1, 2].map(() => backoff.next())).toEqual([3200, 5000]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });
});
