// Numbers of JSON by their exact decimal value: one text for each value, made from the text that came in. No double is
// involved, and no number is written out, so 1e999999999 costs what its text costs.

/** Digits of an exponent that a double adds to exactly. */
const SAFE_EXPONENT_DIGITS = 15;
/** Powers of ten from which numbers are written with an exponent, as JavaScript does. */
const MAX_PLAIN_POINT = 21;
const MIN_PLAIN_POINT = -6;

const PLAIN_INTEGER = /^(?:0|-?[1-9]\d{0,20})$/;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?)(\d+))?$/;

/**
 * The one text of a JSON number's value: 1, 1.0 and 10e-1 give "1", -0 gives "0", 9007199254740993 keeps its last digit.
 * The text is JSON, and for what a double holds exactly as it prints, it is what JavaScript prints. Linear in the text.
 */
export function canonicalNumber(text: string): string {
  if (PLAIN_INTEGER.test(text)) return text;
  const match = NUMBER.exec(text);
  if (match === null) return text;
  const [, minus = '', whole = '', fraction = '', sign = '', exponent = ''] = match;
  const all = whole + fraction;
  const first = firstNonZero(all);
  if (first === all.length) return '0';
  const digits = all.slice(first, lastNonZero(all) + 1);
  // The value is 0.digits * 10^point, with point = shift + exponent.
  const shift = whole.length - first;
  const power = exponent.slice(firstNonZero(exponent));
  if (power.length > SAFE_EXPONENT_DIGITS) return minus + scientific(digits, bigExponent(sign, power, shift - 1));
  return minus + written(digits, shift + (sign === '-' ? -Number(power) : Number(power)));
}

// Loops, as /0+$/ takes quadratic time on zeros that something else follows.
function firstNonZero(digits: string): number {
  let at = 0;
  while (at < digits.length && digits.charCodeAt(at) === 48) at++;
  return at;
}

function lastNonZero(digits: string): number {
  let at = digits.length - 1;
  while (digits.charCodeAt(at) === 48) at--;
  return at;
}

function written(digits: string, point: number): string {
  if (point > MAX_PLAIN_POINT || point <= MIN_PLAIN_POINT) {
    return scientific(digits, point > 0 ? `+${point - 1}` : `${point - 1}`);
  }
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  if (digits.length <= point) return digits.padEnd(point, '0');
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

function scientific(digits: string, exponent: string): string {
  return digits.length === 1 ? `${digits}e${exponent}` : `${digits[0]}.${digits.slice(1)}e${exponent}`;
}

/** The sum of an exponent of more than 15 digits and a small number, with its sign. BigInt would take 80 ms for 256 KiB. */
function bigExponent(sign: string, power: string, delta: number): string {
  const cut = power.length - SAFE_EXPONENT_DIGITS;
  const base = 10 ** SAFE_EXPONENT_DIGITS;
  let high = power.slice(0, cut);
  let low = Number(power.slice(cut)) + (sign === '-' ? -delta : delta);
  if (low < 0) {
    high = stepped(high, '0', -1);
    low += base;
  } else if (low >= base) {
    high = stepped(high, '9', 1);
    low -= base;
  }
  const sum = high + String(low).padStart(SAFE_EXPONENT_DIGITS, '0');
  return (sign === '-' ? '-' : '+') + sum.slice(firstNonZero(sum));
}

/** A decimal one up (carrying over nines) or one down (borrowing over zeros); it is not zero. */
function stepped(decimal: string, over: '0' | '9', step: 1 | -1): string {
  let at = decimal.length - 1;
  while (at >= 0 && decimal[at] === over) at--;
  const turned = (over === '9' ? '0' : '9').repeat(decimal.length - 1 - at);
  return at < 0 ? `1${turned}` : decimal.slice(0, at) + String(Number(decimal[at]) + step) + turned;
}
