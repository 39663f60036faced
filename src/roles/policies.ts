import type { Component } from '../core/component.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { messageOf } from '../core/failure.ts';
import { ConfigError } from '../config-source.ts';
import { readPolicies, type PolicyFacts } from '../policy-files.ts';
import { Coverage } from '../policy/coverage.ts';
import { versionFindings } from '../policy/difference.ts';
import type { PolicyFile } from '../policy/read-policy.ts';

const reloadEveryMs = 10_000;

/** The policies that the pipeline uses. Changed files are taken within 10 s, all of them or, when one has an error, none. */
export class Policies implements Component {
  readonly name = 'policies';
  readonly #patterns: readonly string[];
  readonly #facts: PolicyFacts;
  readonly #telemetry: Telemetry;
  readonly #log: Log;
  readonly #listeners: (() => void)[] = [];
  #inUse: readonly PolicyFile[] = [];
  #coverage = new Coverage([]);
  #refused = '';
  #warnings: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `patterns` are paths or globs. */
  constructor(
    patterns: readonly string[],
    { telemetry, log, ...facts }: PolicyFacts & { readonly telemetry: Telemetry; readonly log: Log },
  ) {
    this.#patterns = patterns;
    this.#facts = facts;
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
    const { policies, faults, warnings } = readPolicies(this.#patterns, this.#facts);
    if (faults.length > 0)
      throw new ConfigError(faults.map((fault) => `service::policies: ${fault}`).join('\n'));
    this.#use(policies);
    this.#warn(warnings);
    if (policies.length > 0) this.#log.info({ policies: namesOf(policies) }, 'policies in use');
    if (this.#patterns.length > 0) this.#timer = setInterval(() => this.reload(), reloadEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  /** Reads the files again. With an error anywhere the policies in use stay. The log says what is wrong, once. */
  reload(): void {
    const { policies, faults, warnings } = this.#read();
    const refused = faults.join('\n');
    this.#telemetry.set('plimsoll_policies_refused', faults.length > 0 ? 1 : 0, {});
    if (refused !== '' && refused !== this.#refused)
      this.#log.error({ faults }, 'policies have errors; those read before stay in use');
    if (refused === '') {
      if (namesOf(policies) !== namesOf(this.#inUse)) {
        this.#warnOfVersions(policies);
        this.#use(policies);
        this.#warn(warnings);
        this.#log.info({ policies: namesOf(policies) }, 'policies changed');
      } else if (this.#refused !== '') this.#log.info('policies have no errors any more');
    }
    this.#refused = refused;
  }

  #read(): ReturnType<typeof readPolicies> {
    try {
      return readPolicies(this.#patterns, this.#facts);
    } catch (error) {
      const fault = messageOf(error);
      return { policies: [], faults: [fault], warnings: [] };
    }
  }

  #warn(warnings: readonly string[]): void {
    const unsaid = warnings.filter((warning) => !this.#warnings.includes(warning));
    if (unsaid.length > 0) this.#log.warn({ warnings: unsaid }, 'policies have warnings');
    this.#warnings = warnings;
  }

  #warnOfVersions(policies: readonly PolicyFile[]): void {
    for (const after of policies) {
      const { name, version } = after.policy.metadata;
      const before = this.#inUse.find(({ policy }) => policy.metadata.name === name);
      if (before && [...versionFindings(before, after)].some(({ level }) => level === 'error'))
        this.#log.warn({ file: after.file, version }, `the policy ${name} changed without a raised version`);
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

function namesOf(policies: readonly PolicyFile[]): string {
  return policies
    .map(
      ({ policy: { metadata }, revision }) =>
        `${metadata.name} version ${metadata.version} revision ${revision}`,
    )
    .toSorted()
    .join(', ');
}
