import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.ts';
import { createLog } from '../../src/core/log.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { EmbeddedLog } from '../../src/stream/embedded.ts';
import type { TopicOptions } from '../../src/stream/topic-log.ts';

/** A clock that a test sets. */
export class HandClock implements Clock {
  #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  nowMs(): number {
    return this.#ms;
  }
  advance(ms: number): void {
    this.#ms += ms;
  }
}

export const never = new AbortController().signal;
export const soon = (): AbortSignal => AbortSignal.timeout(10_000);

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'plimsoll-stream-'));
}

export function removeFolder(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** A log in `directory` with the options a test does not care about. */
export function logIn(
  directory: string,
  clock: Clock,
  options: { minFreeDiskBytes?: number; telemetry?: Telemetry } = {},
): EmbeddedLog {
  return new EmbeddedLog({
    directory,
    minFreeDiskBytes: options.minFreeDiskBytes ?? 0,
    clock,
    log: createLog('silent'),
    telemetry: options.telemetry ?? new Telemetry(),
  });
}

export const hour = 3_600_000;

/** Options of a topic that keeps everything, unless a test says otherwise. */
export function topicOf(changes: Partial<TopicOptions> = {}): TopicOptions {
  return {
    topic: 'otlp_spans',
    partitions: 3,
    groups: ['store', 'assess'],
    retention: { ageMs: 1000 * hour, bytes: 2 ** 30, minAfterCommitMs: 0 },
    ...changes,
  };
}
