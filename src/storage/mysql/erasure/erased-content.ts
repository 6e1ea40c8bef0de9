// How rows of the log tell that their content is erased.

import { EntryKind } from '../../../domain/events/event.js';

/** A condition on the envelope of an entry: a property of that name is a text. */
export const IS_ERASED = `REGEXP '"erasedAt":[0-9]'`;
/** Entries that have content which may be erased. */
export const HAS_CONTENT = `kind <> ${EntryKind.TRANSFERRED} AND (envelope IS NULL OR envelope NOT ${IS_ERASED})`;
