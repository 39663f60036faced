import { usuallyGood, type Outcome } from '../semconv/vocabulary.ts';
import type { PolicyFile } from './read-policy.ts';
import { fits } from './scope.ts';

/** Agents and environments are named by senders: when so many are remembered, all are forgotten. */
const limitNames = 10_000;

/** What policies in use say of an agent in an environment: the answers of the one policy that covers both. */
export class Coverage {
  readonly #covered: readonly Covered[];
  /** By environment, then by agent. */
  readonly #known = new Map<string, Map<string, Covered | undefined>>();
  #names = 0;

  /** No two of `policies` cover the same agent in the same environment. */
  constructor(policies: readonly PolicyFile[]) {
    this.#covered = policies.map(coveredBy);
  }

  /** The revision of the policy; '' where none covers the agent. */
  revision(agent: string, environment: string): string {
    return this.#of(agent, environment)?.revision ?? '';
  }

  /** Which outcomes of its runs are good. */
  goodOutcomes(agent: string, environment: string): ReadonlySet<Outcome> {
    return this.#of(agent, environment)?.goodOutcomes ?? usuallyGood;
  }

  /** What the scores of `evaluator` must be on average, 0 to 1; undefined where no objective says. */
  qualityTarget(agent: string, environment: string, evaluator: string): number | undefined {
    return this.#of(agent, environment)?.qualityTargets.get(evaluator);
  }

  #of(agent: string, environment: string): Covered | undefined {
    if (this.#covered.length === 0) return undefined;
    const known = this.#known.get(environment);
    const covered = known?.get(agent);
    if (covered !== undefined || known?.has(agent)) return covered;
    return this.#find(agent, environment);
  }

  #find(agent: string, environment: string): Covered | undefined {
    const found = this.#covered.find(
      ({ agents, environments }) => fits(agent, agents) && fits(environment, environments),
    );
    if (this.#names++ >= limitNames) {
      this.#known.clear();
      this.#names = 1;
    }
    const known = this.#known.get(environment) ?? new Map<string, Covered | undefined>();
    this.#known.set(environment, known.set(agent, found));
    return found;
  }
}

/** What one policy says, ready to be asked. */
interface Covered {
  readonly agents: readonly string[];
  readonly environments: readonly string[];
  readonly revision: string;
  readonly goodOutcomes: ReadonlySet<Outcome>;
  /** By evaluator. */
  readonly qualityTargets: ReadonlyMap<string, number>;
}

function coveredBy({ policy, revision }: PolicyFile): Covered {
  const { quality_score: quality } = policy.objectives;
  return {
    ...policy.scope,
    revision,
    goodOutcomes: new Set(policy.good_outcomes),
    qualityTargets: new Map(quality && [[quality.evaluator, quality.at_least]]),
  };
}
