// How a part of the server is, in a word for programs and a few for people.

export interface Condition {
  /** `off`: the operator has not set it up; `idle`: it is set up and was not needed yet. */
  readonly state: 'up' | 'down' | 'off' | 'idle';
  readonly detail: string;
}
