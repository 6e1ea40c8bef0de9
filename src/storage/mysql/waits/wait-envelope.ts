// What a wait keeps of the envelope that it was asked for with, beside its own columns: one text.

import { EMPTY_ENVELOPE, type Envelope, isSet, SPARSE_FIELDS } from '../../../domain/events/envelope.js';

type KeptMembers = Partial<Pick<Envelope, (typeof SPARSE_FIELDS)[number] | 'rest'>>;

/** Null where nothing of it is set. */
export function waitEnvelopeText(envelope: Envelope): string | null {
  const set = [...SPARSE_FIELDS, 'rest' as const].filter((field) => isSet(envelope[field]));
  return set.length === 0 ? null : JSON.stringify(Object.fromEntries(set.map((field) => [field, envelope[field]])));
}

/** The envelope again, with what the wait's own columns say. */
export function waitEnvelope(
  columns: Pick<Envelope, 'context' | 'topic' | 'version' | 'issuer'>,
  text: string | null,
): Envelope {
  const kept = text === null ? {} : (JSON.parse(text) as KeptMembers);
  return { ...EMPTY_ENVELOPE, ...columns, ...kept };
}
