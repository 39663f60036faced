import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';
import type { NewRecord, Stream } from '../core/stream.ts';
import type { Telemetry } from '../core/telemetry.ts';
import { sentenceOf, type EnrichedRequest, type Enricher } from '../enrich/enricher.ts';
import type { Claims } from '../enrich/claims.ts';
import { LogSpans } from '../enrich/log-spans.ts';
import { RefusedSpans, type ExportRequest } from './export.ts';

/** What an ingest works with. */
export interface IngestParts {
  readonly enricher: Enricher;
  readonly stream: Pick<Stream, 'consume' | 'partitions' | 'recordLimitBytes' | 'fault'>;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** A refusal that nobody has contradicted since is believed for so long: without traffic nobody can. */
const rememberRefusalMs = 30_000;

/** From a request to the stream: enriches it, appends its records, and resolves when they are durable. */
export class Ingest {
  readonly #parts: IngestParts;
  readonly #logs = new LogSpans();
  #refused: { readonly atMs: number; readonly reason: string } | undefined;

  constructor(parts: IngestParts) {
    this.#parts = parts;
  }

  /** Takes a request of spans. What was left out of it is told to the sender, reason by reason. */
  readonly exportTraces: ExportRequest = async (request, signal, claims) => {
    const { reasons, ...counts } = await this.#take(request, signal, claims);
    return { ...counts, message: sentenceOf(reasons) };
  };

  /** Takes a request of log records: those that tell of an agent become spans, and the sender is told of the others. */
  readonly exportLogs: ExportRequest = async (request, signal, claims) => {
    const { request: spans, rejections, unstored, unstoredReason } = this.#logs.read(request);
    const { accepted, rejected, forbidden, reasons } = await this.#take(spans, signal, claims);
    const all = new Map([...rejections, ...reasons]);
    if (unstored > 0) all.set(unstoredReason, unstored);
    const invalid = rejections.values().reduce((sum, count) => sum + count, rejected);
    return { accepted, rejected: invalid, forbidden, unstored, message: sentenceOf(all, 'log record') };
  };

  async #take(
    request: Uint8Array,
    signal: AbortSignal,
    claims: readonly Claims[],
  ): Promise<Pick<EnrichedRequest, 'accepted' | 'rejected' | 'forbidden' | 'reasons'>> {
    const { enricher, stream } = this.#parts;
    const { records, accepted, rejected, forbidden, reasons, ...counts } = enricher.enrich(
      request,
      stream.partitions,
      stream.recordLimitBytes,
      undefined,
      claims,
    );
    try {
      if (records.length > 0) await this.#append(records, accepted, signal);
    } finally {
      enricher.release(records);
    }
    this.#countRemoved('foreign_key', counts.removedForeignKeys);
    this.#countRemoved('invalid_value', counts.removedInvalidValues);
    this.#parts.telemetry.count('plimsoll_enrich_unreadable_numbers_total', counts.unreadableNumbers, {});
    for (const [reason, count] of counts.unreadScores)
      this.#parts.telemetry.count('plimsoll_enrich_unread_scores_total', count, { reason });
    return { accepted, rejected, forbidden, reasons };
  }

  /** Whether the stream takes what is sent. */
  check(): { readonly flowing: boolean; readonly reason: string } {
    const { fault } = this.#parts.stream;
    if (fault) return { flowing: false, reason: fault.message };
    const refused = this.#refused;
    const flowing = !refused || this.#parts.clock.nowMs() - refused.atMs > rememberRefusalMs;
    return { flowing, reason: flowing ? '' : refused.reason };
  }

  async #append(records: readonly NewRecord[], spans: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.stream.consume(records, signal);
      this.#refused = undefined;
    } catch (error) {
      const failure = Failure.from(error);
      if (failure.kind === 'invalid') throw failure;
      this.#refused = { atMs: this.#parts.clock.nowMs(), reason: failure.message };
      throw new RefusedSpans(spans, failure);
    }
  }

  #countRemoved(reason: string, attributes: number): void {
    this.#parts.telemetry.count('plimsoll_enrich_removed_attributes_total', attributes, { reason });
  }
}
