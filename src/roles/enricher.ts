import type { ContentOptions } from '../enrich/content-rules.ts';
import { Enricher } from '../enrich/enricher.ts';
import type { Plan } from '../plan.ts';

/** The enricher that the plan lists; without ingest, for records that nobody of ours enriched, it drops content. */
export function enricherOf(plan: Plan): Enricher {
  const partitioner = plan.stream.type === 'kafka' ? plan.stream.partitioner : undefined;
  return new Enricher(contentOf(plan), partitioner, plan.ingest?.enrich.evaluators);
}

function contentOf({ ingest }: Plan): ContentOptions {
  const { content: mode = 'drop', attributes = {}, content_hash_key } = ingest?.enrich ?? {};
  const hashKey = content_hash_key && Buffer.from(content_hash_key.reveal());
  return { content: mode === 'hash' ? { mode, key: hashKey! } : { mode }, attributes, hashKey };
}
