import type { CanaryRules } from './canary-rules.ts';
import { longestIdle, newDeployment, type Deployment } from './deployment.ts';

const maxDeployments = 1000;
/** Names for which it is remembered whether a policy covers them. */
const maxKnown = 10_000;

/** The deployments that policies cover. There are at most a thousand: the one that is idle for longest makes room. */
export class Deployments {
  readonly #rulesOf: (agent: string, environment: string) => CanaryRules | undefined;
  readonly #forgotten: (deployment: Deployment) => void;
  #all = new Map<string, Deployment>();
  /** By agent and environment; null where no policy covers them. */
  readonly #known = new Map<string, Map<string, Deployment | null>>();
  #knownCount = 0;

  /** `rulesOf` tells the rules of the policies in use; `forgotten` gets each that is not there any more. */
  constructor(
    rulesOf: (agent: string, environment: string) => CanaryRules | undefined,
    forgotten: (deployment: Deployment) => void,
  ) {
    this.#rulesOf = rulesOf;
    this.#forgotten = forgotten;
  }

  /** All there are, by names that say nothing. */
  get all(): Map<string, Deployment> {
    return this.#all;
  }

  /** Makes these all there are. */
  restore(all: Map<string, Deployment>): void {
    this.#all = all;
    this.rulesChanged();
  }

  /** That of an agent in an environment where it is there already. */
  find(agent: string, environment: string): Deployment | undefined {
    return this.#all.get(keyOf(agent, environment));
  }

  /** The same, begun at `timeMs` where it is not; undefined where no policy covers it, 'full' where there is no room for it. */
  obtain(agent: string, environment: string, timeMs: number): Deployment | 'full' | undefined {
    const known = this.#known.get(agent)?.get(environment);
    if (known !== undefined) return known ?? undefined;
    const deployment = this.find(agent, environment) ?? this.#begin(agent, environment, timeMs);
    if (deployment !== 'full') this.#know(agent, environment, deployment ?? null);
    return deployment;
  }

  forget(deployment: Deployment): void {
    const { agent, environment } = deployment;
    this.#all.delete(keyOf(agent, environment));
    this.#known.get(agent)?.delete(environment);
    this.#forgotten(deployment);
  }

  /** The policies in use are others: what no policy covers any more is forgotten. */
  rulesChanged(): void {
    this.#known.clear();
    this.#knownCount = 0;
    for (const deployment of this.#all.values()) {
      const { agent, environment, rules } = deployment;
      const next = this.#rulesOf(agent, environment);
      if (!deployment.nextRules) deployment.nextSinceMs = deployment.tickMs;
      deployment.nextRules = next && next.revision !== rules.revision ? next : undefined;
      if (!next) this.forget(deployment);
    }
  }

  #know(agent: string, environment: string, deployment: Deployment | null): void {
    if (this.#knownCount >= maxKnown) {
      this.#known.clear();
      this.#knownCount = 0;
    }
    const byEnvironment = this.#known.get(agent) ?? new Map<string, Deployment | null>();
    this.#known.set(agent, byEnvironment.set(environment, deployment));
    this.#knownCount++;
  }

  #begin(agent: string, environment: string, timeMs: number): Deployment | 'full' | undefined {
    const rules = this.#rulesOf(agent, environment);
    if (!rules) return undefined;
    if (this.#all.size >= maxDeployments && !this.#makeRoom()) return 'full';
    const deployment = newDeployment(agent, environment, rules, timeMs);
    this.#all.set(keyOf(agent, environment), deployment);
    return deployment;
  }

  /** Forgets the one that is idle for longest; false where none is. */
  #makeRoom(): boolean {
    const oldest = longestIdle(this.#all.values());
    if (oldest) this.forget(oldest);
    return oldest !== undefined;
  }
}

function keyOf(agent: string, environment: string): string {
  return JSON.stringify([agent, environment]);
}
