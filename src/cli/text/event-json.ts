// Messages as text: protobuf JSON (camelCase, uint64 as strings, times with microseconds), and an event as one line for
// people. JSON payloads keep their own text, so that numbers beyond a double stay exact.

import type { Delivery, ParkedEvent } from '../../../generated/madeleine/v1/consumer_service.js';
import {
  Delivery as DeliveryMessage,
  ParkedEvent as ParkedEventMessage,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { Event, Payload } from '../../../generated/madeleine/v1/event.js';
import { Event as EventMessage, EventStatus } from '../../../generated/madeleine/v1/event.js';
import type { EventConsumers } from '../../../generated/madeleine/v1/event_service.js';
import { EventConsumers as EventConsumersMessage } from '../../../generated/madeleine/v1/event_service.js';
import { isJsonContentType } from '../../domain/events/event.js';
import { enumText } from './enum-text.js';
import { type Column, cut, printable, type View } from './output.js';
import { durationText, type Seconds, timestampText } from './time-text.js';

interface MessageType<T> {
  toJSON(message: T): unknown;
}

/** A message as protobuf JSON on one line. The generated toJSON cuts times to milliseconds; here they are whole. */
export function messageJson<T extends object>(type: MessageType<T>, message: T): string {
  return JSON.stringify(messageObject(type, message));
}

/** How messages of a type read in these columns. */
export function messageView<T extends object>(type: MessageType<T>, columns: readonly Column<T>[]): View<T> {
  return { columns, json: (message) => messageJson(type, message) };
}

function messageObject<T extends object>(type: MessageType<T>, message: T): Record<string, unknown> {
  const json = type.toJSON(message) as Record<string, unknown>;
  mendTimes(message as Record<string, unknown>, json);
  return json;
}

function mendTimes(message: Record<string, unknown>, json: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(message)) {
    const mended = mendValue(value, json[key]);
    if (mended !== undefined) json[key] = mended;
    else if (isOneof(value)) {
      const inner = mendValue(value.value, json[value.$case]);
      if (inner !== undefined) json[value.$case] = inner;
    }
  }
}

/** The text that replaces a time or duration; undefined for anything else, whose own times are mended in place. */
function mendValue(value: unknown, json: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || json === undefined) return undefined;
  if (isSeconds(value)) return typeof json === 'string' ? timestampText(value) : durationText(value);
  if (Array.isArray(value) && Array.isArray(json)) {
    for (const [index, item] of value.entries()) mendValue(item, json[index]);
  } else if (typeof json === 'object' && json !== null) {
    mendTimes(value as Record<string, unknown>, json as Record<string, unknown>);
  }
  return undefined;
}

function isSeconds(value: object): value is Seconds {
  return 'seconds' in value && typeof value.seconds === 'bigint' && 'nanos' in value;
}

function isOneof(value: unknown): value is { $case: string; value: unknown } {
  return typeof value === 'object' && value !== null && '$case' in value;
}

/** An event as protobuf JSON on one line; its payload comes last, a JSON payload as the text that was pushed. */
export function eventJson(event: Event): string {
  const json = JSON.stringify(messageObject(EventMessage, { ...event, payload: undefined }));
  return event.payload === undefined ? json : withMember(json, 'payload', payloadJson(event.payload));
}

/** A delivery as protobuf JSON on one line. */
export function deliveryJson(delivery: Delivery): string {
  const json = JSON.stringify(messageObject(DeliveryMessage, { ...delivery, event: undefined }));
  return delivery.event === undefined ? json : withMember(json, 'event', eventJson(delivery.event));
}

/** A parked event as protobuf JSON on one line. */
export function parkedJson(parked: ParkedEvent): string {
  const json = JSON.stringify(messageObject(ParkedEventMessage, { ...parked, event: undefined }));
  return parked.event === undefined ? json : withMember(json, 'event', eventJson(parked.event));
}

/** An event of a list, and the consumers that have passed it; undefined: they were not asked for. */
export interface PassedEvent {
  readonly event: Event;
  readonly passedBy: EventConsumers | undefined;
}

/** An event as protobuf JSON on one line, with the consumers that have passed it. */
export function passedEventJson({ event, passedBy }: PassedEvent): string {
  const json = eventJson(event);
  return passedBy === undefined ? json : withMember(json, 'passedBy', messageJson(EventConsumersMessage, passedBy));
}

function withMember(json: string, key: string, value: string): string {
  return `${json.slice(0, -1)}${json === '{}' ? '' : ','}"${key}":${value}}`;
}

function payloadJson(payload: Payload): string {
  const contentType = payload.contentType === '' ? '' : `"contentType":${JSON.stringify(payload.contentType)}`;
  const text = jsonText(payload);
  const data = payload.body?.$case === 'data' ? payload.body.value : new Uint8Array();
  const body = text === undefined ? `"data":"${Buffer.from(data).toString('base64')}"` : `"json":${text}`;
  return `{${contentType === '' ? body : `${contentType},${body}`}}`;
}

/** The text of a JSON payload on one line, or undefined if it is not JSON. */
function jsonText(payload: Payload): string | undefined {
  if (payload.body?.$case === 'json') return JSON.stringify(payload.body.value);
  if (!isJsonContentType(payload.contentType) || payload.body === undefined) return undefined;
  // Line ends stand between tokens only: inside of JSON strings they are escaped.
  return Buffer.from(payload.body.value)
    .toString('utf8')
    .replace(/[\r\n]+/g, ' ')
    .trim();
}

/** An event as one line for people: position, id, time, topic, stream and sequence, issuer, payload or how it ended. */
export function eventLine(event: Event, columns?: number): string {
  const cells = [
    String(event.position).padStart(6),
    `event ${event.id}`,
    timestampText(event.createdAt),
    event.topic,
    event.stream === '' ? '-' : `${event.stream}#${event.sequence}`,
    event.issuer,
    event.payload === undefined ? endText(event) : payloadText(event.payload),
  ];
  return cut(printable(cells.join('  ')), columns);
}

/** A delivery as one line for people: the event's line after its lease and attempt. */
export function deliveryLine(delivery: Delivery, columns?: number): string {
  const { event, lease, attempt } = delivery;
  const line = event === undefined ? '' : eventLine(event);
  return cut(`lease ${lease}  attempt ${attempt}${delivery.replay ? '  replay' : ''}  ${line}`, columns);
}

/** A status for people: `occurred`, `expired` and so on. */
export function statusText(status: EventStatus): string {
  return enumText(EventStatus, 'EVENT_STATUS_', status);
}

/** What an entry without a payload says: `invalidated event 7: a mistake`, or `transferred from shop to web, epoch 2`. */
function endText({ status, id, invalidationReason, description, properties, erasedAt }: Event): string {
  if (status === EventStatus.EVENT_STATUS_OCCURRED) return erasedAt === undefined ? '' : 'erased';
  if (status === EventStatus.EVENT_STATUS_TRANSFERRED) {
    const { former_owner: from, owner, epoch } = properties;
    return `${statusText(status)} from ${from} to ${owner}, epoch ${epoch}`;
  }
  const more = invalidationReason || (description === undefined ? '' : JSON.stringify(description));
  return `${statusText(status)} event ${id}${more === '' ? '' : `: ${more}`}`;
}

/** A payload for people: its text, or how much it is. */
export function payloadText(payload: Payload): string {
  const text = jsonText(payload);
  if (text !== undefined) return text;
  const data = payload.body?.$case === 'data' ? payload.body.value : new Uint8Array();
  if (payload.contentType.startsWith('text/')) return Buffer.from(data).toString('utf8');
  return `(${data.byteLength} bytes of ${payload.contentType})`;
}
