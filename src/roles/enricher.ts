import { Enricher } from '../enrich/enricher.ts';
import type { Plan } from '../plan.ts';

/** The enricher that the plan lists; without ingest, for records that nobody of ours enriched, it drops content. */
export function enricherOf({ ingest }: Plan): Enricher {
  const mode = ingest?.enrich.content ?? 'drop';
  const key = Buffer.from(ingest?.enrich.content_hash_key?.reveal() ?? '');
  return new Enricher({ content: mode === 'hash' ? { mode, key } : { mode } });
}
