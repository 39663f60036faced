import { afterAll, beforeAll, expect, test } from 'vitest';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { constructedLogs, constructedRequests } from '../fixtures.ts';
import { openClient } from '../receiver/grpc-client.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const method = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
/** Fixtures are of one time; a window takes what is of now. */
const fixtureMs = 1_795_400_000_000;
const shiftMs = Date.now() - 60_000 - fixtureMs;
const ofNow = (json: string): string =>
  json.replace(
    /"(17954000\d{11})"/g,
    (_, nanos: string) => `"${BigInt(nanos) + BigInt(shiftMs) * 1_000_000n}"`,
  );

const logs = new Map(
  constructedLogs().map(({ name, json }) => [name.replace('.logs.json', ''), ofNow(json)]),
);
const traced = constructedRequests().find(({ name }) => name.startsWith('claude-code-waits'))!;
const protobufOf = (name: string) => Buffer.from(jsonToProtobuf(Buffer.from(logs.get(name)!), 'logs').bytes);

let place: Place;
let program: Program;

beforeAll(async () => {
  place = new Place('processors: { runs: { idle_timeout: 1s } }');
  program = await Program.start(place);
});
afterAll(async () => {
  await program.kill('SIGKILL');
  place.remove();
});

async function post(path: string, type: string, body: string | Uint8Array): Promise<unknown> {
  const response = await fetch(program.url('OTLP HTTP') + path, {
    method: 'POST',
    headers: { 'content-type': type },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  expect(response.status).toBe(200);
  return type.endsWith('json') ? response.json() : response.arrayBuffer();
}

test('log records are rows beside the spans of their trace, and runs of their own without one', async () => {
  await post('/v1/traces', 'application/json', ofNow(traced.json));
  expect(await post('/v1/logs', 'application/json', logs.get('claude-code-waits')!)).toEqual({});
  expect(await post('/v1/logs', 'application/json', logs.get('evaluation-events')!)).toMatchObject({
    partialSuccess: { rejectedLogRecords: '1', errorMessage: expect.stringContaining('neither a trace id') },
  });
  await post('/v1/logs', 'application/x-protobuf', protobufOf('codex-events'));
  const { host } = new URL(program.url('OTLP gRPC'));
  const client = openClient(host);
  expect((await client.call(protobufOf('claude-code-events'), { method })).code).toBe(0);
  client.close();

  const rows = await until('every row', async () => {
    const found = await program.query<{ Kind: string; Runs: string; Spans: string }>(
      `SELECT if(SpanAttributes['plimsoll.log'] = '', 'span', SpanAttributes['plimsoll.log']) AS Kind,
         toString(uniqExact(RunId)) AS Runs, toString(count()) AS Spans FROM otel_traces GROUP BY Kind ORDER BY Kind`,
    );
    return found.reduce((sum, { Spans }) => sum + Number(Spans), 0) === 11 + 7 + 3 + 7 + 9 && found;
  });
  expect(rows).toEqual([
    { Kind: 'span', Runs: '1', Spans: '11' },
    { Kind: 'traced', Runs: '1', Spans: '10' },
    { Kind: 'untraced', Runs: '2', Spans: '16' },
  ]);
  const [survey] = await program.query<{ Score: string }>(
    `SELECT SpanAttributes['plimsoll.score.feedback_survey'] AS Score FROM otel_traces WHERE SpanName = 'claude_code.feedback_survey'`,
  );
  expect(survey).toEqual({ Score: '0.5' });
  const secrets = await program.query(
    `SELECT SpanName FROM otel_traces WHERE toString(SpanAttributes) LIKE '%secret%' OR toString(SpanAttributes) LIKE '%rm old%'`,
  );
  expect(secrets).toEqual([]);
});

test('what they tell moves the gauges, and what they repeat counts once', async () => {
  const metrics = await until('three runs', async () => {
    const text = await program.metrics();
    const ended = [...text.matchAll(/^plimsoll_runs_total\{.*\} (\d+)$/gm)];
    return ended.reduce((sum, [, runs]) => sum + Number(runs), 0) === 3 && text;
  });
  const sumOf = (pattern: RegExp): number =>
    [...metrics.matchAll(pattern)].reduce((sum, [, number]) => sum + Number(number), 0);
  // Bash, Write and Read of the traced run; three of Codex; Bash and Read without a trace.
  expect(sumOf(/^plimsoll_tool_calls_total\{.*\} (\d+)$/gm)).toBe(3 + 3 + 2);
  expect(sumOf(/^plimsoll_cost_usd_total\{agent="claude-code",.*category="llm"\} ([\d.]+)$/gm)).toBeCloseTo(
    0.03 + 0.015,
    9,
  );
  expect(metrics).toMatch(
    /^plimsoll_kpi_quality_score_ratio\{.*evaluator="helpfulness",window="5m"\} 0\.9$/m,
  );
  expect(metrics).toMatch(/^plimsoll_kpi_quality_score_ratio\{.*evaluator="policy",window="5m"\} 0$/m);
  expect(metrics).toMatch(
    /^plimsoll_kpi_quality_score_ratio\{.*evaluator="feedback_survey",window="5m"\} 0\.5$/m,
  );
  expect(metrics).toContain('plimsoll_enrich_unread_scores_total{reason="no_value"} 1\n');
  expect(metrics).toContain(
    'plimsoll_receiver_unstored_log_records_total{receiver="otlp",transport="http"} 2\n',
  );
  expect(metrics).toContain(
    'plimsoll_receiver_unstored_log_records_total{receiver="otlp",transport="grpc"} 2\n',
  );
});

const counted = (text: string): string[] =>
  text.match(/^plimsoll_(?:runs|tool_calls|cost_usd)_total\{.*/gm) ?? [];

test('records sent again in another request are rows again and count nothing', async () => {
  const before = await program.metrics();
  await post('/v1/logs', 'application/json', logs.get('claude-code-events')!);
  const after = await until('every record again', async () => {
    const text = await program.metrics();
    return /^plimsoll_assess_resent_spans_total 9$/m.test(text) && text;
  });
  expect(counted(after)).toEqual(counted(before));
  expect(counted(after).length).toBeGreaterThan(0);
});
