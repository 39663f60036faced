import { CounterWatch } from '../counter-watch.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sample } from '../../src/cli/demo-table.ts';
import { Place } from '../e2e/program.ts';
import { until } from '../until.ts';
import { poisonName } from './requests.ts';
import { Role } from './role.ts';
import { deadLetterTopic, startSurroundings, topic, type Surroundings } from './surroundings.ts';

/** The consumer groups. */
export const groups = { store: 'plimsoll-store', assess: 'plimsoll-assess' } as const;

export const partitions = 6;
/** So short that a paused process loses its partitions soon. */
const sessionTimeout = '6s';
/** So short that inserts which are held up for long come too late. */
const insertDeadline = '30s';
/** So short that every run has ended soon after the last request. */
const idleTimeout = '15s';
const pollMs = 250;
const lookMs = 1000;

/** Waits for a condition that is costly to look at. */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | false | null | undefined>,
  limitMs = 120_000,
): Promise<T> {
  const look = async (): Promise<T | undefined> => {
    try {
      return (await condition()) || undefined;
    } finally {
      await sleep(pollMs);
    }
  };
  return until(what, look, limitMs);
}

/** The value of a series, summed over those whose labels are as `labels` say; 0 when there is none. */
export function valueOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  return matching(samples, name, labels).reduce((sum, { value }) => sum + value, 0);
}

/** What a partition of the topic is to a group: its committed offset, by partition, of those that a process owns. */
export function owned(samples: readonly Sample[], group: string): ReadonlyMap<number, number> {
  const series = matching(samples, 'plimsoll_stream_committed_offset', { topic, group });
  return new Map(series.map(({ labels, value }) => [Number(labels['partition']), value]));
}

function matching(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>>) {
  return samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  );
}

/** The whole pipeline: every role in processes of its own, around Apache Kafka and ClickHouse. */
export class Stage {
  readonly around: Surroundings;
  readonly ingests: readonly Role[];
  readonly stores: readonly Role[];
  readonly assessors: readonly Role[];
  readonly #folder: string;
  readonly #places: Place[] = [];
  readonly #storeWords: readonly string[] | undefined;
  readonly #roles: Role[] = [];
  #looking: NodeJS.Timeout | undefined;
  readonly #stopped = new AbortController();
  /** The counters of whoever assesses. */
  readonly counters: CounterWatch;

  /** `storeWords` start another store than the shipped one. */
  private constructor(folder: string, around: Surroundings, storeWords: readonly string[] | undefined) {
    this.#folder = folder;
    this.around = around;
    this.#storeWords = storeWords;
    this.ingests = [1, 2].map((n) => this.#role('ingest', n));
    this.stores = [1, 2].map((n) => this.#role('store', n, storeWords));
    this.assessors = [1, 2].map((n) => this.#role('assess', n));
    this.counters = new CounterWatch(this.assessors.map((role) => async () => role.samples()));
  }

  /** Starts everything; resolves when spans can be sent. */
  static async start(storeWords?: readonly string[]): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-faults-'));
    const stage = new Stage(folder, await startSurroundings(folder), storeWords);
    try {
      for (const role of stage.#roles) role.start();
      await Promise.all(stage.#roles.map(async (role) => role.up()));
      await stage.#refusePoison();
    } catch (error) {
      await stage.stop();
      throw error;
    }
    stage.#looking = setInterval(() => stage.#roles.forEach((role) => void role.look()), lookMs);
    void stage.counters.look(stage.#stopped.signal);
    return stage;
  }

  /** Whether the stores are not the shipped ones. */
  get isPlanted(): boolean {
    return this.#storeWords !== undefined;
  }

  /** Every role there has been. */
  get roles(): readonly Role[] {
    return this.#roles;
  }

  /** A further store, not started. */
  spareStore(): Role {
    return this.#role(
      'store',
      this.#roles.filter(({ name }) => name.startsWith('store')).length + 1,
      this.#storeWords,
    );
  }

  /** The role among `roles` that owns partitions, asked as often as need be. */
  async owner(roles: readonly Role[], group: string): Promise<Role> {
    return eventually(`somebody to own partitions of ${group}`, async () => {
      for (const role of roles) {
        if (role.program && owned(await role.samples(), group).size > 0) return role;
      }
      return undefined;
    });
  }

  /** Inserts of all stores so far of which nobody knew at once whether they had landed. */
  uncertainBlocks(): number {
    return this.#roles.reduce((sum, role) => sum + role.total('plimsoll_store_blocks_total'), 0);
  }

  /** Rows that the stores themselves have found to be there twice. */
  duplicateRows(): number {
    return this.#roles.reduce((sum, role) => sum + role.total('plimsoll_store_duplicate_rows_total'), 0);
  }

  /** Folders and files by which to find out what happened. */
  get files(): readonly string[] {
    return [this.#folder, ...this.#roles.map(({ logFile }) => logFile)];
  }

  /** The most memory that a process of each kind of role has taken, in MiB. */
  maxRssMebibytes(): Readonly<Record<string, number>> {
    const most: Record<string, number> = {};
    for (const { name, maxRssBytes } of this.#roles) {
      const [kind = name] = name.split(' ');
      most[kind] = Math.max(most[kind] ?? 0, Math.round(maxRssBytes / 2 ** 20));
    }
    return most;
  }

  /** Ends everything at once, and removes its files unless they are to be looked at. */
  async stop({ keepsFiles = false } = {}): Promise<void> {
    clearInterval(this.#looking);
    this.#stopped.abort();
    await Promise.all(this.#roles.map(async (role) => role.stop('SIGKILL')));
    await this.around.stop();
    if (keepsFiles) return;
    for (const place of this.#places) place.remove();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #role(kind: 'ingest' | 'store' | 'assess', n: number, words?: readonly string[]): Role {
    const kafka = {
      brokers: this.around.kafka.addresses,
      topic,
      dead_letter_topic: deadLetterTopic,
      partitions,
      session_timeout: sessionTimeout,
      groups,
    };
    const { url } = this.around.clickhouse;
    const over = {
      connectors: { kafka },
      ...(kind === 'ingest' && { processors: { enrich: { content: 'keep' } } }),
      ...(kind === 'assess' && { processors: { runs: { idle_timeout: idleTimeout } } }),
      ...(kind === 'store' && {
        exporters: {
          clickhouse: { url, username: '', password: '', database: '', insert_deadline: insertDeadline },
        },
      }),
    };
    const place = new Place(JSON.stringify(over), `${kind}.yaml`);
    const role = new Role(`${kind} ${n}`, place, words);
    this.#places.push(place);
    this.#roles.push(role);
    return role;
  }

  /** Makes the table refuse some spans for what they are. */
  async #refusePoison(): Promise<void> {
    await eventually('the table', async () => {
      await this.around.clickhouse.query(
        `ALTER TABLE otel_traces ADD CONSTRAINT IF NOT EXISTS no_poison CHECK SpanName != '${poisonName}'`,
      );
      return true;
    });
  }
}
