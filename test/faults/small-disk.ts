import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const chunk = Buffer.alloc(2 ** 16);

/** A disk of its own for one folder, that can be filled up. It is in memory, and mounting it needs root. */
export class SmallDisk {
  readonly folder: string;
  readonly #ballast: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#ballast = join(folder, 'ballast');
  }

  /** Mounts a disk of `mebibytes` at `folder`; undefined where that is not permitted. */
  static mount(folder: string, mebibytes: number): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder], {
        stdio: 'ignore',
      });
      return new SmallDisk(folder);
    } catch {
      return undefined;
    }
  }

  /** Fills it up but for about `freeBytes`. */
  fill(freeBytes: number): void {
    const file = openSync(this.#ballast, 'a');
    try {
      while (this.#freeBytes() > freeBytes + chunk.length) writeSync(file, chunk);
    } finally {
      closeSync(file);
    }
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Makes room again. */
  clear(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** Nobody may use it any more. */
  unmount(): void {
    execFileSync('umount', [this.folder]);
  }
}
