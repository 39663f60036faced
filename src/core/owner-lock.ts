import { DatabaseSync } from 'node:sqlite';

const busy = 5; // SQLITE_BUSY

/**
 * Makes this process the only owner of a folder for as long as the lock is held. The kernel holds the lock (SQLite
 * takes it through fcntl, and sees other holders in the same process itself), so it ends with its process, even by
 * SIGKILL, and containers that share the folder but not their process ids see it too. A file with a process id does neither.
 */
export class OwnerLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Takes the lock, or returns undefined when somebody else holds it. Throws when `path` cannot be opened. */
  static take(path: string): OwnerLock | undefined {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: 0 });
      database.exec('BEGIN EXCLUSIVE');
      return new OwnerLock(database);
    } catch (error) {
      database?.close();
      if (error instanceof Error && 'errcode' in error && error.errcode === busy) return undefined;
      throw error;
    }
  }

  /** Gives the folder up. */
  release(): void {
    this.#database.close();
  }
}
