import { expect } from 'vitest';
import { Place, Program } from '../e2e/program.ts';
import { until } from '../until.ts';

/**
 * Starts a program, lets `job` send it the spans of the job that stands here in each language, and expects that it
 * knows of it what the snippets in deploy/instrument say.
 */
export async function expectJob(job: (endpoint: string) => Promise<unknown>): Promise<void> {
  const place = new Place('processors: { runs: { idle_timeout: 2s } }');
  const program = await Program.start(place);
  try {
    await job(program.url('OTLP HTTP'));
    await expectRows(program);
    await expectCounts(program);
    await expectScore(program);
  } finally {
    await program.kill('SIGKILL');
    place.remove();
  }
}

async function expectRows(program: Program): Promise<void> {
  const found = await until('every span', async () => {
    const rows = await program.query<Record<string, string>>(`
      SELECT Step AS step, AgentName AS agent, if(RunId = TraceId, '', RunId) AS run, SessionId AS session,
        SpanAttributes['plimsoll.user.id'] AS user, SpanAttributes['plimsoll.task.type'] AS task, Outcome AS outcome,
        concat(EscalationReason, ' ', EscalationState) AS escalation,
        SpanAttributes['plimsoll.reviewer.role'] AS reviewer, CAST(ErrorType != '' AS Bool) AS failed
      FROM otel_traces
      WHERE ServiceName = 'shop' AND Release = '1.4.0' AND Environment = 'staging'`);
    return rows.length === 10 && rows;
  });
  const nothing = {
    step: 'other',
    agent: 'shop',
    run: '',
    session: '',
    user: '',
    task: '',
    outcome: '',
    escalation: ' ',
    reviewer: '',
    failed: false,
  };
  const within = { ...nothing, run: 'run-1', session: 'session-1', user: 'user-hash', task: 'refund' };
  const rows = [
    { ...within, step: 'agent', agent: 'clerk' },
    { ...within, step: 'tool' },
    { ...within, escalation: 'approval requested' },
    { ...within, step: 'agent', agent: 'clerk', outcome: 'success' },
    { ...within, escalation: 'approval approved' },
    { ...within, step: 'review', reviewer: 'lawyer' },
    { ...within, step: 'tool' },
    { ...nothing, run: 'run-2', step: 'agent', agent: 'clerk', failed: true },
    { ...nothing, run: 'run-3', step: 'agent', agent: 'clerk', failed: true },
    { ...nothing, step: 'tool' },
  ];
  expect(inOrder(found)).toEqual(inOrder(rows));
}

async function expectScore(program: Program): Promise<void> {
  const scored = await until('the runs', async () => {
    const runs = await program.query<Record<string, unknown>>(
      "SELECT RunId, Outcome, Scores FROM runs WHERE RunId LIKE 'run-%' ORDER BY RunId",
    );
    return runs.length === 3 && runs;
  });
  expect(scored).toEqual([
    { RunId: 'run-1', Outcome: 'success', Scores: { helpfulness: 0.8 } },
    { RunId: 'run-2', Outcome: 'failure', Scores: {} },
    { RunId: 'run-3', Outcome: 'failure', Scores: {} },
  ]);
}

/** Spans of one moment have no order, so they are told apart by what they say. */
function inOrder<T>(rows: readonly T[]): readonly T[] {
  return rows.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
}
const textOf = (row: unknown): string => JSON.stringify(row);

async function expectCounts(program: Program): Promise<void> {
  const expected = [
    'plimsoll_runs_total{outcome="success",evidence="app"} 1',
    'plimsoll_runs_total{outcome="failure",evidence="none"} 2',
    'plimsoll_run_escalations_total{reason="approval"} 1',
    'plimsoll_tool_calls_total{tool="lookup",result="ok"} 2',
  ];
  const labels = 'agent="clerk",release="1.4.0",environment="staging"';
  await until('the counters', async () => {
    const counted = (await program.metrics()).replaceAll(`${labels},`, '').split('\n');
    return expected.every((line) => counted.includes(line));
  });
}
