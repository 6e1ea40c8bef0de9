// Reads a line of `push --events`: a NewEvent as protobuf JSON, or an event as `read --json` printed it. What would be stored as
// something else than was written is refused.

import { Event, NewEvent, subjectFromJSON } from '../../../generated/madeleine/v1/event.js';
import { JsonCursor, OPEN_BRACE } from '../../domain/json/json-tokens.js';
import { isWellFormed, parseExactJson } from './exact-json.js';

const MEMBERS: Readonly<Record<string, unknown>> = { ...NewEvent.fromPartial({}) };

/** Lines that were read from a server carry what it gave to an event, too; a push leaves it out. */
const READ_MEMBERS: Readonly<Record<string, unknown>> = { ...Event.fromPartial({}) };

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** Reads a line; throws an Error that says what is wrong with it. A JSON payload is sent as the text that it has in the line. */
export function parseNewEvent(line: string): Partial<NewEvent> {
  const object = parseObject(line);
  for (const [key, value] of Object.entries(object)) assertMember(key, value);
  const event = NewEvent.fromJSON(object);
  const texts = memberTexts(line);
  if (texts.description !== undefined) assertDescription(texts.description);
  if (texts.json !== undefined && event.payload !== undefined) {
    event.payload.body = { $case: 'data', value: Buffer.from(texts.json) };
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

/** Throws for what an event does not have, and for what would be read as something else. */
function assertMember(key: string, value: unknown): void {
  const name = camelCase(key);
  if (!(name in MEMBERS) && !(name in READ_MEMBERS)) throw new Error(`an event has no member "${key}"`);
  if (value === null || value === undefined) return;
  if (name === 'subject' && subjectFromJSON(value) === -1) throw new Error(`there is no subject "${String(value)}"`);
  if (name === 'version' && !Number.isInteger(value)) throw new Error('version is not a whole number');
  if (typeof MEMBERS[name] === 'string') assertText(key, value);
  if (name === 'properties') assertProperties(value);
  if (name === 'payload') assertPayload(value);
}

function assertText(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new Error(`${name} is not a text`);
  if (!isWellFormed(value)) throw new Error(`${name} has half of a surrogate pair, which UTF-8 cannot hold`);
}

function assertProperties(value: unknown): void {
  if (!isObject(value)) throw new Error('properties is not an object');
  for (const [key, text] of Object.entries(value)) {
    assertText('a key of properties', key);
    assertText(`the property "${key}"`, text);
  }
}

function assertPayload(value: unknown): void {
  if (!isObject(value)) throw new Error('payload is not an object');
  const { data, json } = value;
  if (data === undefined) return;
  if (json !== undefined) throw new Error('payload has both json and data');
  if (typeof data !== 'string' || !BASE64.test(data)) throw new Error('payload.data is not base64');
}

function assertDescription(text: string): void {
  try {
    parseExactJson(text);
  } catch (error) {
    throw new Error(`the description ${(error as Error).message}`, { cause: error });
  }
}

/** The texts of the members whose numbers are not to go through doubles. */
function memberTexts(line: string): { readonly description?: string; readonly json?: string } {
  const found: { description?: string; json?: string } = {};
  const cursor = new JsonCursor(Buffer.from(line), 0);
  cursor.members((key) => {
    if (key === 'payload' && cursor.peek() === OPEN_BRACE) {
      cursor.members((inner) => {
        const text = cursor.text();
        if (inner === 'json') found.json = text;
      });
    } else {
      const text = cursor.text();
      if (key === 'description') found.description = text;
    }
  });
  return found;
}

/** Leaves out what is empty, so that flags can fill it in. */
function onlySet(event: NewEvent): Partial<NewEvent> {
  const entries = Object.entries(event).filter(([, value]) => value !== '' && value !== 0 && value !== undefined);
  return Object.fromEntries(entries) as Partial<NewEvent>;
}
