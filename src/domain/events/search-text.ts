// What is looked for in events, and where in an event it stands. A text is itself, never a pattern: letters of ASCII match in either
// case, everything else byte for byte. Ids match as a whole.

import type { EventId } from '../../units.js';
import { asBuffer } from '../json/bytes.js';
import { type EnvelopeField, wireName } from './envelope.js';
import { isJsonContentType, type LogEntry } from './event.js';
import { excerpt } from './excerpt.js';
import { Subject } from './subject.js';

/** A place where the text stands. */
export interface SearchMatch {
  /** The event's field, as the contract has it; a member of it behind a point. */
  readonly field: string;
  readonly excerpt: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NUMBER = /^[1-9]\d{0,15}$/;

/** Fields whose text may have it anywhere. */
const NAMES = ['topic', 'stream', 'issuer', 'to', 'replyTo', 'tag', 'entityType', 'organization', 'unit'] as const;

export class SearchText {
  /** The event that has the text as its id. */
  readonly eventId: EventId | undefined;
  /** The text as a message id; empty: it is none. */
  readonly messageId: string;
  /** Numbers of the subjects whose names have the text. */
  readonly subjects: readonly number[];
  /** The forms that the text has in JSON, and as it is: what clients escape differs. In lower case, as far as ASCII goes. */
  readonly forms: readonly Buffer[];
  /** The forms that it may have in JSON that is a text in JSON. */
  readonly nestedForms: readonly Buffer[];
  readonly #folded: Buffer;

  constructor(readonly text: string) {
    this.eventId = NUMBER.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
    this.messageId = UUID.test(text) ? text.toLowerCase() : '';
    this.#folded = folded(Buffer.from(text));
    this.subjects = Object.entries(Subject)
      .filter(([name]) => this.#placeIn(name) !== undefined)
      .map(([, number]) => number);
    this.forms = formsOf(text);
    this.nestedForms = distinct(this.forms.flatMap((form) => [form.toString(), escaped(form.toString())]));
  }

  /** Where the entry has the text: each of its fields once, ids first, the payload last. */
  matchesOf(entry: LogEntry): readonly SearchMatch[] {
    return [...this.#ids(entry), ...this.#names(entry), ...this.#rest(entry), ...this.#payload(entry)];
  }

  #ids({ eventId, messageId, sessionId, correlationId, rest }: LogEntry): SearchMatch[] {
    const { text } = this;
    const isOf = (field: string, holds: boolean) => (holds ? [{ field, excerpt: text }] : []);
    return [
      ...isOf('id', eventId === this.eventId),
      ...isOf('satisfied_ids', this.eventId !== undefined && rest?.satisfiedIds?.includes(this.eventId) === true),
      ...isOf('message_id', this.messageId !== '' && messageId === this.messageId),
      ...isOf('session_id', sessionId === text),
      ...isOf('correlation_id', correlationId === text),
      ...isOf('caused_by', rest?.causedBy === text),
    ];
  }

  #names(entry: LogEntry): SearchMatch[] {
    const subject = Object.entries(Subject).find(
      ([, number]) => number === entry.subject && this.subjects.includes(number),
    );
    return [
      ...NAMES.flatMap((field) => this.#in(wireName(field satisfies EnvelopeField), entry[field])),
      ...(subject === undefined ? [] : [{ field: 'subject', excerpt: subject[0] }]),
    ];
  }

  #rest({ rest }: LogEntry): SearchMatch[] {
    if (rest === undefined) return [];
    const { properties = {}, system, trigger } = rest;
    return [
      ...this.#in('system.id', system?.id),
      ...this.#in('system.name', system?.name),
      ...this.#in('trigger.type', trigger?.type),
      ...this.#in('trigger.name', trigger?.name),
      ...this.#in('awaited_by', rest.awaitedBy),
      ...this.#in('invalidation_reason', rest.reason),
      ...this.#in('data_subject', rest.dataSubject),
      ...Object.entries(properties).flatMap(([key, value]) => this.#property(key, value)),
      ...this.#among('description', rest.description === undefined ? undefined : Buffer.from(rest.description), true),
    ];
  }

  #property(key: string, value: string): SearchMatch[] {
    const found = this.#in(`properties.${key}`, value);
    const hasKey = found.length === 0 && this.#placeIn(key) !== undefined;
    return hasKey ? [{ field: `properties.${key}`, excerpt: key }] : found;
  }

  #payload({ payload }: LogEntry): SearchMatch[] {
    if (payload === undefined) return [];
    const { bytes, contentType } = payload;
    return this.#among('payload', asBuffer(bytes), isJsonContentType(contentType));
  }

  #in(field: string, text: string | undefined): SearchMatch[] {
    return text === undefined || text === '' ? [] : this.#among(field, Buffer.from(text), false);
  }

  /** The first place in the bytes, in JSON in any of the forms. */
  #among(field: string, bytes: Buffer | undefined, isJson: boolean): SearchMatch[] {
    if (bytes === undefined) return [];
    const text = folded(bytes);
    for (const form of isJson ? this.forms : [this.#folded]) {
      const at = text.indexOf(form);
      if (at !== -1) return [{ field, excerpt: excerpt(bytes, at, at + form.length) }];
    }
    return [];
  }

  #placeIn(text: string): number | undefined {
    const at = folded(Buffer.from(text)).indexOf(this.#folded);
    return at === -1 ? undefined : at;
  }
}

/** The bytes with ASCII's capitals as small letters. */
export function folded(bytes: Buffer): Buffer {
  const small = Buffer.from(bytes);
  for (let at = 0; at < small.length; at += 1) {
    const byte = small[at] as number;
    if (byte >= 0x41 && byte <= 0x5a) small[at] = byte + 0x20;
  }
  return small;
}

/** What encoders write by its number besides what JSON needs: those that write ASCII, those that are careful with HTML, and both. */
const ASCII_ONLY = /[\u0080-\uffff]/g;
const HTML_SAFE = [/[<>&\u2028\u2029]/g, /[<>&'=\u2028\u2029]/g];
const BOTH = /[<>&'+`\u0080-\uffff]/g;

/** The text as it is, and as encoders write it in JSON: each distinct one is looked for, so that most texts have one. */
function formsOf(text: string): readonly Buffer[] {
  const json = escaped(text);
  const ascii = json.replaceAll(ASCII_ONLY, byNumber);
  const html = HTML_SAFE.map((units) => json.replaceAll(units, byNumber));
  const both = json.replaceAll(BOTH, byNumber).replaceAll('\\"', '\\u0022');
  const slashes = [json, ascii].map((form) => form.replaceAll('/', '\\/'));
  return distinct([text, json, ascii, ...html, both, ...slashes]);
}

function byNumber(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function distinct(forms: readonly string[]): readonly Buffer[] {
  return [...new Set(forms)].map((form) => folded(Buffer.from(form)));
}
