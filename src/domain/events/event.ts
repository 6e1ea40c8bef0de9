// The event as every layer below the wire sees it. Pure values; how they travel is grpc/, how they are stored is storage/.

import type { EventId, Micros, Position } from '../../units.js';
import type { Description } from '../descriptions/description.js';
import type { Envelope } from './envelope.js';

/** What an entry of the log says about its event; the values are stored. What is AWAITED has no entry: only views of it. */
export const EntryKind = { AWAITED: 0, OCCURRED: 1, INVALIDATED: 2, EXPIRED: 3, TRANSFERRED: 4 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];
/** Kinds that entries have. */
export const ENTRY_KINDS: readonly Exclude<EntryKind, typeof EntryKind.AWAITED>[] = [
  EntryKind.OCCURRED,
  EntryKind.INVALIDATED,
  EntryKind.EXPIRED,
  EntryKind.TRANSFERRED,
];

/** The content of an event: the bytes as they came, or the text of a JSON value. */
export interface Payload {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** An event as it is pushed, validated. */
export interface EventDraft extends Envelope {
  /** The client's UUID in lower case with hyphens; empty: the server mints one. */
  readonly messageId: string;
  /** Undefined: the event is looked for, or awaited, by its description. */
  readonly payload: Payload | undefined;
  readonly description: Description | undefined;
}

/** Who keeps entries in memory for many readers. */
export interface EntryKeeper {
  /** Takes note that an entry of it holds so many bytes more. */
  grew(bytes: number): void;
}

/** An entry of the log. Immutable but for the encoder's memo and what decides whether there is one. */
export interface LogEntry extends Envelope {
  /** 0 in the view of what is awaited. */
  readonly position: Position;
  readonly kind: EntryKind;
  readonly eventId: EventId;
  /** 0 without a stream. */
  readonly sequence: number;
  readonly messageId: string;
  /** The message id's 16 bytes, where it came as such: then the text is made only when somebody asks for it. */
  readonly messageIdBytes?: Uint8Array;
  readonly createdAt: Micros;
  /** Undefined in entries of an invalidation, expiry or transfer. */
  readonly payload: Payload | undefined;
  /** Set while many are going to read it: the newest part of the log. Then its encodings are worth keeping. */
  keeper?: EntryKeeper | undefined;
  /** Memo of entryBytes. */
  restBytes?: number | undefined;
  /** Memo of the wire encoder: the encoded Event, once per payload encoding. The domain gives it no meaning. */
  encodedJson?: Uint8Array | undefined;
  encodedBytes?: Uint8Array | undefined;
}

/** JSON by its media type: empty, application/json or a +json type, parameters aside. */
export function isJsonContentType(contentType: string): boolean {
  if (contentType === '' || contentType === 'application/json') return true;
  const type = (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
  return type === 'application/json' || type.endsWith('+json');
}
