import { describe, expectTypeOf, it } from 'vitest';
import type { EventId, Micros, Millis, Position } from '../../src/units.js';

describe('flavoured numbers', () => {
  it('are made of plain ones, and never of one another', () => {
    expectTypeOf<number>().toExtend<Position>();
    expectTypeOf<number>().toExtend<EventId>();
    expectTypeOf<number>().toExtend<Micros>();
    expectTypeOf<number>().toExtend<Millis>();
    expectTypeOf<Position>().toExtend<number>();
    expectTypeOf<Position>().not.toExtend<EventId>();
    expectTypeOf<EventId>().not.toExtend<Position>();
    expectTypeOf<Micros>().not.toExtend<Millis>();
    expectTypeOf<Millis>().not.toExtend<Micros>();
    expectTypeOf<Position>().not.toExtend<Micros>();
  });

  it('refuse a call with two of them swapped', () => {
    const call = (_position: Position, _eventId: EventId, _at: Micros, _after: Millis) => {};
    const [position, eventId, at, after]: [Position, EventId, Micros, Millis] = [1, 2, 3, 4];
    call(position, eventId, at, after);
    // @ts-expect-error
    call(eventId, position, at, after);
    // @ts-expect-error
    call(position, eventId, after, at);
  });
});
