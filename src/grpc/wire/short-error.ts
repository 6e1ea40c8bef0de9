// What is told of an error, within bounds.

import type { MadeleineError, Violation } from '../../domain/errors.js';

// A status travels in headers, of which many clients take 8 KiB and some hang or break the connection above 64 KiB. Message and
// details are escaped on the way, so that these bounds, in bytes of UTF-8, keep it below the former. They also keep a batch's
// answer, which may be a thousand errors, below the 4 MiB that clients take.
const MAX_MESSAGE_BYTES = 600;
/** Metadata and violations together, but that there is always room for one violation. */
const MAX_DETAILS_BYTES = 2_000;
const MAX_VIOLATION_TEXT_BYTES = 500;
const MAX_METADATA_VALUE_BYTES = 255;

/** An error's texts, cut where they are too long. */
export function shortError(error: MadeleineError) {
  const metadata = firstEntries(error.metadata);
  return {
    message: cut(error.message, MAX_MESSAGE_BYTES),
    violations: firstViolations(error.violations, MAX_DETAILS_BYTES - sizeOf(metadata)),
    metadata: Object.fromEntries(metadata) as Record<string, string>,
  };
}

/** The first entries, as many as fit, with values that are cut if need be. */
function firstEntries(metadata: Readonly<Record<string, string>>): [string, string][] {
  const fit: [string, string][] = [];
  let room = MAX_DETAILS_BYTES;
  for (const [key, value] of Object.entries(metadata)) {
    const entry: [string, string] = [key, cut(value, MAX_METADATA_VALUE_BYTES)];
    room -= sizeOf([entry]);
    if (room < 0) break;
    fit.push(entry);
  }
  return fit;
}

function sizeOf(entries: readonly (readonly [string, string])[]): number {
  return entries.reduce((bytes, [key, value]) => bytes + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
}

/** The first violations, as many as fit; at least one, cut if need be. */
function firstViolations(violations: readonly Violation[], maxBytes: number): Violation[] {
  const fit: Violation[] = [];
  let room = maxBytes;
  for (const violation of violations) {
    const field = cut(violation.field, MAX_VIOLATION_TEXT_BYTES);
    const description = cut(violation.description, MAX_VIOLATION_TEXT_BYTES);
    room -= Buffer.byteLength(field) + Buffer.byteLength(description);
    if (room < 0 && fit.length > 0) break;
    fit.push({ field, description });
  }
  return fit;
}

/** The text, or its beginning and an ellipsis; U+FFFD for half of a surrogate pair, of which a header cannot be made. */
function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text.slice(0, maxBytes + 1));
  if (bytes.length <= maxBytes) return bytes.toString();
  let kept = bytes.subarray(0, maxBytes - 3).toString();
  // What was cut inside of a character decodes to U+FFFD.
  if (kept.endsWith('\ufffd')) kept = kept.slice(0, -1);
  return `${kept}…`;
}
