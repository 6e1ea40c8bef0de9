// What the commands are given by the process around them, and what they are told in return.

import type { Readable, Writable } from 'node:stream';
import type { Config } from '../config.js';

/** What the commands need from the process around them. */
export interface CliDeps {
  /** Serves until the process is told to stop. */
  serve(config: Config): Promise<void>;
  /** Brings the schema of the database up to date. */
  migrate(config: Config): Promise<MigrationReport>;
  /** Looks at the database; the command adds what it can see from outside. */
  doctor(config: Config, wish: DoctorWish): Promise<readonly DoctorFinding[]>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** The input of commands; the process's own, if left out. */
  readonly stdin?: Readable;
  /** Ends the command as Ctrl-C does; for callers that have no signals. */
  readonly interrupt?: AbortSignal;
}

/** What doctor is asked for. */
export interface DoctorWish {
  /** Whether somebody named a database, which is then looked at; otherwise that of a running server is meant. */
  readonly namesDatabase?: boolean;
}

/** What one check found. */
export interface DoctorFinding {
  /** What was looked at, such as `database version`. */
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'problem';
  /** What was found, in a few words. */
  readonly detail: string;
  /** How to mend it; absent when there is nothing to mend. */
  readonly mend?: string;
}

/** What a migration did. */
export interface MigrationReport {
  /** Version of the schema now. */
  readonly version: number;
  /** Names of the migrations that were applied, in order; empty: it was up to date. */
  readonly applied: readonly string[];
}
