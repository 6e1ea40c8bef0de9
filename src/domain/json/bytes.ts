// Bytes of payloads and rows.

import { isUtf8 } from 'node:buffer';

/** Views bytes as a Buffer on the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether the bytes are one JSON value in UTF-8 (RFC 8259), as the platform reads it. */
export function isJsonText(bytes: Uint8Array): boolean {
  return jsonValue(bytes) !== undefined;
}

/** The value of the bytes, which are JSON in UTF-8; undefined: they are not. */
export function jsonValue(bytes: Uint8Array): unknown {
  if (!isUtf8(bytes)) return undefined;
  try {
    return JSON.parse(asBuffer(bytes).toString());
  } catch {
    // Whatever the parser has against it, the caller is told the same.
    return undefined;
  }
}
