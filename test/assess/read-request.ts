import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { LogSpans, type LogsRead } from '../../src/enrich/log-spans.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { RunAssembler, type RunSettings } from '../../src/runs/run-assembler.ts';
import { fields } from '../../src/semconv/fields.ts';
import { lane, Reported, settings } from '../runs/spans.ts';

const enricher = new Enricher({ content: { mode: 'drop' } });

/** What one span says once it is enriched. */
export type SpanReading = ReturnType<typeof readingOf>;

function readingOf({ view }: EnrichedSpans, row: number, facts: ReturnType<EnrichedSpans['at']>) {
  view.at(row);
  const { step, tool, result, errorType, escalationReason, escalationState, sessionId, costSource } = facts;
  return {
    name: view.name(),
    step,
    tool,
    result,
    errorType,
    escalationReason,
    escalationState,
    sessionId,
    costSource,
    handoffTarget: view.string(fields.handoffTarget) ?? '',
    cacheReadTokens: view.number(fields.cacheReadTokens),
    rule: view.string(fields.rule) ?? '',
    waitMs: view.number(fields.escalationWaitMs),
    escalationSource: view.string(fields.escalationSource),
  };
}

/** What each span says, and what runs and calls there were when all had timed out. */
export interface Reading {
  readonly spans: readonly SpanReading[];
  readonly reported: Reported;
}

/** Enriches, reads and assesses an OTLP/JSON request. */
export function readRequest(json: string, given: Partial<RunSettings> = {}): Reading {
  return readAll([spansOf(json)], given);
}

/** An OTLP/JSON request in protobuf. */
export const spansOf = (json: string): Uint8Array => jsonToProtobuf(Buffer.from(json)).bytes;

/** The spans that are made of an OTLP/JSON request of log records, in protobuf, and what was not made one. */
export const logsOf = (json: string): LogsRead =>
  new LogSpans().read(jsonToProtobuf(Buffer.from(json), 'logs').bytes);

/** Enriches, reads and assesses requests of spans one after the other. */
export function readAll(requests: readonly Uint8Array[], given: Partial<RunSettings> = {}): Reading {
  const reported = new Reported();
  const assembler = new RunAssembler({ ...settings, ...given }, reported);
  const enriched = new EnrichedSpans(enricher);
  const from = lane();
  const spans: SpanReading[] = [];
  for (const record of requests.flatMap((request) => enricher.enrich(request, 1).records)) {
    enriched.read(record);
    for (let row = 0; row < enriched.count; row++) {
      const facts = enriched.at(row);
      spans.push(readingOf(enriched, row, facts));
      assembler.add(facts, from);
    }
    assembler.settle();
  }
  assembler.advance(Number.MAX_SAFE_INTEGER);
  return { spans, reported };
}
