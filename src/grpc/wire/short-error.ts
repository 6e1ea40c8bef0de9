// What is told of an error, within bounds.

import type { MadeleineError, Violation } from '../../domain/errors.js';

// A status travels in headers, of which many clients take 8 KiB and some hang or break the connection above 64 KiB. Message and
// details are escaped on the way, so that these bounds, in bytes of UTF-8, keep it below the former.
const MAX_MESSAGE_BYTES = 600;
const MAX_VIOLATIONS_BYTES = 2_000;
const MAX_METADATA_VALUE_BYTES = 255;

/** An error's texts, cut where they are too long. */
export function shortError(error: MadeleineError) {
  const metadata = Object.entries(error.metadata).map(([key, value]) => [key, cut(value, MAX_METADATA_VALUE_BYTES)]);
  return {
    message: cut(error.message, MAX_MESSAGE_BYTES),
    violations: firstViolations(error.violations),
    metadata: Object.fromEntries(metadata) as Record<string, string>,
  };
}

/** The first violations, as many as fit; at least one, cut if need be. */
function firstViolations(violations: readonly Violation[]): Violation[] {
  const fit: Violation[] = [];
  let room = MAX_VIOLATIONS_BYTES;
  for (const violation of violations) {
    const field = cut(violation.field, MAX_VIOLATIONS_BYTES / 4);
    const description = cut(violation.description, MAX_VIOLATIONS_BYTES / 4);
    room -= Buffer.byteLength(field) + Buffer.byteLength(description);
    if (room < 0) break;
    fit.push({ field, description });
  }
  return fit;
}

/** The text, or its beginning and an ellipsis. */
function cut(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  let kept = Buffer.from(text.slice(0, maxBytes))
    .subarray(0, maxBytes - 3)
    .toString();
  // What was cut inside of a character decodes to U+FFFD.
  if (kept.endsWith('\ufffd')) kept = kept.slice(0, -1);
  return `${kept}…`;
}
