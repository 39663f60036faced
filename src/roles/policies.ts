import type { Component } from '../core/component.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { ConfigError } from '../config-source.ts';
import { readPolicies } from '../policy-files.ts';
import { Coverage } from '../policy/coverage.ts';
import type { PolicyFile } from '../policy/read-policy.ts';

const reloadEveryMs = 10_000;

/** The policies that the pipeline uses. Changed files are taken within 10 s, all of them or, when one has an error, none. */
export class Policies implements Component {
  readonly name = 'policies';
  readonly #patterns: readonly string[];
  readonly #telemetry: Telemetry;
  readonly #log: Log;
  readonly #listeners: (() => void)[] = [];
  #inUse: readonly PolicyFile[] = [];
  #coverage = new Coverage([]);
  #refused = '';
  #timer: NodeJS.Timeout | undefined;

  /** `patterns` are paths or globs. */
  constructor(patterns: readonly string[], { telemetry, log }: { telemetry: Telemetry; log: Log }) {
    this.#patterns = patterns;
    this.#telemetry = telemetry;
    this.#log = log;
  }

  /** Those in use; none before `start`. */
  get inUse(): readonly PolicyFile[] {
    return this.#inUse;
  }

  /** What those in use say of an agent; ask anew each time, for a change brings another. */
  get coverage(): Coverage {
    return this.#coverage;
  }

  /** Has `listener` called whenever others are in use. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Rejects with a ConfigError when a file has an error. */
  async start(): Promise<void> {
    const { policies, faults } = readPolicies(this.#patterns);
    if (faults.length > 0)
      throw new ConfigError(faults.map((fault) => `service::policies: ${fault}`).join('\n'));
    this.#use(policies);
    if (this.#patterns.length > 0) this.#timer = setInterval(() => this.reload(), reloadEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  /** Reads the files again. With an error anywhere the policies in use stay, and the log says why, once. */
  reload(): void {
    const { policies, faults } = this.#read();
    const refused = faults.join('\n');
    this.#telemetry.set('plimsoll_policies_refused', faults.length > 0 ? 1 : 0, {});
    if (refused !== '' && refused !== this.#refused)
      this.#log.error({ faults }, 'policies have errors; those read before stay in use');
    if (refused === '') {
      if (revisionsOf(policies) !== revisionsOf(this.#inUse)) {
        this.#use(policies);
        this.#log.info({ policies: revisionsOf(policies) }, 'policies changed');
      } else if (this.#refused !== '') this.#log.info('policies have no errors any more');
    }
    this.#refused = refused;
  }

  #read(): ReturnType<typeof readPolicies> {
    try {
      return readPolicies(this.#patterns);
    } catch (error) {
      return { policies: [], faults: [error instanceof Error ? error.message : String(error)] };
    }
  }

  #use(policies: readonly PolicyFile[]): void {
    for (const file of this.#inUse) this.#telemetry.remove('plimsoll_policy_info', labelsOf(file));
    for (const file of policies) this.#telemetry.set('plimsoll_policy_info', 1, labelsOf(file));
    this.#inUse = policies;
    this.#coverage = new Coverage(policies);
    for (const listener of this.#listeners) listener();
  }
}

function labelsOf({ policy: { metadata }, revision }: PolicyFile) {
  return { policy: metadata.name, version: String(metadata.version), revision, owner: metadata.owner };
}

function revisionsOf(policies: readonly PolicyFile[]): string {
  return policies
    .map(({ policy, revision }) => `${policy.metadata.name} ${revision}`)
    .toSorted()
    .join(', ');
}
