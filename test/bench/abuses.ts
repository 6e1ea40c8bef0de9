// The kinds of harm that a caller of the benchmark does; how is in abuser.ts.

export const ABUSES = [
  'batches of 1,000 pushes',
  'names without end',
  'descriptions without end',
  'pages of 1,000 events',
  'searches for what is nowhere',
  '300 readers that stand still',
  '300 readers that begin anew',
  'calls that are cancelled',
  'connections without end',
  'payloads of many paths',
] as const;

export type AbuseKind = (typeof ABUSES)[number];

/** What the abuser's process is asked for: `none` ends it. */
export interface Abuse {
  readonly kind: AbuseKind | 'none';
  readonly address: string;
}
