// Our maps of the contract's enums against the generated ones.

import { describe, expect, it } from 'vitest';
import { EventStatus, Subject as WireSubject } from '../../../../generated/madeleine/v1/event.js';
import { EntryKind } from '../../../../src/domain/events/event.js';
import { EVENT_STATUS, kindOfStatus } from '../../../../src/domain/events/event-status.js';
import { Subject, subjectName } from '../../../../src/domain/events/subject.js';

describe('the values of enums', () => {
  it('are named and numbered as in the contract: subjects', () => {
    const wire = Object.entries(WireSubject).filter(([, number]) => typeof number === 'number' && number > 0);
    expect(Object.entries(Subject)).toEqual(wire.map(([name, number]) => [name.replace('SUBJECT_', ''), number]));
    expect(Object.values(Subject).map(subjectName)).toEqual(Object.keys(Subject));
    expect(subjectName(0)).toBeUndefined();
  });

  it('are named and numbered as in the contract: statuses', () => {
    const wire = Object.entries(EventStatus).filter(([, number]) => typeof number === 'number' && number > 0);
    const ours = Object.values(EVENT_STATUS).map(({ name, wire: number }) => [`EVENT_STATUS_${name}`, number]);
    expect(ours).toEqual(wire);
    for (const kind of Object.values(EntryKind)) expect(kindOfStatus(EVENT_STATUS[kind].wire)).toBe(kind);
    expect(kindOfStatus(0)).toBeUndefined();
  });
});
