import { createHmac, hash } from 'node:crypto';
import { BytePool } from '../core/byte-pool.ts';
import { Failure } from '../core/failure.ts';
import type { Headers, NewRecord } from '../core/stream.ts';
import { leftOutSpans } from '../otlp/left-out.ts';
import { partitioners, type Partitioner } from '../otlp/partition.ts';
import { Rewrite } from '../otlp/rewrite.ts';
import { SpanIndex } from '../otlp/span-index.ts';
import { limitBytes as readableBytes } from '../otlp/wire.ts';
import { OwnView } from './own-view.ts';
import {
  controlFlowExceptions,
  handoffTool,
  humanTarget,
  humanTools,
  mergedTools,
  rejectedApproval,
} from '../semconv/control-flow.ts';
import { fields } from '../semconv/fields.ts';
import { unknown, type EscalationReason } from '../semconv/vocabulary.ts';
import { keyTableSpec, namedSteps, signals } from '../semconv/tables.ts';
import { agentOf, appendFinding, appendPolicy, type PolicyRevisionOf } from './additions.ts';
import { ClaimCheck, unlimited, type Claims } from './claims.ts';
import { ContentRules, type ContentOptions } from './content-rules.ts';
import { findCost } from './cost.ts';
import { findEscalation, HumanTools } from './escalation.ts';
import { findFailure } from './failure.ts';
import { Finding } from './finding.ts';
import { OwnValues } from './own-values.ts';
import { PriceList, type PriceListOptions } from './price-list.ts';
import { priceRevision, Prices } from './prices.ts';
import { MarkedKeys } from './marked-keys.ts';
import { Redaction } from './redaction.ts';
import { Scores, type Evaluators, type UnreadReason } from './scores.ts';
import { findStep } from './semantics.ts';
import { UserIds } from './user-ids.ts';

/** The header of a record that has been enriched; its value is the revision of the enrichment. */
export const enrichedHeader = 'plimsoll.enriched';

/**
 * The longest record, in bytes, unless one span makes it longer. Far above a batch of an SDK, so that cuts are rare;
 * far below what an index can read (`limitBytes` of the wire), because enrichment makes spans longer and a record that
 * cannot be read again is lost after it was acknowledged; and small enough for a reader to hold several.
 */
export const limitRecordBytes = 8 << 20;

/** Memory kept for records between requests. */
const pooledBytes = 32 << 20;

/** What the sender of a span reads that would be longer than what the stream takes or can be read again. */
function tooLong(limitBytes: number): string {
  return `the span, with its resource, scope and what enrichment adds, is longer than ${limitBytes} bytes, the longest record of the stream: send less content`;
}

/** Counts up when the code derives other values from the same tables. */
const codeRevision = 5;

/** What enrichment decides by, beside the tables. */
export interface EnrichOptions extends ContentOptions {
  readonly prices?: PriceListOptions | undefined;
  /** How to read what evaluators find. */
  readonly evaluators?: Evaluators | undefined;
  /** Why a tool asks a human, by names as of `ByName`, besides those known by name. */
  readonly humanTools?: Readonly<Record<string, EscalationReason>> | undefined;
  /** Asked anew for every span, so that policies may change; spans say the revision, and the enrichment's does not name it. */
  readonly policyRevision?: PolicyRevisionOf | undefined;
}

/** One request, ready for the stream. */
export interface EnrichedRequest {
  /** At most one record a partition, unless the limit cuts it; none when no span is valid. */
  readonly records: readonly NewRecord[];
  /** Spans in the records. */
  readonly accepted: number;
  /** Spans left out because they are not valid. */
  readonly rejected: number;
  /** Spans left out because their bearer may not claim what they say. */
  readonly forbidden: number;
  /** How many spans were left out, by the sentence that tells the sender why. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Attributes under our prefix with a key that is not ours, of spans, events, links, resources and scopes. */
  readonly removedForeignKeys: number;
  /** Attributes with a key of ours and a value it may not have, or a second value. */
  readonly removedInvalidValues: number;
  /** Tokens and costs that senders gave by their own conventions and that are no such number; they count as nothing. */
  readonly unreadableNumbers: number;
  /** What evaluators found and is no score, by the reason. */
  readonly unreadScores: ReadonlyMap<UnreadReason, number>;
}

/**
 * Makes records of requests: decides what each span means, appends what no attribute says, and redacts. The same
 * request always becomes the same records: nothing is asked but the request itself, and which policy covers it. Reuses its memory from request to
 * request, so one enricher serves one thread; the memory of records is used again when they are released.
 */
export class Enricher {
  /** Names the tables, the prices and the options: records enriched alike have the same revision. */
  readonly revision: string;
  readonly #index: SpanIndex;
  readonly #view: OwnView;
  readonly #memory = new BytePool(pooledBytes);
  readonly #rewrite: Rewrite;
  readonly #headers: Headers;
  readonly #finding = new Finding();
  readonly #prices: Prices;
  readonly #humanTools: HumanTools;
  readonly #ownValues: OwnValues;
  readonly #redaction: Redaction;
  readonly #userIds: UserIds;
  readonly #scores: Scores;
  readonly #policyRevision: PolicyRevisionOf | undefined;
  readonly #claims = new ClaimCheck();
  /** Valid rows of the last request that are in no record. */
  #omitted: number[] = [];
  #unreadableNumbers = 0;

  /** Traces are spread over partitions by `partitioner`. Throws an Error that names the option at fault. */
  constructor(options: EnrichOptions, partitioner: Partitioner = 'murmur2') {
    const rules = new ContentRules(options);
    const keys = new MarkedKeys(rules);
    this.#prices = new Prices(new PriceList(options.prices));
    this.#humanTools = new HumanTools(options.humanTools);
    this.revision = revisionOf(options, rules, this.#prices.list);
    this.#rewrite = new Rewrite((bytes) => this.#memory.take(bytes), partitioners[partitioner]);
    this.#headers = { [enrichedHeader]: this.revision };
    this.#index = new SpanIndex(keys.table);
    this.#view = new OwnView(this.#index);
    this.#ownValues = new OwnValues(this.#index, this.#view, this.#rewrite, keys);
    this.#redaction = new Redaction(this.#index, this.#rewrite, keys);
    this.#userIds = new UserIds(rules);
    this.#scores = new Scores(this.#view, options.evaluators ?? {});
    this.#policyRevision = options.policyRevision;
  }

  /**
   * Enriches an ExportTraceServiceRequest in protobuf and splits it by trace over `partitions`. A record longer than
   * `cutBytes` is cut between spans; one span may still be longer, and so may spans of a very large resource, but no
   * record is longer than `recordLimitBytes`, and every one can be read again. Throws an `invalid` Failure when the
   * request is none; a span that is not valid, too long for a record, or not within `claims`, is left out alone.
   */
  enrich(
    request: Uint8Array,
    partitions: number,
    recordLimitBytes = readableBytes,
    cutBytes = Math.min(limitRecordBytes, recordLimitBytes),
    claims: readonly Claims[] = unlimited,
  ): EnrichedRequest {
    const index = this.#index;
    const limitBytes = Math.min(readableBytes, recordLimitBytes);
    index.read(request);
    if (index.looksLikeLogs) {
      throw new Failure(
        'invalid',
        'the request holds log records, not spans: send logs to /v1/logs or LogsService',
      );
    }
    const invalid = index.rejectedCount;
    const reasons = new Map(index.rejections);
    const removedInvalidValues = this.#ownValues.clean();
    const foreignBefore = this.#redaction.foreignKeys;
    this.#rewrite.begin(index, limitBytes);
    this.#redaction.redactEnvelopes();
    this.#omitted = [];
    this.#unreadableNumbers = 0;
    this.#scores.unread.clear();
    this.#claims.begin(claims);
    for (let row = 0; row < index.count; row++) if (!this.#span(row)) this.#omitted.push(row);
    const forbidden = this.#claims.refused;
    for (const [reason, spans] of this.#claims.reasons()) reasons.set(reason, spans);
    const long = this.#omitted.length - forbidden;
    if (long > 0) reasons.set(tooLong(limitBytes), long);
    const headers = this.#headers;
    const records = this.#rewrite
      .finish(partitions, cutBytes)
      .map(({ partition, payload, spans }): NewRecord => ({ partition, payload, spans, headers }));
    const removedForeignKeys = this.#redaction.foreignKeys - foreignBefore;
    return {
      records,
      accepted: index.count - forbidden - long,
      rejected: invalid + long,
      forbidden,
      reasons,
      removedForeignKeys,
      removedInvalidValues,
      unreadableNumbers: this.#unreadableNumbers,
      unreadScores: new Map(this.#scores.unread),
    };
  }

  /** The spans that were left out alone of `request`, which is the one that was enriched last. */
  leftOut(request: Uint8Array): Uint8Array {
    this.#index.read(request);
    return leftOutSpans(this.#index, this.#omitted);
  }

  /** Takes back the memory of records, which nobody may read from now on. Those that never come back are the garbage collector's. */
  release(records: readonly NewRecord[]): void {
    for (const { payload } of records) this.#memory.give(payload);
  }

  /** Escalation stands before failure: what waits for a human has not failed. Returns whether the span is kept. */
  #span(row: number): boolean {
    const view = this.#view.at(row);
    const finding = this.#finding;
    finding.reset();
    findStep(view, finding);
    if (this.#claims.isNeeded && !this.#mayClaim(view, finding)) {
      this.#rewrite.omitSpan();
      return false;
    }
    findEscalation(view, finding, this.#humanTools);
    findFailure(view, finding);
    findCost(view, finding, this.#prices);
    this.#unreadableNumbers += finding.nonsense;
    appendFinding(view, finding, this.#rewrite.attributes);
    this.#scores.append(finding, this.#rewrite.attributes);
    this.#userIds.append(view, this.#rewrite.attributes);
    this.#redaction.redact(row, finding);
    if (this.#policyRevision) appendPolicy(view, finding, this.#policyRevision, this.#rewrite.attributes);
    const fits = this.#rewrite.fits();
    if (fits) this.#rewrite.endSpan();
    else this.#rewrite.omitSpan();
    return fits;
  }

  /** By what readers of the record would count the span as. */
  #mayClaim(view: OwnView, finding: Finding): boolean {
    return this.#claims.allows({
      agent: agentOf(view, finding),
      environment: view.string(fields.environment) || unknown,
      release: view.string(fields.release) || unknown,
    });
  }
}

/** Why spans, or what `what` names, were left out, reason by reason, as one sentence; '' when none were. */
export function sentenceOf(reasons: ReadonlyMap<string, number>, what = 'span'): string {
  const sentences = [...reasons].map(
    ([reason, count]) => `${count} ${what}${count === 1 ? '' : 's'}: ${reason}`,
  );
  return sentences.join('; ');
}

function revisionOf(
  { content: { mode }, humanTools: named = {}, evaluators = {} }: EnrichOptions,
  { hashKey, given }: ContentRules,
  list: PriceList,
): string {
  const contentKey = hashKey ? createHmac('sha256', hashKey).update(enrichedHeader).digest('hex') : '';
  const everything = [
    codeRevision,
    priceRevision,
    list.revision,
    keyTableSpec,
    signals,
    namedSteps,
    [...controlFlowExceptions],
    [rejectedApproval, humanTools, named, handoffTool, mergedTools, humanTarget],
    Object.entries(evaluators).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    [mode, contentKey, Object.entries(given).toSorted(([a], [b]) => (a < b ? -1 : 1))],
  ];
  const text = JSON.stringify(everything, (_, value: unknown) =>
    value instanceof RegExp ? value.source : value,
  );
  return hash('sha256', text).slice(0, 16);
}
