// Reads a line of `push --events`: a NewEvent as protobuf JSON, or an event as `read --json` printed it.

import { Event, NewEvent, subjectFromJSON } from '../../../generated/madeleine/v1/event.js';

const MEMBERS = new Set(Object.keys(NewEvent.fromPartial({})));

/** Lines that were read from a server carry what it gave to an event, too; a push leaves it out. */
const READ_MEMBERS = new Set(Object.keys(Event.fromPartial({})));

/** Reads a line; throws an Error that says what is wrong with it. A JSON payload is sent as text; its numbers are doubles. */
export function parseNewEvent(line: string): Partial<NewEvent> {
  const object = parseObject(line);
  const unknown = Object.keys(object).find((key) => !MEMBERS.has(camelCase(key)) && !READ_MEMBERS.has(camelCase(key)));
  if (unknown !== undefined) throw new Error(`an event has no member "${unknown}"`);
  if (object.subject !== undefined && subjectFromJSON(object.subject) === -1) {
    throw new Error(`there is no subject "${String(object.subject)}"`);
  }
  const event = NewEvent.fromJSON(object);
  const { payload } = object;
  if (isObject(payload) && 'json' in payload && event.payload !== undefined) {
    event.payload.body = { $case: 'data', value: Buffer.from(JSON.stringify(payload.json)) };
  }
  return onlySet(event);
}

function parseObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error('the line is not JSON');
  }
  if (!isObject(value)) throw new Error('the line is not a JSON object');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function camelCase(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Leaves out what is empty, so that flags can fill it in. */
function onlySet(event: NewEvent): Partial<NewEvent> {
  const entries = Object.entries(event).filter(([, value]) => value !== '' && value !== 0 && value !== undefined);
  return Object.fromEntries(entries) as Partial<NewEvent>;
}
