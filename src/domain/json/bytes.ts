// Bytes of payloads and rows.

import { isUtf8 } from 'node:buffer';

/** Views bytes as a Buffer on the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether the bytes are one JSON value in UTF-8 (RFC 8259), as the platform reads it. */
export function isJsonText(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false;
  try {
    JSON.parse(asBuffer(bytes).toString());
    return true;
  } catch {
    // Whatever the parser has against it, the caller is told the same.
    return false;
  }
}
