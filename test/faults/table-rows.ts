import type { ClickHouseServer } from '../clickhouse/server.ts';
import { decodeRequest } from '../otlp/oracle.ts';
import type { KafkaView } from './kafka-view.ts';
import { spanIdOf, type Ledger } from './ledger.ts';

/** Requests whose rows are asked for at once. */
const pageRequests = 2000;
const firstId = (request: number): string => spanIdOf(request, 0).toString('hex');
const within = (from: number, to: number): string =>
  `SpanId >= '${firstId(from)}' AND SpanId < '${firstId(to)}'`;

/** How many of `requests` have all of their rows. */
export async function storedOf(
  clickhouse: ClickHouseServer,
  ledger: Ledger,
  requests: readonly number[],
): Promise<number> {
  const span = within(Math.min(...requests), Math.max(...requests) + 1);
  const rows = await clickhouse.query<{ request: string; spans: string }>(
    `SELECT substring(SpanId, 5, 8) AS request, uniqExact(SpanId) AS spans FROM otel_traces WHERE ${span} GROUP BY request`,
  );
  const stored = new Map(rows.map(({ request, spans }) => [parseInt(request, 16), Number(spans)]));
  return requests.filter((request) => stored.get(request) === ledger.rowsOf(request)).length;
}

/** Every span id in the table, with how many rows it has. */
export async function rowsById(
  clickhouse: ClickHouseServer,
  ledger: Ledger,
): Promise<readonly (readonly [spanId: string, rows: number])[]> {
  const found: (readonly [string, number])[] = [];
  const read = async (where: string): Promise<void> => {
    const rows = await clickhouse.query<{ id: string; rows: string }>(
      `SELECT SpanId AS id, count() AS rows FROM otel_traces WHERE ${where} GROUP BY id`,
    );
    for (const row of rows) found.push([row.id, Number(row.rows)]);
  };
  for (let from = 0; from < ledger.requests; from += pageRequests)
    await read(within(from, Math.min(ledger.requests, from + pageRequests)));
  await read(`NOT (${within(0, ledger.requests)})`);
  return found;
}

/** Rows beyond the first of their position in the stream. */
export async function repeatedPositions(clickhouse: ClickHouseServer): Promise<number> {
  const [row] = await clickhouse.query<{ rows: string; positions: string }>(
    'SELECT count() AS rows, uniqExact(StreamId, StreamPartition, StreamOffset, StreamIndex) AS positions FROM otel_traces',
  );
  return Number(row?.rows) - Number(row?.positions);
}

/**
 * How many runs that have spans in the table have no row of their own, or another cost or other tokens in it than those
 * spans add up to.
 */
export async function runsAmiss(clickhouse: ClickHouseServer): Promise<number> {
  const ofSpans =
    "SELECT RunId, ifNull(sumIf(CostUsd, Step = 'llm'), 0) AS Usd, ifNull(sumIf(InputTokens, Step = 'llm'), 0) AS Tokens FROM (SELECT RunId, CostUsd, InputTokens, Step FROM otel_traces LIMIT 1 BY TraceId, SpanId) GROUP BY RunId";
  const [row] = await clickhouse.query<{ amiss: string }>(
    `SELECT count() AS amiss FROM (${ofSpans}) AS s LEFT ANTI JOIN runs AS r ON s.RunId = r.RunId AND s.Usd = r.LlmCostUsd AND s.Tokens = r.InputTokens`,
  );
  return Number(row?.amiss);
}

/** How many runs have a row. */
export async function runRows(clickhouse: ClickHouseServer): Promise<number> {
  const [row] = await clickhouse.query<{ rows: string }>('SELECT count() AS rows FROM runs');
  return Number(row?.rows);
}

/** The span ids of every dead letter. */
export async function deadSpanIds(deadLetters: KafkaView): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { payload } of deadLetters.records(0))
    for (const { scopeSpans } of decodeRequest(payload).resourceSpans ?? [])
      for (const { spans } of scopeSpans ?? [])
        for (const { spanId } of spans ?? []) ids.push(Buffer.from(spanId ?? []).toString('hex'));
  return ids;
}
