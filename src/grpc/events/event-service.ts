// EventService: checks requests, lets the engine do the work, frames the answers. Hot calls work on bytes (codecs below).

import type { CallContext } from 'nice-grpc';
import type {
  EraseEventsRequest,
  EraseEventsResponse,
  GetEventRequest,
  InvalidateEventRequest,
  ListEventsRequest,
  PeekEventRequest,
  ReadEventsRequest,
  WatchEventsRequest,
} from '../../../generated/madeleine/v1/event_service.js';
import { withPayloadSha256 } from '../../domain/erasure/erased-entry.js';
import { drainingError, eventUnknown, fieldInvalid, MadeleineError, messageUnknown } from '../../domain/errors.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { PassedConsumers } from '../../engine/consumers/passed/passed-consumers.js';
import type { Erasing } from '../../engine/group/erasing.js';
import type { GroupCommit } from '../../engine/group/group-commit.js';
import type { Invalidations } from '../../engine/group/invalidations.js';
import type { PayloadChecks } from '../../engine/group/payload-checks.js';
import type { Prepared, PushCommand, PushEffect, PushedEvent, Pushes } from '../../engine/group/pushes.js';
import type { EphemeralTopics } from '../../engine/log/ephemeral-topics.js';
import type { EventQueries } from '../../engine/log/event-queries.js';
import { type LogSource, selectionOf } from '../../engine/log/log-source.js';
import { namedPosition } from '../../engine/log/named-position.js';
import { readEvents, watchEvents } from '../../engine/log/read-and-watch.js';
import type { Callers } from '../../lib/callers.js';
import { CODED_BYTE, type LoopSlices } from '../../lib/loop-slices.js';
import type { LoopTurns } from '../../lib/loop-turns.js';
import type { Paced } from '../../lib/paced.js';
import type { Position } from '../../units.js';
import { encoded, type MethodCodec, outgoing } from '../wire/definitions.js';
import { decodeListEvents, decodeReadEvents, decodeWatchEvents } from '../wire/filter-decoders.js';
import { filterToWire } from '../wire/filter-wire.js';
import type { Outgoing, OutgoingLane, OutgoingMessage } from '../wire/outgoing.js';
import type { PayloadForm } from '../wire/payload-form.js';
import {
  callerOf,
  MAX_REASON_BYTES,
  messageIdField,
  oneName,
  payloadForm,
  readContext,
  sizeField,
  textField,
} from '../wire/wire.js';
import { erasureOf, erasureToWire } from './erasure-wire.js';
import type { EventFrames } from './event-frames.js';
import { EventListing } from './event-listing.js';
import { readCriteria, readNewsFrame, readOpenedFrame, watchCriteria, watchNewsFrame } from './event-wire.js';
import { type DecodedPush, decodePush, type EncodedBatch, splitBatch, splitPushes } from './push-decoder.js';
import { PushReader, type ReadPush } from './push-reader.js';
import { pipelined, type Started } from './push-stream.js';
import type { PushLimits } from './push-validation.js';
import { readingSpan } from './reading-span.js';

/** The codecs of the service's calls. What is pushed is decoded up to the limits. */
export function eventCodecs({ maxEventBytes }: PushLimits): Readonly<Record<string, MethodCodec>> {
  return {
    pushEvent: { decode: (bytes) => decodePush(bytes, maxEventBytes), ...encoded },
    pushEvents: { decode: splitPushes, ...encoded },
    pushEventStream: { decode: splitBatch, ...outgoing },
    getEvent: encoded,
    invalidateEvent: encoded,
    listEvents: { decode: decodeListEvents, ...encoded },
    peekEvent: encoded,
    readEvents: { decode: decodeReadEvents, ...outgoing },
    watchEvents: { decode: decodeWatchEvents, ...outgoing },
  };
}

export interface EventServiceOptions {
  readonly pushes: Pushes;
  readonly groupCommit: GroupCommit;
  readonly queries: EventQueries;
  readonly invalidations: Invalidations;
  readonly erasing: Erasing;
  readonly source: LogSource;
  readonly frames: EventFrames;
  readonly outgoing: Outgoing;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
  readonly turns: LoopTurns;
  readonly paced: Paced;
  readonly ephemeral: EphemeralTopics;
  readonly callers: Callers;
  readonly checks: PayloadChecks;
  readonly limits: PushLimits;
  readonly passed: PassedConsumers;
  /** Aborts when the server drains: streams then say good-bye. */
  readonly draining: AbortSignal;
}

export class EventService {
  readonly #options: EventServiceOptions;
  readonly #listing: EventListing;
  readonly #reader: PushReader;

  constructor(options: EventServiceOptions) {
    const { slices, limits, callers, checks } = options;
    this.#options = options;
    this.#listing = new EventListing(options);
    this.#reader = new PushReader({ slices, limits, callers, checks });
  }

  async pushEvent(request: DecodedPush, { signal, peer }: CallContext): Promise<Uint8Array> {
    const command = this.#reader.commandOf(request, '');
    if (command instanceof MadeleineError) throw this.#noted(command);
    const [result] = await this.#options.pushes.push([command], true, { signal, caller: callerOf(peer) });
    const { entry, effect } = stored(result as PushedEvent);
    return this.#options.frames.pushed(entry, effect, armOf(request));
  }

  async pushEvents(encodedPushes: readonly Buffer[], { signal, peer }: CallContext): Promise<Uint8Array> {
    assertNotEmpty(encodedPushes);
    const caller = callerOf(peer);
    const reads = await this.#reader.read(encodedPushes, caller, signal);
    const commands = reads.map(({ command }) => {
      if (command instanceof MadeleineError) throw this.#noted(command);
      return command;
    });
    assertDistinctMessageIds(commands);
    const results = await this.#options.pushes.push(commands, true, { signal, caller });
    const refused = results.find((result) => result.kind === 'refused');
    if (refused !== undefined) throw located(refused.error, refused.fault);
    const answered = results.map((result, index) => ({
      ...stored(result),
      form: armOf((reads[index] as ReadPush).push),
    }));
    await this.#encodeAhead(answered, caller);
    return this.#options.frames.pushedAll(answered);
  }

  async *pushEventStream(
    requests: AsyncIterable<EncodedBatch>,
    { signal, peer }: CallContext,
  ): AsyncGenerator<OutgoingMessage> {
    const { draining } = this.#options;
    const caller = callerOf(peer);
    const lane = this.#options.outgoing.open(peer, signal);
    const start = async (batch: EncodedBatch): Promise<Started<Uint8Array>> => {
      if (draining.aborted) throw drainingError();
      assertNotEmpty(batch.pushes);
      await this.#options.groupCommit.whenRoom(signal, caller);
      const checked = this.#checked(batch, await this.#reader.read(batch.pushes, caller, signal));
      // What a description needs is made before the next batch begins: batches commit in their order.
      const prepared = await this.#options.pushes.prepare(checked.valid, { signal, caller });
      return { answer: this.#pushBatch(batch, checked, { prepared, caller }), size: batch.pushes.length };
    };
    try {
      for await (const answer of pipelined(requests, start, { cancelled: signal, draining })) {
        yield lane.message(answer);
        await lane.ready();
      }
      await lane.finished();
    } finally {
      lane.close();
    }
  }

  async getEvent(request: GetEventRequest): Promise<Uint8Array> {
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    return this.#options.frames.event(withPayloadSha256(await this.#findEvent(request)), form);
  }

  async eraseEvents(request: EraseEventsRequest, { signal, peer }: CallContext): Promise<EraseEventsResponse> {
    const { erasing } = this.#options;
    const { target, call } = erasureOf(request);
    const report = request.dryRun
      ? { events: 0, remaining: await erasing.count(target), erasedAt: undefined }
      : await erasing.erase(target, call, { signal, caller: callerOf(peer) });
    return erasureToWire(report, await erasing.archives(target));
  }

  async invalidateEvent(request: InvalidateEventRequest, { signal, peer }: CallContext): Promise<Uint8Array> {
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    if (request.id === 0n) throw fieldInvalid('id', 'is required');
    const reason = textField('reason', request.reason, MAX_REASON_BYTES);
    const by = { signal, caller: callerOf(peer) };
    return this.#options.frames.event(await this.#options.invalidations.invalidate(request.id, reason, by), form);
  }

  listEvents(request: ListEventsRequest, { signal, peer }: CallContext): Promise<Uint8Array> {
    return this.#listing.list(request, signal, callerOf(peer));
  }

  async peekEvent(request: PeekEventRequest, { signal, peer }: CallContext): Promise<Uint8Array> {
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const context = readContext('context', request.context);
    const topics = oneName('topic', request.topic);
    const criteria = { context, ...(topics.length === 0 ? {} : { topics }) };
    const after = await this.#afterPosition(request, signal);
    return this.#options.frames.peeked(await this.#options.queries.next(criteria, after, callerOf(peer)), form);
  }

  async *readEvents(request: ReadEventsRequest, { signal, peer }: CallContext): AsyncGenerator<OutgoingMessage> {
    const { source, draining, turns, paced, ephemeral } = this.#options;
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const { filter, follow } = request;
    const criteria = readCriteria(request);
    const batchSize = sizeField('batch_size', request.batchSize, { default: 256, max: 1_000 });
    const span = await readingSpan(source, request, criteria, signal);
    const lane = this.#options.outgoing.open(peer, signal);
    const options = { ...span, follow, batchSize, recipient: lane, turns, paced, ephemeral };
    try {
      if (filter !== undefined) yield lane.message(readOpenedFrame(criteria, filter, source.epoch));
      for await (const frame of readEvents(source, selectionOf(criteria), options, { cancelled: signal, draining })) {
        if (frame.kind === 'events') yield* this.#sent(frame.entries, form, lane);
        else yield lane.message(readNewsFrame(frame));
        if (frame.kind === 'going_away') throw drainingError();
      }
      await lane.finished();
    } finally {
      lane.close();
    }
  }

  async *watchEvents(request: WatchEventsRequest, { signal, peer }: CallContext): AsyncGenerator<OutgoingMessage> {
    const { source, draining, turns, paced } = this.#options;
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const criteria = watchCriteria(request);
    let echo = request.filter && filterToWire(criteria);
    const lane = this.#options.outgoing.open(peer, signal);
    const options = { recipient: lane, turns, paced };
    try {
      for await (const frame of watchEvents(source, selectionOf(criteria), options, { cancelled: signal, draining })) {
        if (frame.kind === 'events') yield* this.#sent(frame.entries, form, lane);
        else yield lane.message(watchNewsFrame(frame, echo));
        // With the first frame, which is news.
        echo = undefined;
        if (frame.kind === 'going_away') throw drainingError();
      }
    } finally {
      lane.close();
    }
  }

  /** The messages of one frame: more than one where its events take more bytes encoded than stored. */
  async *#sent(entries: readonly LogEntry[], form: PayloadForm, lane: OutgoingLane): AsyncGenerator<OutgoingMessage> {
    const { frames } = this.#options;
    const [first = [], ...others] = frames.parts(entries, form);
    yield lane.message(frames.events(first, form));
    for (const part of others) {
      await lane.ready();
      yield lane.message(frames.events(part, form));
    }
  }

  /** Takes note of a push that is refused before it is one. */
  #noted(error: MadeleineError): MadeleineError {
    this.#options.pushes.refused(error);
    return error;
  }

  /** Encodes events of a large answer in slices of the event loop, while others push: the answer is then made of what is there. */
  async #encodeAhead(answered: readonly Answered[], caller: string): Promise<void> {
    const { frames, slices, callers } = this.#options;
    if (answered.length <= 1 || !callers.areMany) return;
    const look = ({ entry, form }: Answered) => frames.encoded(entry, form).byteLength >= 0;
    const bytesOf = ({ entry }: Answered) => CODED_BYTE * entryBytes(entry);
    await slices.each(caller, { items: answered, bytesOf, look });
  }

  async #pushBatch(batch: EncodedBatch, checked: CheckedBatch, prepared: PreparedBatch): Promise<Uint8Array> {
    const results = await this.#batchResults(batch, checked, prepared);
    const minted = (index: number) => checked.isMinted[index] === true;
    return this.#options.frames.batch(batch.batchId, results, minted);
  }

  /** The commands of a batch, and those that are to be pushed: none of an atomic batch with a fault. */
  #checked({ atomic }: EncodedBatch, reads: readonly ReadPush[]): CheckedBatch {
    const commands = reads.map(({ command }) => (command instanceof MadeleineError ? this.#noted(command) : command));
    const valid = commands.filter((command): command is PushCommand => !(command instanceof MadeleineError));
    const isMinted = reads.map(({ push }) => push.event?.draft.messageId === '');
    return { commands, isMinted, valid: atomic && valid.length < commands.length ? [] : valid };
  }

  /** The results of a batch; what is wrong with an event is its result, what is wrong with the database is thrown. */
  async #batchResults(
    { atomic }: EncodedBatch,
    { commands, valid }: CheckedBatch,
    { prepared, caller }: PreparedBatch,
  ): Promise<readonly PushedEvent[]> {
    const fault = commands.findIndex((command) => command instanceof MadeleineError);
    if (fault !== -1 && atomic) {
      const blamed = refusal(commands[fault] as MadeleineError, fault);
      return commands.map((command, index) => (command instanceof MadeleineError ? refusal(command, index) : blamed));
    }
    // Not tied to the call: what was read from the stream is committed even if the client goes away meanwhile.
    const pushed = valid.length === 0 ? [] : await this.#options.pushes.pushPrepared(prepared, atomic, { caller });
    let next = 0;
    return commands.map((command, index) =>
      command instanceof MadeleineError
        ? refusal(command, index)
        : locatedResult(pushed[next++] as PushedEvent, index, atomic),
    );
  }

  async #findEvent({ key, context: asked }: GetEventRequest): Promise<LogEntry> {
    const { queries } = this.#options;
    if (key === undefined) throw fieldInvalid('id', 'or message_id is required');
    if (key.$case === 'id') {
      const entry = await queries.byId(key.value);
      if (entry === undefined) throw eventUnknown(key.value);
      return entry;
    }
    const messageId = messageIdField('message_id', key.value);
    const context = readContext('context', asked);
    const entry = await queries.byMessageId(context, messageId);
    if (entry === undefined) throw messageUnknown(context, messageId);
    return entry;
  }

  #afterPosition({ afterPosition: position }: { afterPosition: bigint }, signal: AbortSignal): Promise<Position> {
    return namedPosition(this.#options.source, { field: 'after_position', position }, signal);
  }
}

/** A batch after its fields were looked at. */
interface CheckedBatch {
  readonly commands: readonly (PushCommand | MadeleineError)[];
  /** Whether the server minted the message id of the event at the index. */
  readonly isMinted: readonly boolean[];
  readonly valid: readonly PushCommand[];
}

/** A stored event of an answer, and how its payload goes back. */
interface Answered {
  readonly entry: LogEntry;
  readonly effect: PushEffect;
  readonly form: PayloadForm;
}

/** What of a batch may be pushed, and by whom. */
interface PreparedBatch {
  readonly prepared: readonly Prepared[];
  readonly caller: string;
}

/** Returns the arm that a JSON payload came in, in which it goes back; one that was looked for comes as readers get it. */
function armOf(push: DecodedPush): PayloadForm {
  const payload = push.event?.payload;
  return payload === undefined || payload.isJsonArm ? 'json' : 'bytes';
}

function stored(result: PushedEvent): { entry: LogEntry; effect: PushEffect } {
  if (result.kind === 'refused') throw result.error;
  return result;
}

function assertNotEmpty(pushes: readonly Buffer[]): void {
  if (pushes.length === 0) throw fieldInvalid('events', 'is required');
}

function assertDistinctMessageIds(commands: readonly PushCommand[]): void {
  const seen = new Map<string, number>();
  commands.forEach(({ draft }, index) => {
    if (draft.messageId === '') return;
    const key = `${draft.context}\u0000${draft.messageId}`;
    const first = seen.get(key);
    if (first !== undefined) throw fieldInvalid(`events[${index}].event.message_id`, `is that of events[${first}] too`);
    seen.set(key, index);
  });
}

/** The error of one event of a call, its fields led by the event's place. */
function located(error: MadeleineError, index: number): MadeleineError {
  return new MadeleineError(error.reason, `events[${index}]: ${error.message}`, {
    violations: error.violations.map(({ field, description }) => ({ field: `events[${index}].${field}`, description })),
    metadata: { ...error.metadata, index: String(index) },
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  });
}

/** The result of the batch's event at the index; only in an atomic batch, sent whole, may another one be to blame. */
function locatedResult(result: PushedEvent, index: number, atomic: boolean): PushedEvent {
  if (result.kind !== 'refused') return result;
  const fault = atomic ? result.fault : index;
  return refusal(located(result.error, fault), fault);
}

function refusal(error: MadeleineError, fault: number): PushedEvent {
  return { kind: 'refused', error, fault };
}
