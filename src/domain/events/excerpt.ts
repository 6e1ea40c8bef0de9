// The part of a text around a place in it, for people: whole code points on one line.

/** Bytes of text that are shown before and after what was found. */
const AROUND_BYTES = 60;
const ELLIPSIS = '…';
/** What shows nothing, or steers a terminal; U+FFFD stands where bytes are no UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNREADABLE = /[\u0000-\u0008\u000e-\u001f\u007f-\u009f\ufffd]/;

/**
 * The text around the bytes from `start` to `end`, which are UTF-8: as far as it is text, at most 60 bytes before and after them.
 * White space is one space; a mark stands where it was cut.
 */
export function excerpt(bytes: Buffer, start: number, end: number): string {
  const before = readable(bytes.subarray(from(bytes, start - AROUND_BYTES), start), 'end');
  const after = readable(bytes.subarray(end, from(bytes, end + AROUND_BYTES)), 'start');
  const text = `${before.text}${bytes.toString('utf8', start, end)}${after.text}`.replaceAll(/\s+/g, ' ');
  const isCut = {
    before: before.isCut || start > AROUND_BYTES,
    after: after.isCut || end + AROUND_BYTES < bytes.length,
  };
  return `${isCut.before ? ELLIPSIS : ''}${text}${isCut.after ? ELLIPSIS : ''}`;
}

/** The place, or the end of the code point that it is within. */
function from(bytes: Buffer, at: number): number {
  let place = Math.min(Math.max(at, 0), bytes.length);
  while (place < bytes.length && ((bytes[place] as number) & 0xc0) === 0x80) place += 1;
  return place;
}

/** The part of the bytes that can be read, next to one end of them. */
function readable(bytes: Buffer, side: 'start' | 'end'): { readonly text: string; readonly isCut: boolean } {
  const parts = bytes.toString('utf8').split(UNREADABLE);
  return { text: (side === 'start' ? parts[0] : parts.at(-1)) ?? '', isCut: parts.length > 1 };
}
