// The envelope of an event: its fields, and one table of what holds for each. Whatever treats fields alike loops over the table;
// by hand stay only the constructor below, the wire's reader and its writer.

import type { EventId, Micros } from '../../units.js';
import { headerProblem, labelProblem, nameProblem, ownContextProblem, textProblem } from '../names.js';

export interface SystemInfo {
  readonly id: string;
  readonly name: string;
  readonly time: Micros | undefined;
  readonly timezone: string;
}

export interface Trigger {
  readonly type: string;
  readonly name: string;
}

/** Members of a push that the server does not search: kept together in one JSON column. */
export interface PushedRest {
  readonly properties?: Readonly<Record<string, string>>;
  readonly system?: SystemInfo;
  readonly trigger?: Trigger;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly causedBy?: string;
  readonly dataSubject?: string;
}

/** What else that column holds is the server's own. */
export interface EnvelopeRest extends PushedRest {
  readonly createdBy?: string;
  /** The description that the event was pushed with, or is or was awaited by: its stored text. */
  readonly description?: string;
  /** Who awaited the event under its own id, in what ended the wait. */
  readonly awaitedBy?: string;
  /** Since when it was awaited. */
  readonly awaitedAt?: Micros;
  /** The other awaited events that the entry ended. Set, though perhaps empty, wherever the entry ended a wait. */
  readonly satisfiedIds?: readonly EventId[];
  /** Why it was invalidated. */
  readonly reason?: string;
  /** The end of the wait, where the event is or was awaited. */
  readonly expiresAt?: Micros;
  /** Views only. Of a satisfied wait: the event that ended it. */
  readonly endedById?: EventId;
  /** Since when its content is erased. */
  readonly erasedAt?: Micros;
  /** SHA-256 of the payload's bytes in hex: of what is erased, and in views that answer it. */
  readonly payloadSha256?: string;
  /** Views only, and invalidations of what had occurred: when it occurred. */
  readonly occurredAt?: Micros;
  /** Views only: when it was invalidated. */
  readonly invalidatedAt?: Micros;
}

/** The members that a push and a stored entry share. An empty string means not set. */
export type Envelope = Readonly<EnvelopeMembers>;

/** An envelope in the making; all that is made from it has its members in one order. */
export class EnvelopeMembers {
  declare context: string;
  declare topic: string;
  declare version: number;
  /** Empty: the event belongs to no stream. */
  declare stream: string;
  declare issuer: string;
  declare sessionId: string;
  declare correlationId: string;
  declare to: string;
  declare replyTo: string;
  /** A Subject, or 0: not set. */
  declare subject: number;
  declare tag: string;
  declare entityType: string;
  declare organization: string;
  declare unit: string;
  /** Undefined when every member is unset. */
  declare rest: EnvelopeRest | undefined;

  // Written out member by member: a spread is several times slower, and this runs for every event.
  constructor(from: Envelope) {
    this.context = from.context;
    this.topic = from.topic;
    this.version = from.version;
    this.stream = from.stream;
    this.issuer = from.issuer;
    this.sessionId = from.sessionId;
    this.correlationId = from.correlationId;
    this.to = from.to;
    this.replyTo = from.replyTo;
    this.subject = from.subject;
    this.tag = from.tag;
    this.entityType = from.entityType;
    this.organization = from.organization;
    this.unit = from.unit;
    this.rest = from.rest;
  }
}

/** An envelope of which nothing is set but what says what the event is and who pushed it. */
export const EMPTY_ENVELOPE: Omit<Envelope, 'context' | 'topic' | 'issuer'> = {
  version: 0,
  stream: '',
  sessionId: '',
  correlationId: '',
  to: '',
  replyTo: '',
  subject: 0,
  tag: '',
  entityType: '',
  organization: '',
  unit: '',
  rest: undefined,
};

/** An envelope of which nothing is set. */
export const BLANK_ENVELOPE: Envelope = { ...EMPTY_ENVELOPE, context: '', topic: '', issuer: '' };

/** What is wrong with a text, or undefined. */
type Problem = (text: string) => string | undefined;

/** What holds for one field. */
export interface FieldRules {
  /** Its value. Functions, as each is then fast at its own field: one look-up by name for all is several times slower. */
  readonly of: (envelope: Envelope) => unknown;
  /** What a text has to be. Other fields are checked where they are read. */
  readonly problem?: Problem;
  /**
   * Where the log keeps it: the number of a name, a column that every row has, a column that most rows leave empty, or the JSON
   * column of the rest.
   */
  readonly kept: { readonly nameId: string } | { readonly column: string } | { readonly sparse: string } | 'rest';
  /**
   * How a retry with another value is told from the same push again: the value has a place in the digest, or, in a field that
   * came after the first release, is named in it where it is set, so that digests of before stay equal. Or why it does not count,
   * and how it did in digests of the first version.
   */
  readonly digest: 'by place' | 'by name' | { readonly leftOut: string; readonly formerly?: 'by place' };
  /** The attribute of a CloudEvent, or how those of its parts begin. */
  readonly cloudEvent: string;
  /** How events are selected by it: by several values, in the criterion that is named, or by a way of its own. */
  readonly filter: { readonly many: string } | 'own' | 'none';
  /** The option of the command line: what it takes, and its help; or none. Those of other fields than texts are made by hand. */
  readonly option: readonly [takes: 'name' | 'text', help: string] | 'own' | 'none';
  /** Refused without a payload: an event that is awaited is pushed by others, who say this of it. */
  readonly needsPayload?: true;
}

/** The fields in the order of their places in the digest and of columns in the log: a new one comes last. */
export const ENVELOPE = {
  context: {
    of: ({ context }) => context,
    problem: (text) => (text === '' ? undefined : ownContextProblem(text)),
    kept: { nameId: 'context_id' },
    digest: 'by place',
    cloudEvent: 'context',
    filter: 'own',
    option: ['name', 'context (default "default")'],
  },
  topic: {
    of: ({ topic }) => topic,
    problem: nameProblem,
    kept: { nameId: 'topic_id' },
    digest: 'by place',
    cloudEvent: 'topic',
    filter: { many: 'topics' },
    option: ['name', 'topic, required without --events'],
  },
  version: {
    of: ({ version }) => version,
    kept: { column: 'version' },
    digest: 'by place',
    cloudEvent: 'topicversion',
    filter: 'none',
    option: 'none',
  },
  stream: {
    of: ({ stream }) => stream,
    problem: labelProblem,
    kept: { nameId: 'stream_id' },
    digest: 'by place',
    cloudEvent: 'stream',
    filter: { many: 'streams' },
    option: ['name', 'stream that the event goes into'],
    needsPayload: true,
  },
  issuer: {
    of: ({ issuer }) => issuer,
    problem: nameProblem,
    kept: { column: 'issuer' },
    digest: 'by place',
    cloudEvent: 'issuer',
    filter: { many: 'issuers' },
    option: ['name', 'who pushes, required without --events'],
  },
  sessionId: {
    of: ({ sessionId }) => sessionId,
    problem: idProblem,
    kept: { sparse: 'session_id' },
    digest: 'by place',
    cloudEvent: 'sessionid',
    filter: { many: 'sessionIds' },
    option: ['text', 'conversation that it belongs to'],
  },
  correlationId: {
    of: ({ correlationId }) => correlationId,
    problem: idProblem,
    kept: { sparse: 'correlation_id' },
    digest: 'by place',
    cloudEvent: 'correlationid',
    filter: { many: 'correlationIds' },
    option: ['text', 'message id of the event that this one answers'],
  },
  to: {
    of: ({ to }) => to,
    problem: labelProblem,
    kept: { sparse: 'recipient' },
    digest: 'by place',
    cloudEvent: 'to',
    filter: { many: 'toNames' },
    option: ['name', 'the only consumer that it is meant for'],
  },
  replyTo: {
    of: ({ replyTo }) => replyTo,
    problem: labelProblem,
    kept: { sparse: 'reply_to' },
    digest: 'by place',
    cloudEvent: 'replyto',
    filter: { many: 'replyToNames' },
    option: ['name', 'consumer that awaits the answer'],
  },
  subject: {
    of: ({ subject }) => subject,
    kept: { column: 'subject' },
    digest: 'by place',
    cloudEvent: 'subject',
    filter: { many: 'subjects' },
    option: 'own',
    needsPayload: true,
  },
  tag: {
    of: ({ tag }) => tag,
    problem: labelProblem,
    kept: { sparse: 'tag' },
    digest: 'by place',
    cloudEvent: 'tag',
    filter: { many: 'tags' },
    option: ['text', 'label of the content'],
  },
  entityType: {
    of: ({ entityType }) => entityType,
    problem: labelProblem,
    kept: { sparse: 'entity_type' },
    digest: 'by place',
    cloudEvent: 'entitytype',
    filter: { many: 'entityTypes' },
    option: ['text', 'class of the entity that it speaks about'],
  },
  organization: {
    of: ({ organization }) => organization,
    problem: labelProblem,
    kept: { sparse: 'organization' },
    digest: 'by place',
    cloudEvent: 'organization',
    filter: { many: 'organizations' },
    option: ['text', 'organization'],
  },
  unit: {
    of: ({ unit }) => unit,
    problem: labelProblem,
    kept: { sparse: 'unit' },
    digest: 'by place',
    cloudEvent: 'unit',
    filter: { many: 'units' },
    option: ['text', 'unit of the organization'],
  },
  properties: {
    of: ({ rest }) => rest?.properties,
    kept: 'rest',
    digest: 'by place',
    cloudEvent: 'properties',
    filter: 'own',
    option: 'own',
    needsPayload: true,
  },
  system: {
    of: ({ rest }) => rest?.system,
    kept: 'rest',
    digest: 'by place',
    cloudEvent: 'system',
    filter: 'none',
    option: 'none',
  },
  trigger: {
    of: ({ rest }) => rest?.trigger,
    kept: 'rest',
    digest: 'by place',
    cloudEvent: 'trigger',
    filter: 'none',
    option: 'none',
  },
  traceparent: {
    of: ({ rest }) => rest?.traceparent,
    problem: (text) => headerProblem(text, 255),
    kept: 'rest',
    digest: { leftOut: 'each attempt is a span of its own', formerly: 'by place' },
    cloudEvent: 'traceparent',
    filter: 'none',
    option: ['text', 'W3C trace context'],
  },
  tracestate: {
    of: ({ rest }) => rest?.tracestate,
    problem: (text) => headerProblem(text, 512),
    kept: 'rest',
    digest: { leftOut: 'each attempt is a span of its own', formerly: 'by place' },
    cloudEvent: 'tracestate',
    filter: 'none',
    option: ['text', 'W3C trace state'],
  },
  causedBy: {
    of: ({ rest }) => rest?.causedBy,
    problem: idProblem,
    kept: 'rest',
    digest: 'by name',
    cloudEvent: 'causedby',
    filter: 'none',
    option: ['text', 'message id of the event that led to this one'],
  },
  dataSubject: {
    of: ({ rest }) => rest?.dataSubject,
    problem: labelProblem,
    kept: 'rest',
    digest: 'by name',
    cloudEvent: 'datasubject',
    // A filter is a setting, with entries of the audit: copies that an erasure would have to find.
    filter: 'none',
    option: ['text', 'whom the event is about: what erasures find it by'],
  },
} as const satisfies Record<Exclude<keyof Envelope, 'rest'> | keyof PushedRest, FieldRules>;

/** An id of a session or a message, whoever gave it. */
function idProblem(text: string): string | undefined {
  return textProblem(text, 64);
}

/** A field of the envelope. */
export type EnvelopeField = keyof typeof ENVELOPE;

/** The fields whose rules are such. */
export type FieldWith<Rules> = {
  [Field in EnvelopeField]: (typeof ENVELOPE)[Field] extends Rules ? Field : never;
}[EnvelopeField];

/** The fields with their rules, in the order of the table. */
export const ENVELOPE_RULES = Object.entries(ENVELOPE) as readonly (readonly [EnvelopeField, FieldRules])[];

/** The fields whose rules are such, in the order of the table. */
export function fieldsWith<Rules>(are: (rules: FieldRules) => boolean): readonly FieldWith<Rules>[] {
  return ENVELOPE_RULES.filter((entry): entry is [FieldWith<Rules>, FieldRules] => are(entry[1])).map(
    ([field]) => field,
  );
}

/** Texts, of the envelope itself and of the rest. */
export const TEXT_FIELDS = fieldsWith<{ problem: Problem }>(({ problem }) => problem !== undefined);
/** Texts among the members of the rest. */
export const REST_TEXT_FIELDS = fieldsWith<{ problem: Problem; kept: 'rest' }>(
  ({ problem, kept }) => problem !== undefined && kept === 'rest',
);
/** Members of the envelope with a column that most rows leave empty. */
export const SPARSE_FIELDS = fieldsWith<{ kept: { sparse: string } }>(
  ({ kept }) => kept !== 'rest' && 'sparse' in kept,
);

/** Texts may be empty and numbers 0: those are not set. */
export function isSet(value: unknown): boolean {
  return value !== undefined && value !== '' && value !== 0;
}

/** The name in the contract of a field, or of another member that is named alike there. */
export function wireName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
