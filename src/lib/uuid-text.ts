// The text of a UUID, from its bytes and as it is given.

/** Where the groups of digits begin in the text, and the bytes that they are made of. */
const GROUPS = [
  [0, 0, 4],
  [9, 4, 6],
  [14, 6, 8],
  [19, 8, 10],
  [24, 10, 16],
] as const;
const DIGITS = Buffer.from('0123456789abcdef');
const HYPHEN = 0x2d;
export const UUID_TEXT_BYTES = 36;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const scratch = Buffer.alloc(UUID_TEXT_BYTES);

/** Writes the 36 ASCII characters of 16 bytes: lower case, with hyphens. */
export function writeUuidText(target: Uint8Array, at: number, bytes: Uint8Array): void {
  for (const [start, first, end] of GROUPS) {
    let to = at + start;
    if (start > 0) target[to - 1] = HYPHEN;
    for (let index: number = first; index < end; index += 1) {
      const byte = bytes[index] as number;
      target[to++] = DIGITS[byte >>> 4] as number;
      target[to++] = DIGITS[byte & 0x0f] as number;
    }
  }
}

/** Returns one flat text: a joined one would be copied once more by whoever reads it character by character. */
export function uuidText(bytes: Uint8Array): string {
  writeUuidText(scratch, 0, bytes);
  return scratch.toString('latin1');
}

/** Whether the text is a UUID, with hyphens and in any case. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
