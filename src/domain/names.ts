// What a name may be: contexts, topics, streams, issuers, consumers, members and addressees. Names are compared byte by
// byte and never normalised.

/** The context that an empty one means. */
export const DEFAULT_CONTEXT = 'default';
/** Reserved: in reads and consumers it means every context. */
export const ALL_CONTEXTS = 'all';

/** The topics whose names begin so are the server's own: it alone pushes to them, and who wants their events has to name them. */
export const RESERVED_TOPICS_PREFIX = 'madeleine.';

/** Who issues the events of the server's own topics. */
export const SERVER_ISSUER = 'madeleine';

const RESERVED_FIRST = RESERVED_TOPICS_PREFIX.charCodeAt(0);

/** Whether a topic is one of the server's own. Asked of each entry by each reader: most topics begin with another letter. */
export function isReservedTopic(topic: string): boolean {
  return topic.charCodeAt(0) === RESERVED_FIRST && topic.startsWith(RESERVED_TOPICS_PREFIX);
}

/** Says why clients may not push to the topic, or register it; undefined: they may. */
export function reservedTopicProblem(topic: string): string | undefined {
  return isReservedTopic(topic)
    ? `is reserved: topics that begin with "${RESERVED_TOPICS_PREFIX}" are the server’s own`
    : undefined;
}

/** Bytes of UTF-8 that a name, tag or label may have. */
export const MAX_NAME_BYTES = 255;

// Control characters of ASCII and Latin-1 (C0, DEL, C1).
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const EDGE_SPACE = /^\s|\s$/;

/** Says what is wrong with the text as a name; undefined: nothing. The empty text is refused. */
export function nameProblem(text: string): string | undefined {
  if (text === '') return 'is required';
  return labelProblem(text);
}

/** Says what is wrong with a text that may be empty, such as a tag or an addressee; else as a name. */
export function labelProblem(text: string): string | undefined {
  return textProblem(text, MAX_NAME_BYTES);
}

/** Says what is wrong with a text that may be empty and has a bound of bytes of its own. */
export function textProblem(text: string, maxBytes: number): string | undefined {
  if (text === '') return undefined;
  // A string of n UTF-16 units has between n and 3n bytes: most texts need no counting.
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
    return `has more than ${maxBytes} bytes`;
  }
  if (CONTROL.test(text)) return 'has control characters';
  if (EDGE_SPACE.test(text)) return 'begins or ends with a space';
  return undefined;
}

const ASCII = /^[ -~]*$/;

/** Says what is wrong with a text that is looked for in others: spaces at its edges count. */
export function searchProblem(text: string): string | undefined {
  if (text === '') return 'is required';
  if (Buffer.byteLength(text) > MAX_NAME_BYTES) return `has more than ${MAX_NAME_BYTES} bytes`;
  return CONTROL.test(text) ? 'has control characters' : undefined;
}

/** Says what is wrong with a text that is sent on as a header: its alphabet is printable ASCII. */
export function headerProblem(text: string, maxBytes: number): string | undefined {
  return textProblem(text, maxBytes) ?? (ASCII.test(text) ? undefined : 'has other characters than printable ASCII');
}

/** A type and a subtype, as RFC 2045 has them, and parameters. */
const MEDIA_TYPE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+ *(;[ -~]*)?$/;

/** Says what is wrong with a text that may be empty, or else names a media type. */
export function mediaTypeProblem(text: string): string | undefined {
  if (text === '') return undefined;
  return labelProblem(text) ?? (MEDIA_TYPE.test(text) ? undefined : 'is not a media type, such as text/plain');
}

/** Says what is wrong with the name of a context that something is written to; `all` is reserved. */
export function ownContextProblem(context: string): string | undefined {
  return context === ALL_CONTEXTS ? '"all" is reserved for reading' : nameProblem(context);
}

/** Names of consumers that begin with it are for consumers that the server runs itself: none is created by a call. */
export const RESERVED_CONSUMERS = 'route:';

/** Says what is wrong with the name of a consumer that is to be created. Those that are there already go on. */
export function newConsumerProblem(name: string): string | undefined {
  return name.startsWith(RESERVED_CONSUMERS) ? `names that begin with "${RESERVED_CONSUMERS}" are reserved` : undefined;
}

/** One text for a context and a name in it; names have no control characters, so it is unambiguous. */
export function scopedKey(context: string, name: string): string {
  return `${context}\u0000${name}`;
}
