import { randomBytes } from 'node:crypto';
import { SampleRequests } from '../../bench/sample-requests.ts';
import { compileKeys } from '../../src/otlp/key-table.ts';
import { SpanIndex } from '../../src/otlp/span-index.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { spanIdOf, type Ledger } from './ledger.ts';

/** The name of a span that the table is told to refuse (`Stage`): it belongs among the dead letters. */
export const poisonName = 'poison';

/** How often a request is of each shape: many small ones, some of one run, some full, and a few with prompts as long as books. */
const shapes = [
  { weight: 50, spans: 24, bytesPerSpan: 840 },
  { weight: 30, spans: 8, bytesPerSpan: 600 },
  { weight: 15, spans: 96, bytesPerSpan: 900 },
  { weight: 5, spans: 8, bytesPerSpan: 40_000 },
] as const;
const weights = shapes.reduce((sum, { weight }) => sum + weight, 0);
const spanIdBytes = 8;
/** What the index says of a parent that is not there. */
const absent = 0;
/** Mean spans of a request. */
export const spansPerRequest = shapes.reduce((sum, { weight, spans }) => sum + weight * spans, 0) / weights;

/** A request of the ledger, ready to be sent. */
export interface LedgerRequest {
  readonly request: number;
  readonly bytes: Uint8Array;
}

/** An endless supply of requests of agent runs whose span ids are the ledger's. */
export class LedgerRequests {
  readonly #ledger: Ledger;
  readonly #random: () => number;
  readonly #samples: readonly SampleRequests[];
  readonly #index = new SpanIndex(
    compileKeys({ fieldCount: 0, sources: [], content: [], ownPrefix: '-', ownKeys: [] }),
  );

  /** `random` draws from [0, 1). */
  constructor(ledger: Ledger, random: () => number) {
    this.#ledger = ledger;
    this.#random = random;
    this.#samples = shapes.map((shape) => new SampleRequests({ ...shape, seed: Math.floor(random() * 1e9) }));
  }

  next(nowMs: number): LedgerRequest {
    let drawn = this.#random() * weights;
    const at = shapes.findIndex(({ weight }) => (drawn -= weight) < 0);
    const bytes = (this.#samples[at] ?? this.#samples[0]!).next(nowMs);
    this.#index.read(bytes);
    const request = this.#ledger.open(this.#index.count);
    this.#rename(bytes, request);
    return { request, bytes };
  }

  /** A request of a run of three spans, the middle one of which the table refuses. */
  poisoned(nowMs: number): LedgerRequest {
    const traceId = randomBytes(16);
    const names = ['invoke_agent', poisonName, 'execute_tool search'];
    const request = this.#ledger.open(names.length, 1);
    const spans = names.map((name, index) => ({
      traceId,
      spanId: spanIdOf(request, index),
      ...(index > 0 && { parentSpanId: spanIdOf(request, 0) }),
      name,
      kind: 1,
      startTimeUnixNano: `${nowMs - 50}000000`,
      endTimeUnixNano: `${nowMs}000000`,
    }));
    return { request, bytes: encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] }) };
  }

  /** Writes the ledger's ids over those of the spans, and of their parents. */
  #rename(bytes: Uint8Array, request: number): void {
    const { spans, count } = this.#index;
    const renamed = new Map<string, Buffer>();
    const idAt = (at: number): string => Buffer.from(bytes.subarray(at, at + spanIdBytes)).toString('hex');
    for (let row = 0; row < count; row++) renamed.set(idAt(spans.spanIdAt[row]!), spanIdOf(request, row));
    for (let row = 0; row < count; row++)
      for (const at of [spans.spanIdAt[row]!, spans.parentSpanIdAt[row]!])
        if (at !== absent) bytes.set(renamed.get(idAt(at)) ?? spanIdOf(request, row), at);
  }
}
