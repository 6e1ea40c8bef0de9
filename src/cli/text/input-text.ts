// Bytes that a command is given as text (JSON in lines and files, secrets, arguments): taken as they are, or refused with what they
// are instead. Nothing is replaced in silence.

import { isUtf8 } from 'node:buffer';

/** What some editors put before a text in UTF-8. */
const MARK = Buffer.from('\ufeff');
const WIDE_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];
const CONVERT = 'iconv -f UTF-16 -t UTF-8 converts it';

/** The bytes without a byte order mark before them. */
export function withoutMark(bytes: Buffer): Buffer {
  return startsWith(bytes, MARK) ? bytes.subarray(MARK.byteLength) : bytes;
}

/** Whether a text in UTF-16 begins here. */
export function isWideText(bytes: Buffer): boolean {
  return WIDE_MARKS.some((mark) => startsWith(bytes, mark));
}

/** What keeps bytes from being text in UTF-8, in words that go on after their name; undefined: they are. */
export function textProblem(bytes: Buffer): string | undefined {
  if (isWideText(bytes)) return `is UTF-16, not UTF-8: ${CONVERT}`;
  if (!isUtf8(bytes)) return `is not UTF-8: ${wrongByte(bytes)}`;
  const zero = bytes.indexOf(0);
  return zero < 0 ? undefined : `has a NUL as byte ${zero + 1}; if it is UTF-16: ${CONVERT}`;
}

/** Where bytes stop being UTF-8, such as `byte 7 is 0xfc`. */
function wrongByte(bytes: Buffer): string {
  const read = Buffer.from(bytes.toString('utf8'));
  const at = bytes.findIndex((byte, index) => byte !== read[index]);
  return `byte ${at + 1} is 0x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
}

function startsWith(bytes: Buffer, mark: Buffer): boolean {
  return bytes.subarray(0, mark.byteLength).equals(mark);
}
