import type { Sink } from '../core/component.ts';
import type { NewRecord } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Enricher } from '../enrich/enricher.ts';
import type { ExportTraces } from './export.ts';

/** What becomes of requests. */
export interface IngestOptions {
  readonly enricher: Enricher;
  readonly stream: Sink<readonly NewRecord[]> & { readonly partitions: number };
  readonly telemetry: Telemetry;
}

/**
 * From a request to the stream: enriches it, appends its records, and resolves when they are durable. What was left
 * out of it is told to the sender, reason by reason.
 */
export function ingestTo({ enricher, stream, telemetry }: IngestOptions): ExportTraces {
  return async (request, signal) => {
    const { records, accepted, rejected, reasons, removedForeignKeys, removedInvalidValues } =
      enricher.enrich(request, stream.partitions);
    if (records.length > 0) await stream.consume(records, signal);
    telemetry.count('plimsoll_enrich_removed_attributes_total', removedForeignKeys, {
      reason: 'foreign_key',
    });
    telemetry.count('plimsoll_enrich_removed_attributes_total', removedInvalidValues, {
      reason: 'invalid_value',
    });
    const sentences = [...reasons].map(
      ([reason, spans]) => `${spans} span${spans === 1 ? '' : 's'}: ${reason}`,
    );
    return { accepted, rejected, message: sentences.join('; ') };
  };
}
