// What a client that does not read costs: bytes of one stream, of one connection, of all.

import { describe, expect, it, vi } from 'vitest';
import { MESSAGE_BYTES, OUTGOING_BYTES, Outgoing, type OutgoingLane } from '../../../src/grpc/wire/outgoing.js';

const never = () => new AbortController().signal;

/** Sends for as long as there is room at once, and returns how many bytes are on the way then. */
function fill(lane: OutgoingLane): number {
  let bytes = 0;
  while (lane.ready() === undefined) {
    const room = lane.reserve();
    lane.message(new Uint8Array(room));
    bytes += room;
  }
  return bytes;
}

describe('messages on their way', () => {
  it('are bounded for one stream that nobody reads', () => {
    const outgoing = new Outgoing(never());
    expect(fill(outgoing.open('a:1', never()))).toBeLessThanOrEqual(OUTGOING_BYTES.stream);
    expect(outgoing.bytes).toBeGreaterThan(OUTGOING_BYTES.stream / 2);
  });

  it('are bounded for the streams of one connection: past its share each has one small message', () => {
    const outgoing = new Outgoing(never());
    for (let n = 0; n < 2_000; n += 1) fill(outgoing.open('a:1', never()));
    expect(outgoing.bytes).toBeLessThanOrEqual(OUTGOING_BYTES.connection + 2_000 * MESSAGE_BYTES.least);
  });

  it('are bounded for all connections together', () => {
    const outgoing = new Outgoing(never());
    for (let n = 0; n < 500; n += 1) fill(outgoing.open(`a:${n}`, never()));
    expect(outgoing.bytes).toBeLessThanOrEqual(OUTGOING_BYTES.all + 500 * MESSAGE_BYTES.least);
  });

  it('are counted before they are made: many streams begin to read at once', () => {
    const outgoing = new Outgoing(never());
    const lanes = Array.from({ length: 300 }, () => outgoing.open('a:1', never()));
    for (const lane of lanes) lane.reserve();
    expect(outgoing.bytes).toBeLessThanOrEqual(OUTGOING_BYTES.connection + 300 * MESSAGE_BYTES.least);
    for (const lane of lanes) lane.unused();
    expect(outgoing.bytes).toBe(0);
  });

  it('leave a stream that reads its messages one after the other, whatever others leave unread', async () => {
    const outgoing = new Outgoing(never());
    for (let n = 0; n < 500; n += 1) fill(outgoing.open(`a:${n % 50}`, never()));
    const reading = outgoing.open('a:1', never());
    for (let n = 0; n < 100; n += 1) {
      await reading.ready();
      const message = reading.message(new Uint8Array(reading.reserve()));
      message.take();
      message.written();
    }
    expect(fill(reading)).toBe(MESSAGE_BYTES.least);
  });

  it('make a stream wait until what it sent is written, or its call is over', async () => {
    const outgoing = new Outgoing(never());
    const call = new AbortController();
    const lane = outgoing.open('a:1', call.signal);
    const message = lane.message(new Uint8Array(OUTGOING_BYTES.stream));
    const ready = lane.ready();
    expect(ready).toBeDefined();
    message.written();
    await ready;
    expect(fill(lane)).toBeGreaterThan(MESSAGE_BYTES.most);
    const last = lane.ready();
    expect(last).toBeDefined();
    call.abort();
    await last;
  });

  it('are counted until they are written, also where nothing comes after them', async () => {
    const outgoing = new Outgoing(never());
    const call = new AbortController();
    const lane = outgoing.open('a:1', call.signal);
    const message = lane.message(new Uint8Array(1_000));
    let isFinished = false;
    const finished = lane.finished().then(() => {
      isFinished = true;
    });
    await new Promise((turn) => setImmediate(turn));
    expect(isFinished).toBe(false);
    message.written();
    await finished;
    lane.message(new Uint8Array(1_000));
    const cut = lane.finished();
    call.abort();
    await cut;
    await outgoing.open('a:1', never()).finished();
  });

  it('leave no listener with the signal that all streams share where there is nothing to wait for', async () => {
    const draining = new AbortController().signal;
    const call = new AbortController();
    const lane = new Outgoing(draining).open('a:1', call.signal);
    const added = vi.spyOn(draining, 'addEventListener');
    await lane.finished();
    lane.message(new Uint8Array(1_000));
    call.abort();
    await lane.finished();
    expect(added).not.toHaveBeenCalled();
  });

  it('are waited for by nobody when the server drains', async () => {
    const draining = new AbortController();
    const lane = new Outgoing(draining.signal).open('a:1', never());
    fill(lane);
    const ready = lane.ready();
    draining.abort();
    await ready;
    await lane.finished();
  });

  it('are nobody’s any more when their stream is over', () => {
    const outgoing = new Outgoing(never());
    const lane = outgoing.open('a:1', never());
    const message = lane.message(new Uint8Array(1_000));
    lane.close();
    message.written();
    lane.close();
    expect(outgoing.bytes).toBe(0);
    expect(fill(outgoing.open('a:1', never()))).toBeGreaterThan(MESSAGE_BYTES.most);
  });
});
