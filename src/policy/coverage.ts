import { usuallyGood, type Outcome } from '../semconv/vocabulary.ts';
import { canaryRulesOf, type CanaryRules } from './canary-rules.ts';
import type { PolicyFile } from './read-policy.ts';
import { rollbackPlanOf, type RollbackPlan } from './rollback-plan.ts';
import { covers } from './scope.ts';

/** Agents and environments are named by senders: when so many are remembered, all are forgotten. */
const limitNames = 10_000;

/**
 * What policies in use say of an agent in an environment: the answers of the one policy that covers both. A rehearsal is
 * covered as the environment that is meant.
 */
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

  /** What its releases must show as canaries; undefined where no gate says. */
  canaryRules(agent: string, environment: string): CanaryRules | undefined {
    return this.#of(agent, environment)?.canaryRules;
  }

  /** What is done about its unsafe releases; undefined where no policy says. */
  rollbackPlan(agent: string, environment: string): RollbackPlan | undefined {
    const file = this.#of(agent, environment)?.file;
    return file && rollbackPlanOf(file, environment);
  }

  #of(agent: string, environment: string): Covered | undefined {
    if (this.#covered.length === 0) return undefined;
    const known = this.#known.get(environment);
    const covered = known?.get(agent);
    if (covered !== undefined || known?.has(agent)) return covered;
    return this.#find(agent, environment);
  }

  #find(agent: string, environment: string): Covered | undefined {
    const found = this.#covered.find(({ file }) => covers(file.policy.scope, agent, environment));
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
  readonly file: PolicyFile;
  readonly revision: string;
  readonly goodOutcomes: ReadonlySet<Outcome>;
  /** By evaluator. */
  readonly qualityTargets: ReadonlyMap<string, number>;
  readonly canaryRules: CanaryRules | undefined;
}

function coveredBy(file: PolicyFile): Covered {
  const { policy, revision } = file;
  const { quality_score: quality } = policy.objectives;
  return {
    file,
    revision,
    goodOutcomes: new Set(policy.good_outcomes),
    qualityTargets: new Map(quality && [[quality.evaluator, quality.at_least]]),
    canaryRules: canaryRulesOf(file),
  };
}
