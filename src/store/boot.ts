import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Names the time since this machine started: what was written before another boot may be gone with a power cut. Where
 * the system does not say, every process has a boot of its own.
 */
export function currentBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}
