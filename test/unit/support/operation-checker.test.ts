// The checker of operation logs finds what it is there for: each history below breaks one promise, and is else a good one.

import { describe, expect, it } from 'vitest';
import { Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import { operationFaults } from '../../support/operations/operation-checker.js';
import {
  type AnswerOperation,
  type AnswerStatus,
  type ConsumerRecord,
  type JudgedSettings,
  type LoggedEvent,
  type MemberCall,
  OperationLog,
} from '../../support/operations/operation-log.js';

const BY_STREAM: JudgedSettings = {
  ordering: Ordering.ORDERING_BY_STREAM,
  ackTimeoutMs: 1_000,
  maxAttempts: 10,
  matches: ({ topic, to }) => topic === 'orders' && to === '',
};
const NONE = { ...BY_STREAM, ordering: Ordering.ORDERING_NONE };

interface DeliveryTerms {
  readonly attempt?: number;
  readonly replay?: boolean;
}

/** A history as it is written down, one thing after the other; a millisecond passes between two, and more if told. */
class Story {
  #now = 0;
  readonly log = new OperationLog(() => this.#now++);
  readonly stored: LoggedEvent[] = [];
  readonly consumer: ConsumerRecord = this.log.consumer('worker');

  constructor(settings: JudgedSettings = BY_STREAM) {
    this.change('create', settings, 0);
  }

  /** Pushes to a stream, one event; its position. */
  push(stream = 's', changes: Partial<LoggedEvent> = {}): number {
    const position = this.stored.length + 1;
    const sequence = stream === '' ? 0 : this.stored.filter((event) => event.stream === stream).length + 1;
    const facts = { messageId: `message ${position}`, context: 'default', topic: 'orders', issuer: 'shop', to: '' };
    const event = { ...facts, stream, position, sequence, ...changes };
    const push = { ...this.log.begin(), event, position };
    this.log.end(push);
    this.log.pushes.push(push);
    this.stored.push(event);
    return position;
  }

  /** A change that is answered; `start`: where a new generation began. */
  change(what: string, settings: JudgedSettings, start?: number): void {
    const span = this.log.begin();
    this.log.end(span);
    const place = start === undefined ? undefined : { least: start, most: start };
    this.consumer.changes.push({ ...span, what, settings, start: place });
  }

  member(name: string, maxInFlight = 100, maxInFlightBytes = 10_000): MemberCall {
    const forever = { ended: Number.POSITIVE_INFINITY, over: Number.POSITIVE_INFINITY };
    const call = { began: this.log.moment(), ...forever, lost: true, repeats: false, maxInFlight, maxInFlightBytes };
    const made: MemberCall = { ...call, kind: 'subscribe', member: name };
    this.consumer.calls.push(made);
    return made;
  }

  /** The member goes. */
  leave(call: MemberCall): void {
    call.ended = this.log.moment();
    call.over = this.log.moment();
  }

  /** A member sees a delivery. */
  deliver(
    call: MemberCall,
    position: number,
    lease: number,
    { attempt = 1, replay = false }: DeliveryTerms = {},
  ): void {
    const event = this.stored[position - 1] as LoggedEvent;
    const at = this.log.moment();
    this.consumer.deliveries.push({ at, call, event, bytes: 100, lease: BigInt(lease), attempt, replay });
  }

  /** Acknowledges; the offset that it is answered with is noted, if one is told. */
  ack(position: number, lease: number, answered: AnswerStatus | 'LOST' = 'ACCEPTED', offset?: number): void {
    this.answer('acknowledge', position, lease, answered, offset);
  }

  /** Answers in any way. */
  answer(
    kind: AnswerOperation['kind'],
    position: number,
    lease: number,
    answered: AnswerStatus | 'LOST' = 'ACCEPTED',
    offset?: number,
  ): void {
    const span = this.log.begin();
    const status = answered === 'LOST' ? undefined : answered;
    const items = [{ position, lease: BigInt(lease), status }];
    const answer: AnswerOperation = { ...span, kind, items, upTo: undefined, passed: 0 };
    if (status !== undefined) this.log.end(answer);
    this.consumer.answers.push(answer);
    if (offset !== undefined) this.consumer.offsets.push({ ...answer, offset, durable: true });
  }

  /** What a question for the consumer told. */
  offset(offset: number): void {
    const span = this.log.begin();
    this.log.end(span);
    this.consumer.offsets.push({ ...span, offset, durable: false });
  }

  /** Pauses the consumer while something happens. */
  pause(work: () => void): void {
    const paused = this.log.begin();
    work();
    this.log.end(paused);
    this.consumer.pauses.push(paused);
  }

  /** A server stops, and its consumers go elsewhere. */
  trouble(): void {
    const span = this.log.begin();
    this.log.end(span);
    this.log.troubles.push(span);
  }

  later(ms: number): void {
    this.#now += ms;
  }

  get faults(): string[] {
    return operationFaults(this.log, this.stored);
  }
}

/** So many events of one stream, and a member. */
function begun(events: number, settings?: JudgedSettings): { story: Story; ada: MemberCall } {
  const story = new Story(settings);
  for (let n = 0; n < events; n += 1) story.push();
  return { story, ada: story.member('ada') };
}

describe('the checker of operation logs', () => {
  it('finds what is delivered in a pause to who came in its middle, and not what was on its way before', () => {
    const { story, ada } = begun(3);
    story.pause(() => story.deliver(ada, 1, 1));
    story.ack(1, 1);
    story.deliver(ada, 2, 2);
    story.ack(2, 2);
    story.deliver(ada, 3, 3);
    story.ack(3, 3);
    expect(story.faults).toEqual([]);
    const { story: broken } = begun(1);
    broken.pause(() => broken.deliver(broken.member('bob'), 1, 1));
    broken.ack(1, 1);
    expect(broken.faults).toEqual([expect.any(String), expect.stringMatching(/ 1 came to bob in a pause /)]);
  });

  it('finds nothing in a good history', () => {
    const { story, ada } = begun(3);
    story.push('');
    story.push('s', { topic: 'payments' });
    for (const position of [1, 2, 3, 4]) story.deliver(ada, position, position);
    story.ack(2, 2, 'ACCEPTED', 0);
    story.ack(2, 2, 'ALREADY', 0);
    story.ack(1, 1, 'ACCEPTED', 2);
    story.later(1_000);
    story.deliver(ada, 3, 5, { attempt: 2 });
    story.ack(3, 3, 'ACCEPTED', 3);
    story.ack(4, 99, 'UNKNOWN', 3);
    story.ack(4, 4, 'ACCEPTED', 5);
    story.change('seek', BY_STREAM, 2);
    story.ack(3, 5, 'STALE');
    story.deliver(ada, 3, 6);
    story.deliver(ada, 4, 7);
    story.ack(3, 6);
    story.ack(4, 7, 'ACCEPTED', 5);
    expect(story.faults).toEqual([]);
  });

  it('knows that what is parked is done, also before where a seek forward went', () => {
    const { story, ada } = begun(2);
    story.deliver(ada, 1, 1);
    story.answer('park', 1, 1);
    story.change('seek', BY_STREAM, 2);
    story.ack(1, 0, 'ALREADY');
    expect(story.faults).toEqual([]);
    story.ack(2, 0, 'ALREADY');
    expect(story.faults).toEqual([expect.any(String), expect.stringMatching(/of 2 with lease 0 is answered ALREADY/)]);
  });

  it('knows that another time-out leaves members what they have', () => {
    const told = (second: (ada: MemberCall, story: Story) => MemberCall) => {
      const { story, ada } = begun(1);
      story.deliver(ada, 1, 1);
      story.change('update ack_timeout', { ...BY_STREAM, ackTimeoutMs: 2_000 });
      story.push();
      story.deliver(second(ada, story), 2, 2);
      story.ack(1, 1);
      story.ack(2, 2);
      return story;
    };
    expect(told((ada) => ada).faults).toEqual([]);
    const { faults } = told((_, own) => own.member('late'));
    expect(faults).toContainEqual(expect.stringMatching(/2 .*came to late while 1 was with ada/));
  });

  it('knows that another ordering takes back what members have', () => {
    const { story, ada } = begun(1);
    story.deliver(ada, 1, 1);
    story.change('update ordering', NONE);
    story.change('update ordering', BY_STREAM);
    story.push();
    story.deliver(ada, 2, 2);
    expect(story.faults).toContainEqual(expect.stringMatching(/2 .*came before 1, of the same stream/));
  });

  it.each<[what: string, tell: () => Story, fault: unknown]>([
    [
      'a push that was answered and is lost',
      () => {
        const story = new Story();
        story.push('');
        story.stored.length = 0;
        return story;
      },
      'message 1, answered at 1, is stored at ',
    ],
    [
      'a push that is stored twice',
      () => {
        const story = new Story({ ...BY_STREAM, matches: () => false });
        story.push('');
        story.stored.push({ ...(story.stored[0] as LoggedEvent), position: 2 });
        return story;
      },
      'message 1 is stored at 1,2',
    ],
    [
      'an event that nobody pushed',
      () => {
        const story = new Story({ ...BY_STREAM, matches: () => false });
        story.push('');
        story.log.pushes.length = 0;
        return story;
      },
      'nobody pushed message 1 at 1',
    ],
    [
      'a hole in a stream',
      () => {
        const story = new Story({ ...BY_STREAM, matches: () => false });
        story.push('s', { sequence: 2 });
        return story;
      },
      's has #2 where #1 was due',
    ],
    [
      'an event that is never delivered',
      () => {
        const { story, ada } = begun(2);
        story.deliver(ada, 1, 1);
        story.ack(1, 1);
        return story;
      },
      'worker: 2 was never acknowledged, nor delivered',
    ],
    [
      'an event that is delivered and left',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        return story;
      },
      'worker: 1 was never acknowledged',
    ],
    [
      'an event of another topic',
      () => {
        const { story, ada } = begun(0);
        story.push('', { topic: 'payments' });
        story.deliver(ada, 1, 1);
        return story;
      },
      'worker: 1 by lease 1 is not for it',
    ],
    [
      'an event that is addressed to somebody else',
      () => {
        const { story, ada } = begun(0);
        story.push('', { to: 'somebody' });
        story.deliver(ada, 1, 1);
        return story;
      },
      'worker: 1 by lease 1 is not for it',
    ],
    [
      'an event that a seek went past',
      () => {
        const { story, ada } = begun(2);
        story.change('seek', BY_STREAM, 1);
        story.push();
        story.deliver(ada, 3, 3);
        story.deliver(ada, 1, 4);
        story.ack(3, 3);
        return story;
      },
      'worker: 1 by lease 4 lies before 1, where it went',
    ],
    [
      'another event than the one that is stored there',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1);
        story.stored[0] = { ...(story.stored[0] as LoggedEvent), messageId: 'another' };
        return story;
      },
      'worker: 1 by lease 1 is message 1, stored is another',
    ],
    [
      'a lease that is used twice',
      () => {
        const { story, ada } = begun(2);
        story.deliver(ada, 1, 7);
        story.deliver(ada, 2, 7);
        story.ack(1, 7);
        story.ack(2, 7);
        return story;
      },
      'worker: lease 7 is of 1 and of 2',
    ],
    [
      'leases that fall',
      () => {
        const { story, ada } = begun(0);
        story.push('');
        story.push('');
        story.deliver(ada, 1, 2);
        story.deliver(ada, 2, 1);
        story.ack(1, 2);
        story.ack(2, 1);
        return story;
      },
      'worker: lease 1 came after 2 to ada',
    ],
    [
      'an acknowledged event that comes again',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1);
        const bob = story.member('bob');
        story.deliver(bob, 1, 2);
        return story;
      },
      expect.stringMatching(/^worker: 1 by lease 2, .* had been acknowledged$/),
    ],
    [
      'an acknowledged event that comes again from another owner',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1);
        story.leave(ada);
        story.trouble();
        story.deliver(story.member('ada'), 1, 2);
        return story;
      },
      expect.stringMatching(/^worker: 1 by lease 2, .* had been acknowledged$/),
    ],
    [
      'an event that is held by somebody',
      () => {
        const { story, ada } = begun(0);
        story.push('');
        const bob = story.member('bob');
        story.deliver(ada, 1, 1);
        story.deliver(bob, 1, 2);
        story.ack(1, 2);
        return story;
      },
      'worker: 1 by lease 2 was held by lease 1',
    ],
    [
      'an attempt too many, as nothing failed',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.leave(ada);
        story.deliver(story.member('bob'), 1, 2, { attempt: 2 });
        story.ack(1, 2);
        return story;
      },
      'worker: 1 by lease 2 is attempt 2, with time for 0 time-outs and 0 rejections',
    ],
    [
      'an attempt that is forgotten',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.later(1_000);
        story.deliver(ada, 1, 2, { attempt: 2 });
        story.later(1_000);
        story.deliver(ada, 1, 3, { attempt: 1 });
        story.ack(1, 3);
        return story;
      },
      'worker: 1 by lease 3 is attempt 1 after 2',
    ],
    [
      'more events in flight than the credit',
      () => {
        const story = new Story();
        for (let n = 0; n < 3; n += 1) story.push('');
        const ada = story.member('ada', 2);
        for (const position of [1, 2, 3]) story.deliver(ada, position, position);
        for (const position of [1, 2, 3]) story.ack(position, position);
        return story;
      },
      'worker: 3 by lease 3 is 3 in flight, of 2',
    ],
    [
      'more bytes in flight than the credit',
      () => {
        const story = new Story();
        for (let n = 0; n < 2; n += 1) story.push('');
        const ada = story.member('ada', 10, 150);
        for (const position of [1, 2]) story.deliver(ada, position, position);
        for (const position of [1, 2]) story.ack(position, position);
        return story;
      },
      'worker: 2 by lease 2 makes 200 bytes in flight, of 150',
    ],
    [
      'a later event of a stream that comes first',
      () => {
        const { story, ada } = begun(2);
        story.deliver(ada, 2, 1);
        story.deliver(ada, 1, 2);
        story.ack(1, 2);
        story.ack(2, 1);
        return story;
      },
      'worker: 2 by lease 1 came before 1, of the same stream',
    ],
    [
      'a stream that two members have',
      () => {
        const { story, ada } = begun(2);
        const bob = story.member('bob');
        story.deliver(ada, 1, 1);
        story.deliver(bob, 2, 2);
        story.ack(1, 1);
        story.ack(2, 2);
        return story;
      },
      'worker: 2 by lease 2 came to bob while 1 was with ada',
    ],
    [
      'a later event that is not delivered again after an earlier one that timed out',
      () => {
        const { story, ada } = begun(3);
        story.deliver(ada, 1, 1);
        story.deliver(ada, 2, 2);
        story.later(1_000);
        story.deliver(ada, 1, 3, { attempt: 2 });
        story.deliver(ada, 3, 4);
        for (const [position, lease] of [
          [1, 3],
          [2, 2],
          [3, 4],
        ] as const)
          story.ack(position, lease);
        return story;
      },
      'worker: 3 by lease 4 came before 2 was delivered again',
    ],
    [
      'an offset past what nobody acknowledged',
      () => {
        const { story, ada } = begun(2);
        for (const position of [1, 2]) story.deliver(ada, position, position);
        story.ack(2, 2, 'ACCEPTED', 2);
        story.ack(1, 1);
        return story;
      },
      'worker: offset 2 is past 1, which nobody had acknowledged',
    ],
    [
      'an offset past an event whose acknowledgement was stale',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.leave(ada);
        const bob = story.member('bob');
        story.deliver(bob, 1, 2);
        story.ack(1, 1, 'STALE');
        story.offset(1);
        story.ack(1, 2);
        return story;
      },
      'worker: offset 1 is past 1, which nobody had acknowledged',
    ],
    [
      'an offset that goes back',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1, 'ACCEPTED', 1);
        story.trouble();
        story.offset(0);
        return story;
      },
      'worker: offset 0 comes after 1',
    ],
    [
      'an acknowledgement that counts twice',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1);
        story.ack(1, 1);
        return story;
      },
      'worker: acknowledge of 1 with lease 1 is answered ACCEPTED, not ALREADY',
    ],
    [
      'a first acknowledgement that is told to be a repeated one',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1, 'ALREADY');
        return story;
      },
      'worker: acknowledge of 1 with lease 1 is answered ALREADY, not ACCEPTED',
    ],
    [
      'a lease that was never given out and counts',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 2);
        story.ack(1, 1);
        return story;
      },
      'worker: acknowledge of 1 with lease 2 is answered ACCEPTED, not UNKNOWN or ALREADY or STALE',
    ],
    [
      'the lease of another event that counts',
      () => {
        const { story, ada } = begun(2);
        for (const position of [1, 2]) story.deliver(ada, position, position);
        story.ack(2, 1);
        for (const position of [1, 2]) story.ack(position, position);
        return story;
      },
      'worker: acknowledge of 2 with lease 1 is answered ACCEPTED, not UNKNOWN or ALREADY or STALE',
    ],
    [
      'a lease of before a seek that counts',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.change('seek', BY_STREAM, 0);
        story.deliver(ada, 1, 2);
        story.ack(1, 1);
        story.ack(1, 2);
        return story;
      },
      'worker: acknowledge of 1 with lease 1 is answered ACCEPTED, not STALE',
    ],
    [
      'a good lease that is told to be stale',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1, 'STALE');
        story.ack(1, 1);
        return story;
      },
      'worker: acknowledge of 1 with lease 1 is answered STALE, not ACCEPTED',
    ],
    [
      'a lease that counts while another member has the event',
      () => {
        const { story, ada } = begun(0, NONE);
        story.push();
        story.deliver(ada, 1, 1);
        story.later(1_000);
        const bob = story.member('bob');
        story.deliver(bob, 1, 2, { attempt: 2 });
        story.ack(1, 1);
        return story;
      },
      'worker: acknowledge of 1 with lease 1 is answered ACCEPTED, not STALE',
    ],
    [
      'an event that was delivered and is unknown without a lease',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 0, 'UNKNOWN');
        story.ack(1, 1);
        return story;
      },
      'worker: acknowledge of 1 with lease 0 is answered UNKNOWN, not ACCEPTED',
    ],
    [
      'an offset past an event that was rejected for a retry',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.answer('retry', 1, 1, 'ACCEPTED', 1);
        story.deliver(ada, 1, 2, { attempt: 2 });
        story.ack(1, 2);
        return story;
      },
      'worker: offset 1 is past 1, which nobody had acknowledged',
    ],
    [
      'a later event that is not delivered again after a rejected one',
      () => {
        const { story, ada } = begun(3);
        story.deliver(ada, 1, 1);
        story.deliver(ada, 2, 2);
        story.answer('retry', 1, 1);
        story.deliver(ada, 1, 3, { attempt: 2 });
        story.deliver(ada, 3, 4);
        story.ack(1, 3);
        story.ack(2, 2);
        story.ack(3, 4);
        return story;
      },
      'worker: 3 by lease 4 came before 2 was delivered again',
    ],
    [
      'a parked event that comes again',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.answer('park', 1, 1, 'ACCEPTED', 1);
        story.deliver(story.member('bob'), 1, 2);
        return story;
      },
      'worker: 1 by lease 2 had been parked',
    ],
    [
      'a parked event that is lost',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.answer('park', 1, 1, 'ACCEPTED', 1);
        story.consumer.parked = 0;
        return story;
      },
      'worker: 0 events are parked, not 1 to 1',
    ],
    [
      'a parked event that nobody parked',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1, 'ACCEPTED', 1);
        story.consumer.parked = 1;
        return story;
      },
      'worker: 1 events are parked, not 0 to 0',
    ],
    [
      'a rejection of a skipped event that counts',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.answer('skip', 1, 1, 'ACCEPTED', 1);
        story.answer('retry', 1, 1);
        return story;
      },
      'worker: retry of 1 with lease 1 is answered ACCEPTED, not ALREADY',
    ],
    [
      'an error that no client should see',
      () => {
        const story = new Story();
        story.log.surprises.push('INTERNAL: internal error');
        return story;
      },
      'INTERNAL: internal error',
    ],
  ])('finds %s', (_, tell, fault) => {
    expect(tell().faults).toContainEqual(fault);
  });

  it.each<[what: string, tell: () => Story]>([
    [
      'events of a stream in any order under NONE',
      () => {
        const { story, ada } = begun(2, NONE);
        const bob = story.member('bob');
        story.deliver(bob, 2, 1);
        story.deliver(ada, 1, 2);
        story.ack(2, 1, 'ACCEPTED', 0);
        story.ack(1, 2, 'ACCEPTED', 2);
        return story;
      },
    ],
    [
      'an event that comes again as its acknowledgement was not answered',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.ack(1, 1, 'LOST');
        story.trouble();
        story.deliver(story.member('bob'), 1, 2);
        story.ack(1, 2, 'ALREADY', 1);
        return story;
      },
    ],
    [
      'an event that comes again as its member is gone, and a late acknowledgement of it',
      () => {
        const { story, ada } = begun(1);
        story.deliver(ada, 1, 1);
        story.leave(ada);
        story.deliver(story.member('bob'), 1, 2);
        story.ack(1, 1, 'STALE', 0);
        story.ack(1, 2, 'ACCEPTED', 1);
        return story;
      },
    ],
    [
      'what a second call of Fetch is given of the first one, whose answer was lost',
      () => {
        const { story, ada } = begun(0);
        story.push('');
        story.push('');
        story.deliver(ada, 2, 2);
        story.ack(2, 2);
        const fetched = { ...story.member('fetcher'), kind: 'fetch' as const };
        story.deliver(fetched, 1, 1);
        story.ack(1, 1, 'ACCEPTED', 2);
        return story;
      },
    ],
    [
      'verdicts: what is tried again, set aside and passed over',
      () => {
        const { story, ada } = begun(4);
        for (const position of [1, 2, 3, 4]) story.deliver(ada, position, position);
        story.answer('retry', 1, 1, 'ACCEPTED', 0);
        story.answer('extend', 4, 4);
        for (const position of [1, 2, 3, 4])
          story.deliver(ada, position, 10 + position, { attempt: position === 1 ? 2 : 1 });
        story.answer('retry', 1, 1, 'ALREADY', 0);
        story.answer('park', 1, 11, 'ACCEPTED', 1);
        story.answer('skip', 2, 12, 'ACCEPTED', 2);
        story.answer('skip', 2, 12, 'ALREADY', 2);
        story.ack(3, 13, 'ACCEPTED', 3);
        story.answer('park', 4, 14, 'ACCEPTED', 4);
        story.ack(4, 14, 'ACCEPTED', 4);
        story.consumer.parked = 1;
        return story;
      },
    ],
    [
      'what other settings select, or pass over',
      () => {
        const { story, ada } = begun(1);
        story.push('', { topic: 'payments' });
        story.deliver(ada, 1, 1);
        story.change('update', { ...BY_STREAM, matches: ({ topic }) => topic === 'payments' }, 0);
        story.deliver(ada, 2, 2);
        story.ack(2, 2, 'ACCEPTED', 2);
        return story;
      },
    ],
  ])('takes %s', (_, tell) => {
    expect(tell().faults).toEqual([]);
  });
});
