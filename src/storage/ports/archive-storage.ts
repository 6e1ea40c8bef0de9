// The ports of the archive: the directory with its files, and what the database knows of them.
//
// An archive is a file that grows by a part for each batch that is deleted. What of it counts is decided by the transaction that deletes
// the batch, which also notes how long the file is then: whatever lies behind that length was never deleted, and is cut off again.
//
// | state  | entered when                                  | left when                                            | after a crash |
// |--------|-----------------------------------------------|------------------------------------------------------|---------------|
// | begun  | its row is stored, before there is a file     | a batch is deleted of which it has the entries: open | row and file are removed: nothing was deleted |
// | open   | the deletion of its first batch has committed | it is large or old enough, or its instance ends: sealed | cut to the length that its row says, then sealed |
// | sealed | its manifest lies in the directory            | never                                                | its row is filled in from the manifest |
//
// A part is written and synced before its batch is deleted, so that at every moment what is deleted is in a file. Of an archive only the
// run that began it writes, and after that has ended the next run of the same instance.
//
// Methods of ArchiveStore reject with MadeleineError STORAGE_UNAVAILABLE when the database is away; those of the files with the error of
// the file system.

import type { ArchiveContent, Manifest } from '../../domain/archive/manifest.js';
import type { ErasureTarget } from '../../domain/erasure/erasure.js';
import type { EventId, Micros, Position } from '../../units.js';
import type { EndedRuns } from './log-storage.js';

/** An entry as it goes into an archive. */
export interface ArchivedLine {
  readonly position: Position;
  readonly eventId: EventId;
  readonly createdAt: Micros;
  readonly payloadBytes: number;
  /** Undefined: the entry has no payload, and never had. */
  readonly payloadSha256: Buffer | undefined;
  /** The line with its end. */
  readonly text: Buffer;
}

/** How much is in an archive. */
export interface ArchiveExtent {
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly entries: number;
  readonly payloadBytes: number;
  readonly firstAt: Micros;
  readonly lastAt: Micros;
  /** Length of the file. */
  readonly fileBytes: number;
}

/** What an archive holds once a batch is deleted: written by the transaction that deletes it. */
export interface ArchiveMark extends ArchiveExtent {
  readonly archiveId: number;
}

/** A file that grows. */
export interface GrowingArchive {
  /** The name of its files, without an ending. */
  readonly name: string;
  /** What of it counts; undefined: nothing yet. */
  readonly extent: ArchiveExtent | undefined;
  /** Writes the lines behind what counts, and syncs them; returns what it holds with them. Whatever lay there before is gone. */
  append(lines: readonly ArchivedLine[]): Promise<ArchiveExtent>;
  /** Makes what was appended last count. */
  keep(): void;
  /** Cuts off what does not count, and writes the manifest. Something has to count. */
  seal(at: Micros): Promise<Manifest>;
}

/** The directory of archives, on this instance. */
export interface ArchiveFiles {
  /** Where it lies. */
  readonly path: string;
  /** Makes no file yet. */
  grow(about: { readonly context: string; readonly topic: string; readonly firstPosition: Position }): GrowingArchive;
  /**
   * Seals what a former run left: cuts it to the length first. Returns the manifest, also of what was sealed already; undefined: there
   * is no such file.
   */
  finish(name: string, fileBytes: number, at: Micros): Promise<Manifest | undefined>;
  /** Removes what a former run left of an archive in which nothing counts. */
  discard(name: string): Promise<void>;
}

/** A topic whose events are archived before they are deleted. */
export interface ArchivedTopic {
  readonly topicId: number;
  readonly context: string;
  readonly name: string;
}

/** Who knows which topics those are. */
export interface ArchivedTopics {
  /** The topic, if it is one of them. Where nothing was registered since the last call, cheap. */
  archived(topicId: number): Promise<ArchivedTopic | undefined>;
}

/** An archive as the database knows it. */
export interface StoredArchive {
  readonly id: number;
  readonly context: string;
  readonly topic: string;
  /** The name of its files, without an ending. */
  readonly name: string;
  readonly instance: string;
  readonly openedAt: Micros;
  /** Undefined: nothing is in it yet. */
  readonly extent: ArchiveExtent | undefined;
  /** Undefined: it is not sealed. */
  readonly sealed: { readonly at: Micros; readonly sha256: string; readonly digest: string } | undefined;
}

/** Why the deletion of a topic is held. */
export interface ArchiveHold {
  readonly since: Micros;
  readonly problem: string;
  /** Address of the instance that says so. */
  readonly instance: string;
}

/** Archives that hold what an erasure is about. */
export interface HoldingArchives {
  /** Their names, the oldest first. */
  readonly names: readonly string[];
  readonly count: number;
}

export interface ListArchivesOptions {
  /** `all`: every context. */
  readonly context: string;
  /** Empty: every topic. */
  readonly topic: string;
  readonly after: number;
  readonly limit: number;
}

export interface ArchiveStore {
  /** The topic, if its events are archived before they are deleted. Where nothing was registered since the last call, cheap. */
  topic(topicId: number): Promise<ArchivedTopic | undefined>;
  /** Stores the row of an archive; returns its id. */
  begin(archive: { readonly name: string; readonly topicId: number; readonly instance: string }): Promise<number>;
  /**
   * Stores whom and which streams entries are about that are read next to go into an archive: an erasure that takes their content after
   * that, and is answered, names the archive.
   */
  prepare(archiveId: number, positions: readonly Position[]): Promise<void>;
  /** Takes note that an archive is sealed. */
  sealed(archiveId: number, content: Pick<ArchiveContent, 'sha256' | 'digest'>, at: Micros): Promise<void>;
  /** Forgets an archive in which there is nothing. */
  forget(archiveId: number): Promise<void>;
  /** The archive as its row says once every deletion that is under way has ended. */
  find(archiveId: number): Promise<StoredArchive | undefined>;
  /** The ids of archives of these runs that are not sealed. */
  unsealed(runs: EndedRuns): Promise<readonly number[]>;
  list(options: ListArchivesOptions): Promise<readonly StoredArchive[]>;
  /** Archives that may hold content of what the target is about; all of them, whatever the limit, are counted. */
  holding(target: ErasureTarget, limit: number): Promise<HoldingArchives>;
  /** Says why the deletion of a topic is held; undefined: it is not any more. */
  setHold(topicId: number, hold: Pick<ArchiveHold, 'problem' | 'instance'> | undefined): Promise<void>;
  /** The topics whose deletion is held, with why. */
  holds(): Promise<ReadonlyMap<number, ArchiveHold>>;
}
