// How rows of the log tell that their content is erased.

/** A condition on the envelope of an entry: a property of that name is a text. */
export const IS_ERASED = `REGEXP '"erasedAt":[0-9]'`;
