// What can go wrong with the embedded database, told to the operator.

/** Why the embedded database cannot be run: the message is one sentence that says it and, where it is known, what helps. */
export class EmbeddedDatabaseError extends Error {
  override readonly name = 'EmbeddedDatabaseError';
}
