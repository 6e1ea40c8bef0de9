// Ranges of names by how they begin.

/** The least bytes above all that begin with the text: UTF-8 has no byte 0xff, so the last one can be raised. */
export function afterPrefix(text: string): Buffer {
  const bytes = Buffer.from(text);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 1;
  return bytes;
}
