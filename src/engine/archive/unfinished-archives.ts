// Archives that do not grow any more and are not sealed: those of former runs of this instance, and those of which something failed.

import { microsOf } from '../../domain/archive/archive-time.js';
import type { Clock } from '../../lib/clock.js';
import type { ArchiveFiles, ArchiveStore, StoredArchive } from '../../storage/ports/archive-storage.js';
import type { EndedRuns } from '../../storage/ports/log-storage.js';
import type { Logger } from '../../telemetry.js';
import { FileGuard } from './file-guard.js';

export interface UnfinishedArchivesOptions {
  readonly store: Pick<ArchiveStore, 'find' | 'unsealed' | 'forget' | 'sealed'>;
  readonly files: ArchiveFiles | undefined;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

export class UnfinishedArchives {
  readonly #options: UnfinishedArchivesOptions;
  /** Another guard than that of writing: a file that cannot be read keeps nobody from writing others. */
  readonly #guard: FileGuard;
  readonly #ids = new Set<number>();
  /** Former runs of which it is not known yet what they left. */
  #runs: EndedRuns | undefined;

  constructor(options: UnfinishedArchivesOptions) {
    this.#options = options;
    const { clock, random, logger } = options;
    const onChange = (problem: string | undefined) => {
      if (problem !== undefined) logger.warn({ problem }, 'archives cannot be finished at present');
    };
    this.#guard = new FileGuard({ clock, random, onChange });
  }

  /** Looks for what these runs left when it finishes next. */
  expect(runs: EndedRuns): void {
    this.#runs = runs;
  }

  add(archiveId: number): void {
    this.#ids.add(archiveId);
  }

  remove(archiveId: number): void {
    this.#ids.delete(archiveId);
  }

  /** Finishes them, as far as that can be done now. */
  async finish(): Promise<void> {
    const { store, files } = this.#options;
    if (files === undefined) return;
    if (this.#runs !== undefined) {
      for (const id of await store.unsealed(this.#runs)) this.#ids.add(id);
      this.#runs = undefined;
    }
    for (const id of [...this.#ids]) {
      if (this.#guard.isWaiting) return;
      // It waits for a deletion that may still come about.
      const archive = await store.find(id);
      if (archive === undefined || archive.sealed !== undefined || (await this.#finished(files, archive))) {
        this.#ids.delete(id);
      }
    }
  }

  /** False: it is to be tried again. */
  async #finished(files: ArchiveFiles, { id, name, extent }: StoredArchive): Promise<boolean> {
    const { store, clock, logger } = this.#options;
    if (extent === undefined) {
      if ((await this.#guard.run(() => files.discard(name))) === undefined) return false;
      await store.forget(id);
      return true;
    }
    const finish = async () => {
      try {
        return await files.finish(name, extent.fileBytes, clock.nowMs() * 1_000);
      } catch (error) {
        // Nothing that is tried again would mend it.
        if ((error as NodeJS.ErrnoException).code !== undefined) throw error;
        logger.error({ archive: name, err: error }, 'an archive is damaged, and is left as it is');
        return 'damaged';
      }
    };
    const done = await this.#guard.run(finish);
    if (done === undefined) return false;
    if (done.value === undefined)
      logger.warn({ archive: name }, 'an archive is not in the directory, and is left unsealed');
    else if (done.value !== 'damaged') await store.sealed(id, done.value, microsOf(done.value.sealedAt));
    return true;
  }
}
