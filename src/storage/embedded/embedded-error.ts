// What can go wrong with the embedded database, told to the operator.

/** The embedded database cannot be run. The message is one sentence that says why and, where it is known, what helps. */
export class EmbeddedDatabaseError extends Error {
  override readonly name = 'EmbeddedDatabaseError';
}
