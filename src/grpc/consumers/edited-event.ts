// ReplayEditedEventRequest: decoded by hand, as pushes are, and made into the push that takes the place of the parked event.

import type { ConsumerKey } from '../../domain/consumers/consumer.js';
import { fieldInvalid, MadeleineError, parkedUnknown } from '../../domain/errors.js';
import { ENVELOPE, ENVELOPE_RULES, type EnvelopeField, isSet, wireName } from '../../domain/events/envelope.js';
import type { EventDraft, LogEntry } from '../../domain/events/event.js';
import { asBuffer } from '../../domain/json/bytes.js';
import { ALL_CONTEXTS } from '../../domain/names.js';
import type { PushCommand } from '../../engine/group/pushes.js';
import { type DecodedEvent, type DraftInProgress, MAX_PARTS, readEvent } from '../events/push-decoder.js';
import { type PushLimits, toPushCommand } from '../events/push-validation.js';
import { Violations } from '../wire/wire.js';
import { WireReader } from '../wire/wire-reader.js';

export interface DecodedEdit {
  context: string;
  consumer: string;
  position: bigint;
  event: DecodedEvent | undefined;
  payloadEncoding: number;
  by: string;
}

/** Decodes a ReplayEditedEventRequest; see `decodePush`. */
export function decodeEdit(bytes: Uint8Array, maxEventBytes: number): DecodedEdit {
  const reader = new WireReader(asBuffer(bytes), { left: MAX_PARTS });
  const edit: DecodedEdit = { context: '', consumer: '', position: 0n, event: undefined, payloadEncoding: 0, by: '' };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) edit.context = reader.string();
    else if (tag === 18) edit.consumer = reader.string();
    else if (tag === 24) edit.position = reader.uint64();
    else if (tag === 34) edit.event = readEvent(reader.message(), maxEventBytes);
    else if (tag === 40) edit.payloadEncoding = reader.uint32();
    else if (tag === 50) edit.by = reader.string();
    else reader.skip(tag);
  }
  return edit;
}

/** What the server says of an edited event. */
const SERVERS_OWN = ['context', 'stream', 'to'] as const satisfies readonly EnvelopeField[];
/** What is not taken over from the parked event: what the server says, who edits it, and each push's own trace. */
const NOT_TAKEN: ReadonlySet<string> = new Set<EnvelopeField>([
  ...SERVERS_OWN,
  ...(['topic', 'issuer', 'causedBy', 'traceparent', 'tracestate'] as const),
]);
const TAKEN = ENVELOPE_RULES.filter(([field]) => !NOT_TAKEN.has(field));

/** The push of an edited event; `parked`: the event that it is made from, if that is still stored. Throws what is wrong with it. */
export function editedCommand(
  { event, position }: Pick<DecodedEdit, 'event' | 'position'>,
  {
    key,
    parked,
    limits,
  }: { readonly key: ConsumerKey; readonly parked: LogEntry | undefined; readonly limits: PushLimits },
): PushCommand {
  if (event === undefined) throw fieldInvalid('event', 'is required');
  assertOurs(event);
  const { draft } = event;
  draft.context = parked?.context ?? (key.context === ALL_CONTEXTS ? '' : key.context);
  // What is deleted is parked no more, and nothing says its topic.
  if (draft.topic === '' && parked === undefined) throw parkedUnknown(Number(position));
  if (draft.topic === '') draft.topic = parked?.topic ?? '';
  draft.to = key.name;
  event.causedBy = parked?.messageId ?? '';
  const push = { event, expectedSequence: undefined, streamEpoch: undefined, waitTimeout: undefined, since: undefined };
  const command = toPushCommand(push, '', limits);
  if (command instanceof MadeleineError) throw command;
  return parked === undefined ? command : { ...command, draft: withUnset(draft, parked) };
}

/** Throws where the event says what the server says of it, or has no payload. */
function assertOurs({ draft, causedBy, description, payload }: DecodedEvent): void {
  const found = new Violations();
  for (const field of SERVERS_OWN) {
    if (isSet(ENVELOPE[field].of(draft))) found.add(`event.${wireName(field)}`, 'has to be empty: the server sets it');
  }
  if (causedBy !== '') found.add('event.caused_by', 'has to be empty: the server sets it');
  if (description !== undefined) found.add('event.description', 'is not for edited events');
  if (payload === undefined) found.add('event.payload', 'is required');
  const error = found.error();
  if (error !== undefined) throw error;
}

/** The draft with what it leaves unset as in the parked event. */
function withUnset(draft: DraftInProgress, parked: LogEntry): EventDraft {
  const own: [string, unknown][] = [];
  const rest: [string, unknown][] = [];
  for (const [field, { of, kept }] of TAKEN) {
    const value = of(parked);
    if (isSet(of(draft)) || !isSet(value)) continue;
    (kept === 'rest' ? rest : own).push([field, value]);
  }
  Object.assign(draft, Object.fromEntries(own));
  if (rest.length > 0) draft.rest = { ...draft.rest, ...Object.fromEntries(rest) };
  return draft;
}
