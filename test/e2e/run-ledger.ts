import { randomBytes } from 'node:crypto';
import { encodeRequest, type OracleAttribute, type OracleSpan } from '../otlp/oracle.ts';

/** A run whose every span was acknowledged, as whoever sent it knows it; `nanos` are billionths of a US dollar. */
interface SentRun {
  readonly nanos: number;
  readonly inputTokens: number;
}

/** A run as a query gives it. */
export interface StoredRun {
  readonly id: string;
  readonly usd: string;
  readonly tokens: string;
}

/** Each run as the table of runs has it; more than one row of a run shows as such. */
export const runsQuery =
  'SELECT RunId AS id, toString(LlmCostUsd) AS usd, toString(InputTokens) AS tokens FROM runs ORDER BY id';

/** The same by what its innermost spans say, each taken once however often it was sent. */
export const leavesQuery =
  "SELECT RunId AS id, toString(sum(CostUsd)) AS usd, toString(sum(InputTokens)) AS tokens FROM (SELECT RunId, CostUsd, InputTokens, Step FROM otel_traces LIMIT 1 BY TraceId, SpanId) WHERE Step = 'llm' GROUP BY id ORDER BY id";

const runsPerRound = 25;
const callsPerRun = 3;

/** Sends a request and resolves with whether it was acknowledged; rejects when the connection dies before an answer. */
type Send = (request: Uint8Array) => Promise<boolean>;

/** What a sender knows of its runs. */
export class RunLedger {
  readonly acknowledged = new Map<string, SentRun>();

  /**
   * Sends a round of runs, each over two requests: what was done, then the agent's own span, and with it some spans again.
   * False when the connection died: nobody knows what became of the round.
   */
  async sendRound(send: Send): Promise<boolean> {
    const runs = Array.from({ length: runsPerRound }, makeRun);
    const again = runs.slice(0, 2).flatMap(({ inner }) => inner);
    for (const spans of [runs.flatMap(({ inner }) => inner), [...runs.map(({ root }) => root), ...again]]) {
      const request = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
      const isAcknowledged = await send(request).catch(() => undefined); // the kill
      if (isAcknowledged === undefined) return false;
      if (!isAcknowledged) return true;
    }
    for (const { id, sent } of runs) this.acknowledged.set(id, sent);
    return true;
  }

  /** What is amiss with `stored`: how many runs are lost, have several rows, or other sums than they were sent with. */
  compare(stored: readonly StoredRun[]): Readonly<Record<'lost' | 'doubled' | 'wrong', number>> {
    const byId = new Map(stored.map((run) => [run.id, run]));
    const [lost, wrong] = [[] as string[], [] as string[]];
    for (const [id, { nanos, inputTokens }] of this.acknowledged) {
      const run = byId.get(id);
      if (!run) lost.push(id);
      else if (nanosOf(run.usd) !== BigInt(nanos) || run.tokens !== String(inputTokens)) wrong.push(id);
    }
    return { lost: lost.length, doubled: stored.length - byId.size, wrong: wrong.length };
  }
}

function nanosOf(decimal: string): bigint {
  const [whole = '', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(9, '0'));
}

function makeRun(): {
  readonly id: string;
  readonly inner: readonly OracleSpan[];
  readonly root: OracleSpan;
  readonly sent: SentRun;
} {
  const traceId = randomBytes(16);
  const rootId = randomBytes(8);
  const now = Date.now();
  const spanOf = (name: string, attributes: OracleAttribute[], spanId = randomBytes(8)): OracleSpan => ({
    traceId,
    spanId,
    name,
    kind: 1,
    startTimeUnixNano: `${now - 50}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes,
    ...(spanId !== rootId && { parentSpanId: rootId }),
  });
  const calls = Array.from({ length: callsPerRun }, () => ({
    nanos: Math.floor(Math.random() * 1e9),
    inputTokens: Math.floor(Math.random() * 1000),
  }));
  const models = calls.map(({ nanos, inputTokens }) =>
    spanOf('chat', [
      { key: 'gen_ai.operation.name', value: { stringValue: 'chat' } },
      { key: 'gen_ai.usage.input_tokens', value: { intValue: String(inputTokens) } },
      { key: 'plimsoll.cost.usd', value: { doubleValue: nanos / 1e9 } },
    ]),
  );
  const tool = spanOf('execute_tool pay', [
    { key: 'gen_ai.operation.name', value: { stringValue: 'execute_tool' } },
    { key: 'gen_ai.tool.name', value: { stringValue: 'pay' } },
  ]);
  const agent = [
    { key: 'gen_ai.operation.name', value: { stringValue: 'invoke_agent' } },
    { key: 'gen_ai.agent.name', value: { stringValue: 'refund' } },
  ];
  return {
    id: traceId.toString('hex'),
    inner: [...models, tool],
    root: spanOf('invoke_agent refund', agent, rootId),
    sent: {
      nanos: calls.reduce((sum, call) => sum + call.nanos, 0),
      inputTokens: calls.reduce((sum, call) => sum + call.inputTokens, 0),
    },
  };
}
