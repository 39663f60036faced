import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Assessor } from '../../src/assess/assessor.ts';
import { RowOutbox } from '../../src/assess/row-outbox.ts';
import { StateLog } from '../../src/assess/state-log.ts';
import { createLog } from '../../src/core/log.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { EnrichedSpans } from '../../src/enrich/enriched-spans.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { Judge } from '../../src/judge/judge.ts';
import { attributesOf, type Values } from '../enrich/one-span.ts';
import { value } from '../kpi/events.ts';
import { encodeRequest, type OracleSpan } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { incidentBook } from './incident-books.ts';
import { MemoryPartition } from './memory-partition.ts';
import { MemoryRuns } from './memory-runs.ts';
import { MemoryStates } from './memory-states.ts';

/**
 * Ten runs of release 1.4.0: 6 succeed, 2 fail, 1 waits for a human for ever, 1 is abandoned. A human was needed in 2
 * of them: that one, and a success after an approval. 40 tool calls: 3 failed finally, 2 were rejected by a human, 5
 * were retried once. Models cost 0.80 USD, tools 0.10, and a human worked 12 minutes at 60 USD an hour.
 */
const noon = Date.UTC(2026, 10, 23, 12);
const minute = 60_000;

const enricher = new Enricher({
  content: { mode: 'drop' },
  prices: {
    tools: { web_search: 0.01 },
    review: { usdPerHour: 60, usdPerHourByRole: {}, limitMs: 60 * minute },
  },
});

type Ending = 'success' | 'failure' | 'abandoned' | 'pending';
const endings: readonly Ending[] = [
  ...Array.from({ length: 6 }, () => 'success' as const),
  'failure',
  'failure',
  'pending',
  'abandoned',
];

/** What happens to the tool calls of each run, by run and tool; the rest end well at once. */
const mishaps: Readonly<Record<string, 'failed' | 'rejected' | 'retried'>> = {
  '0 get_order': 'retried',
  '1 get_order': 'retried',
  '2 pay': 'retried',
  '3 pay': 'retried',
  '6 get_order': 'retried',
  '6 pay': 'failed',
  '7 pay': 'failed',
  '9 notify': 'failed',
  '5 pay': 'rejected',
  '5 notify': 'rejected',
};

const tools = ['get_order', 'web_search', 'pay', 'notify'];
const nanoseconds = (ms: number): string => `${ms}000000`;

/** The spans of one run, children first, as a batch exporter sends them. */
class Trace {
  readonly spans: OracleSpan[] = [];
  readonly #traceId: Buffer;
  readonly #startMs: number;
  #nowMs: number;

  constructor(run: number) {
    this.#traceId = Buffer.alloc(16, run + 1);
    this.#startMs = noon + run * minute;
    this.#nowMs = this.#startMs;
  }

  add(name: string, values: Values, rest: OracleSpan = {}, ms = 100): void {
    const startMs = this.#nowMs;
    this.#nowMs += ms;
    this.spans.push(this.#span(name, values, startMs, { parentSpanId: this.#id(0), ...rest }));
  }

  root(values: Values, rest: OracleSpan): void {
    this.spans.push(
      this.#span('invoke_agent refund', values, this.#startMs, { spanId: this.#id(0), ...rest }),
    );
  }

  #span(name: string, values: Values, startMs: number, rest: OracleSpan): OracleSpan {
    return {
      traceId: this.#traceId,
      spanId: this.#id(this.spans.length + 1),
      name,
      startTimeUnixNano: nanoseconds(startMs),
      endTimeUnixNano: nanoseconds(this.#nowMs),
      attributes: attributesOf(values),
      ...rest,
    };
  }

  #id(number: number): Buffer {
    return Buffer.from(`${this.#traceId.toString('hex', 0, 7)}${String(number).padStart(2, '0')}`, 'hex');
  }
}

const failed: OracleSpan = { status: { code: 2 } };
const usage = (calls: number): Values => ({
  'gen_ai.provider.name': 'openai',
  'gen_ai.request.model': 'gpt-4o',
  'gen_ai.usage.input_tokens': 16_000 * calls,
});

/** Two model calls of 0.04 USD, four tools; an agent span around them that repeats the usage. */
function runOf(ending: Ending, run: number): OracleSpan[] {
  const trace = new Trace(run);
  trace.add('chat', { 'gen_ai.operation.name': 'chat', ...usage(1) });
  for (const tool of tools) {
    const values = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': tool };
    const attributes = { ...values, 'gen_ai.tool.call.arguments': `{"order":${run}}` };
    const mishap = mishaps[`${run} ${tool}`];
    if (mishap === 'rejected') trace.add('tool', { ...attributes, 'plimsoll.escalation.state': 'rejected' });
    else trace.add('tool', attributes, mishap ? failed : {});
    if (mishap === 'retried') trace.add('tool', attributes);
  }
  trace.add('chat', { 'gen_ai.operation.name': 'chat', ...usage(1) });
  if (run === 5) trace.add('plimsoll.review', { 'plimsoll.escalation.state': 'approved' }, {}, 12 * minute);
  if (ending === 'pending') {
    trace.add('gate', { 'plimsoll.escalation.reason': 'approval', 'plimsoll.escalation.state': 'requested' });
    return trace.spans;
  }
  const said = ending === 'failure' ? {} : { 'plimsoll.run.outcome': ending };
  const values = {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': 'refund',
    ...usage(2),
    ...said,
  };
  trace.root(values, ending === 'failure' ? failed : {});
  return trace.spans;
}

const resource = {
  attributes: attributesOf({
    'service.name': 'refund',
    'service.version': '1.4.0',
    'deployment.environment.name': 'production',
  }),
};

describe('ten runs of a release', () => {
  const stopping = new AbortController();
  let nowMs = noon + 30 * minute;
  const clock = { nowMs: () => nowMs };
  const log = createLog('silent');
  const assessor = new Assessor(
    {
      windowsMs: [60 * minute],
      latenessMs: 20 * minute,
      maxSeries: 10_000,
      idleTimeoutMs: 5 * minute,
      maxRuns: 1000,
      guessEscalations: false,
      snapshotEveryMs: 1000,
    },
    {
      partitions: 1,
      spans: new EnrichedSpans(enricher),
      outbox: new RowOutbox(new MemoryRuns(), { log }),
      states: new StateLog(new MemoryStates(), log),
      policyRevision: () => '',
      book: incidentBook(),
      judge: new Judge(() => undefined),
      judged: () => {},
      incidentsCommitted: () => {},
      clock,
      telemetry: new Telemetry(),
      log,
    },
  );
  let worker: Promise<void>;

  beforeAll(async () => {
    const partition = new MemoryPartition();
    for (const [run, ending] of endings.entries()) {
      const request = encodeRequest({
        resourceSpans: [{ resource, scopeSpans: [{ spans: runOf(ending, run) }] }],
      });
      for (const { payload, spans, headers } of enricher.enrich(request, 1).records)
        partition.appendBytes(clock.nowMs(), payload.slice(), spans, headers);
    }
    const { claim, reached } = partition.claim(new AbortController().signal);
    worker = assessor.worker(claim, stopping.signal);
    await reached;
    nowMs += minute; // the stream is silent, so time goes on and the run that waits has ended
    await until('all runs to have ended', () => ended() === endings.length);
  });

  afterAll(async () => {
    stopping.abort();
    await worker;
  });

  /** Of all series. */
  function sum(name: string): number {
    const samples = assessor.families().find((family) => family.name === name)?.samples ?? [];
    return samples.reduce((total, sample) => total + sample.value, 0);
  }

  const ended = (): number => sum('plimsoll_runs_total');

  test.each([
    ['task success rate', 'run_success', 6 / 10],
    ['escalation rate', 'run_escalation', 2 / 10],
    ['containment', 'run_containment', 7 / 10],
    ['tool success rate', 'tool_call_success', 35 / 38],
    ['attempt success rate', 'tool_call_attempt_success', 35 / 43],
    ['retry rate', 'tool_call_retry', 5 / 38],
    ['cost per task', 'cost_usd_per_run', 1.29],
    ['cost per success', 'cost_usd_per_success', 2.15],
    ['review cost per run', 'review_cost_usd_per_run', 1.2],
  ])('have the %s that was worked out by hand', (_, name, expected) => {
    const stem = `plimsoll_kpi_${name}`;
    expect(sum(`${stem}_numerator`) / sum(`${stem}_denominator`)).toBeCloseTo(expected, 12);
  });

  test('belong to one release, and nothing was counted twice', () => {
    const of = { agent: 'refund', release: '1.4.0', environment: 'production' };
    const families = assessor.families();
    expect(value(families, 'plimsoll_kpi_run_success_denominator', of)).toBe(10);
    for (const [category, usd] of Object.entries({ llm: 0.8, tool: 0.1, review: 12 }))
      expect(value(families, 'plimsoll_cost_usd_total', { ...of, category })).toBeCloseTo(usd, 12);
    expect(sum('plimsoll_tool_call_attempts_total')).toBe(45);
  });
});
