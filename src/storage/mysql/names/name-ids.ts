// What a row of the log has in place of names.

/** Numbers of the names of one entry. */
export interface EntryIds {
  readonly contextId: number;
  readonly topicId: number;
  readonly streamId: number | null;
}
