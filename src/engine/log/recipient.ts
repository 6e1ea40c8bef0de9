// Whom a stream of events goes to, as far as those who read for it need to know.

export interface Recipient {
  /** Who reads: where the database is read, callers take turns. */
  readonly caller: string;
  /** Resolves when what was sent before leaves room for more, or the call is over; undefined: at once. */
  ready(): Promise<void> | undefined;
  /** Reserves room for the next frame; returns how many bytes it may have, about. */
  reserve(): number;
  /** Gives back what was reserved: there was nothing to send. */
  unused(): void;
}
