import { Enricher, type EnrichOptions } from '../enrich/enricher.ts';
import type { Plan } from '../plan.ts';
import type { Policies } from './policies.ts';

/**
 * The enricher that the plan lists; without ingest, for records that nobody of ours enriched, it drops content and knows
 * list prices alone. It stamps the revisions of those `policies` that are in use when it is used.
 */
export function enricherOf(plan: Plan, policies?: Policies): Enricher {
  const policyRevision =
    policies && ((agent: string, environment: string) => policies.coverage.revision(agent, environment));
  return new Enricher(
    { ...optionsOf(plan), policyRevision },
    plan.stream.type === 'kafka' ? plan.stream.partitioner : undefined,
  );
}

function optionsOf({ ingest }: Plan): EnrichOptions {
  const {
    content: mode = 'drop',
    attributes = {},
    content_hash_key,
    prices,
    human_tools: humanTools,
    evaluators,
  } = ingest?.enrich ?? {};
  const hashKey = content_hash_key && Buffer.from(content_hash_key.reveal());
  return {
    content: mode === 'hash' ? { mode, key: hashKey! } : { mode },
    attributes,
    hashKey,
    prices,
    humanTools,
    evaluators,
  };
}
