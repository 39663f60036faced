import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { OwnershipLost } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { headersOf } from '../../src/core/table-row.ts';
import type { Incident } from '../../src/incidents/incident.ts';
import { incidentRow } from '../../src/incidents/incident-row.ts';
import { policyRow } from '../../src/policy/policy-row.ts';
import { runRow } from '../../src/runs/run-row.ts';
import { RowStore } from '../../src/store/row-store.ts';
import { Tables } from '../../src/store/tables.ts';
import { bookOf, report } from '../incidents/books.ts';
import { policyFile } from '../policy/policies.ts';
import { finishedRun } from '../runs/finished-runs.ts';
import { until } from '../until.ts';
import { silentLog } from './embedded.ts';
import { engines, type StartedClickHouse } from './engines.ts';
import { MemoryPartition } from './memory-stream.ts';

const llm = (usd: number) => ({ costUsd: { llm: usd, tool: 0, review: 0 } });

const headers = headersOf('agent_runs');

/** A record of runs as assess appends it. */
function append(stream: MemoryPartition, ...runs: Parameters<typeof finishedRun>[0][]): void {
  const rows = runs.map((run) => `${runRow(finishedRun(run))}\n`);
  stream.append(Buffer.from(rows.join('')), 0, headers);
}

async function metric({ registry }: Telemetry, name: string): Promise<number> {
  return Number((await registry.getSingleMetricAsString(name)).split(' ').at(-1));
}

describe.each(engines)('with ClickHouse $name', ({ start }) => {
  let started: StartedClickHouse;
  let tables: Tables;

  beforeAll(async () => {
    started = await start();
    tables = new Tables({
      clickhouse: started.clickhouse,
      cluster: undefined,
      isServer: false,
      log: silentLog,
    });
    await tables.start();
  });
  afterAll(async () => {
    await started.remove();
  });
  beforeEach(async () => {
    await started.clickhouse.command('TRUNCATE TABLE agent_runs');
    await started.clickhouse.command('TRUNCATE TABLE policies');
    await started.clickhouse.command('TRUNCATE TABLE incidents');
  });

  const query = async <Row>(sql: string): Promise<readonly Row[]> => started.clickhouse.query<Row>(sql);

  function storeOf(target: Pick<Tables, 'insertRows'> = tables, telemetry = new Telemetry()): RowStore {
    return new RowStore({
      tables: target,
      telemetry,
      log: silentLog,
      clock: systemClock,
      settings: {
        flushIntervalMs: 20,
        limits: { rows: 1000, bytes: 2 ** 20 },
        backoff: { initialMs: 1, maxMs: 10 },
        verifyMs: 0,
      },
    });
  }

  /** Stores everything that is on `stream`. */
  async function storeAll(stream: MemoryPartition, store = storeOf()): Promise<void> {
    const stopping = new AbortController();
    const working = store.worker(stream.claim(), stopping.signal);
    await until('every run is stored', () => stream.committed?.position.offset === stream.records.length);
    stopping.abort();
    await working;
  }

  test('a run has one row with all that is known of it', async () => {
    const stream = new MemoryPartition();
    const run = {
      runId: "order-7 'ä' \\",
      traceId: 'a'.repeat(32),
      agent: 'refund',
      release: '1.4.0',
      environment: 'production',
      sessionId: 's',
      userId: 'u',
      taskType: 't',
      startMs: Date.UTC(2026, 10, 23, 12, 0, 0, 7),
      endMs: Date.UTC(2026, 10, 23, 12, 0, 2, 507),
      closedMs: Date.UTC(2026, 10, 23, 12, 5, 2, 507),
      closedBy: 'idle',
      outcome: 'escalated',
      evidence: 'human',
      escalationReason: 'approval',
      toolCalls: { ok: 4, error: 1, rejected: 2, cancelled: 3, attempts: 12 },
      costUsd: { llm: 0.1, tool: 0.000000001, review: 123456.789 },
      reviewSeconds: 90.5,
      inputTokens: 250,
      outputTokens: Number.MAX_SAFE_INTEGER,
      version: 11,
    } as const;
    stream.append(Buffer.from(`${runRow(finishedRun(run), '0123456789ab')}\n`), 0, headers);
    await storeAll(stream);
    expect(
      await query(
        'SELECT * REPLACE(toString(InputTokens) AS InputTokens, toString(OutputTokens) AS OutputTokens, toString(LlmCostUsd) AS LlmCostUsd, toString(ToolCostUsd) AS ToolCostUsd, toString(ReviewCostUsd) AS ReviewCostUsd, toString(CostUsd) AS CostUsd, toUInt32(Version) AS Version) FROM runs',
      ),
    ).toEqual([
      {
        RunId: "order-7 'ä' \\",
        TraceId: 'a'.repeat(32),
        AgentName: 'refund',
        Release: '1.4.0',
        Environment: 'production',
        SessionId: 's',
        UserId: 'u',
        TaskType: 't',
        StartTime: '2026-11-23 12:00:00.007',
        EndTime: '2026-11-23 12:00:02.507',
        ClosedTime: '2026-11-23 12:05:02.507',
        ClosedBy: 'idle',
        Outcome: 'escalated',
        Evidence: 'human',
        Escalated: true,
        EscalationReason: 'approval',
        ToolCalls: 10,
        ToolCallsFailed: 1,
        ToolCallsRejected: 2,
        ToolCallsCancelled: 3,
        ToolCallAttempts: 12,
        InputTokens: '250',
        OutputTokens: '9007199254740991',
        LlmCostUsd: '0.1',
        ToolCostUsd: '0.000000001',
        ReviewCostUsd: '123456.789',
        ReviewSeconds: 90.5,
        Priced: true,
        Scores: {},
        PolicyRevision: '0123456789ab',
        Version: 11,
        DurationSeconds: 2.5,
        CostUsd: '123456.889000001',
      },
    ]);
  });

  test('a view of a run that lacks spans never replaces the whole one, whichever comes last', async () => {
    const stream = new MemoryPartition();
    append(stream, { runId: 'a', version: 9, outcome: 'success' }, { runId: 'b', version: 1 });
    append(stream, { runId: 'a', version: 2 }, { runId: 'b', version: 3, outcome: 'success' });
    await storeAll(stream);
    await storeAll(Object.assign(new MemoryPartition(), { records: stream.records })); // as after a crash before the commit
    expect(await query('SELECT RunId, Outcome FROM runs ORDER BY RunId')).toEqual([
      { RunId: 'a', Outcome: 'success' },
      { RunId: 'b', Outcome: 'success' },
    ]);
  });

  test('a row that says more than this version knows, or less, is taken for what it says', async () => {
    const stream = new MemoryPartition();
    const rows = '{"RunId":"more","Version":1,"OfTheFuture":{"a":[1]}}\n{"RunId":"less","Version":1}\n';
    stream.append(Buffer.from(rows), 0, headers);
    await storeAll(stream);
    expect(await query('SELECT RunId, Priced, ToolCalls FROM runs ORDER BY RunId')).toEqual([
      { RunId: 'less', Priced: false, ToolCalls: 0 },
      { RunId: 'more', Priced: false, ToolCalls: 0 },
    ]);
  });

  test('a run of any texts and sums is stored, and holds nothing up', async () => {
    const stream = new MemoryPartition();
    append(stream, {
      runId: '\u{d800} \n "\0"',
      agent: 'x'.repeat(100_000),
      startMs: 0,
      endMs: 1.8e13,
      closedMs: 1.8e13,
      costUsd: { llm: 9e15, tool: 0, review: 0 },
      inputTokens: 9e22,
    });
    await storeAll(stream);
    expect(await query('SELECT length(AgentName) AS length, toUInt32(LlmCostUsd) AS usd FROM runs')).toEqual([
      { length: 1000, usd: 999_999_999 },
    ]);
  });

  test('a line that is no run is left out and counted, and stops no other', async () => {
    const stream = new MemoryPartition();
    const broken = [
      'hello',
      '\u{0}\u{1}',
      '[]',
      'null',
      '{"RunId":"cut","Ver',
      '{"RunId":"b","Version":-1}',
      '{"RunId":"b","Version":1.5}',
      '{"RunId":"b","Version":1,"StartTime":"2026-02-30 00:00:00.000"}',
      '{"RunId":"b","Version":1,"LlmCostUsd":"9999999999.0"}',
      '{"RunId":"b","Version":1,"Priced":"maybe"}',
      '{"RunId":"b","Version":1,"Scores":[]}',
      String.raw`{"RunId":"\ud800","Version":1}`,
      '{"RunId":"b","Version":1,"New":',
    ];
    append(stream, { runId: 'before' });
    for (const line of broken) {
      stream.append(Buffer.from(line), 0, headers); // without an end, so that it would spoil what follows
      append(stream, { runId: `after ${line}`.toWellFormed() });
    }
    stream.append(Buffer.from(`${runRow(finishedRun({ runId: 'beside' }))}\n?\n`), 0, headers);
    stream.append(Buffer.from('{"RunId":"twice","Version":1,"Version":2}\n'), 0, headers);
    const telemetry = new Telemetry();
    const store = storeOf(tables, telemetry);
    await storeAll(stream, store);
    const stored = await query<{ RunId: string }>('SELECT RunId FROM runs ORDER BY RunId');
    const expected = ['before', 'beside', 'twice', ...broken.map((line) => `after ${line}`.toWellFormed())];
    expect(stored.map(({ RunId }) => RunId)).toEqual(expected.toSorted());
    expect(await metric(telemetry, 'plimsoll_store_unreadable_run_rows_total')).toBe(broken.length + 1);
    expect(await metric(telemetry, 'plimsoll_store_run_rows_total')).toBe(expected.length);
    expect(store.stall).toBeUndefined();
  });

  test.each(['hello', '\n?\n', '{"RunId":"a"'])('a record that holds %j alone is passed', async (payload) => {
    const stream = new MemoryPartition();
    stream.append(Buffer.from(payload), 0, headers);
    const telemetry = new Telemetry();
    await storeAll(stream, storeOf(tables, telemetry));
    expect(await query('SELECT RunId FROM runs')).toEqual([]);
    expect(await metric(telemetry, 'plimsoll_store_unreadable_run_rows_total')).toBe(1);
  });

  test('a table that refuses a run holds the runs, and says so until that is mended', async () => {
    const stream = new MemoryPartition();
    append(stream, { runId: 'a', agent: 'refused' });
    await started.clickhouse.command("ALTER TABLE agent_runs ADD CONSTRAINT no CHECK AgentName != 'refused'");
    const store = storeOf();
    const stopping = new AbortController();
    const working = store.worker(stream.claim(), stopping.signal);
    await until('a reason', () => store.stall);
    expect(store.stall).toMatch(
      /^agent_runs takes no more rows: ClickHouse refused the row: VIOLATED_CONSTRAINT \(469\), constraint no: remove the constraint/,
    );
    expect(stream.committed).toBeUndefined();
    await started.clickhouse.command('ALTER TABLE agent_runs DROP CONSTRAINT no');
    await until('the run is stored', () => stream.committed?.position.offset === 1);
    expect(store.stall).toBeUndefined();
    expect(await query('SELECT RunId FROM runs')).toEqual([{ RunId: 'a' }]);
    stopping.abort();
    await working;
  });

  test('a policy has one row, of its first use, whoever says later that it is in use', async () => {
    const stream = new MemoryPartition();
    const [first, second] = [policyFile(), policyFile({ metadata: { version: 4 } })];
    const noon = Date.UTC(2026, 10, 23, 12);
    for (const [policy, sinceMs] of [
      [first, noon + 1],
      [second, noon + 3000],
      [first, noon],
      [first, noon + 60_000],
    ] as const)
      stream.append(Buffer.from(`${policyRow(policy, sinceMs).row}\n`), 0, headersOf('policies'));
    append(stream, { runId: 'beside' });
    await storeAll(stream);
    expect(
      await query('SELECT * EXCEPT (Version, Document) FROM policies FINAL ORDER BY PolicyVersion'),
    ).toEqual(
      [
        { policy: first, FirstUsed: '2026-11-23 12:00:00.000' },
        { policy: second, FirstUsed: '2026-11-23 12:00:03.000' },
      ].map(({ policy: { policy, revision }, FirstUsed }) => ({
        PolicyRevision: revision,
        Policy: 'search-agent',
        PolicyVersion: policy.metadata.version,
        Owner: 'team-search',
        OnCall: 'search-on-call',
        Agents: ['search-agent'],
        Environments: ['production'],
        GoodOutcomes: ['success', 'completed'],
        FirstUsed,
      })),
    );
    expect(
      await query(
        "SELECT JSONExtractFloat(Document, 'objectives', 'run_success', 'at_least') AS atLeast FROM policies FINAL WHERE PolicyVersion = 4",
      ),
    ).toEqual([{ atLeast: 0.9 }]);
    expect(await query('SELECT RunId FROM runs')).toEqual([{ RunId: 'beside' }]);
  });

  test('an incident has one row with where it stands, and how long that took', async () => {
    const stream = new MemoryPartition();
    const noon = Date.UTC(2026, 10, 23, 12);
    const { book, changed } = bookOf();
    book.open(report({ summary: 'Two "refunds"\n\ud800', startedMs: noon - 90_500 }), noon);
    book.change({ key: 'double-refund' }, 'acknowledged', noon + 60_000);
    book.change({ key: 'double-refund' }, 'resolved', noon + 3_600_000);
    book.open(report({ key: 'another', release: '2' }), noon);
    const say = (incident: Incident): void =>
      stream.append(Buffer.from(`${incidentRow(incident).row}\n`), 0, headersOf('incidents'));
    changed.toReversed().forEach(say); // the last of all may come first
    changed.forEach(say);
    await storeAll(stream);
    expect(await query('SELECT * EXCEPT (IncidentId, Version) FROM incidents_now ORDER BY Release')).toEqual([
      {
        IncidentKey: 'double-refund',
        Source: 'api',
        Policy: '',
        PolicyRevision: '',
        Kpi: '',
        AgentName: 'refund-agent',
        Release: '1.4.0',
        Environment: 'production',
        Severity: 'sev1',
        Owner: 'team-payments',
        Title: 'A refund was paid twice',
        Summary: 'Two "refunds"\n\ufffd',
        StartedTime: '2026-11-23 11:58:29.500',
        DetectedTime: '2026-11-23 12:00:00.000',
        AcknowledgedTime: '2026-11-23 12:01:00.000',
        MitigatedTime: null,
        ResolvedTime: '2026-11-23 13:00:00.000',
        Resolution: 'api',
        Repeats: 0,
        SecondsToDetect: 90.5,
        SecondsToAcknowledge: 60,
        SecondsToMitigate: null,
        SecondsToResolve: 3600,
      },
      expect.objectContaining({ IncidentKey: 'another', AcknowledgedTime: null, SecondsToResolve: null }),
    ]);
  });

  test('what a success is says the policy of the run, and costs are shared among those', async () => {
    const stream = new MemoryPartition();
    const policy = policyFile({ good_outcomes: ['success', 'escalated'] });
    stream.append(Buffer.from(`${policyRow(policy, 0).row}\n`), 0, headersOf('policies'));
    for (const [runId, outcome, revision] of [
      ['a', 'escalated', policy.revision],
      ['b', 'completed', policy.revision],
      ['c', 'success', policy.revision],
      ['d', 'completed', ''],
      ['e', 'escalated', ''],
      ['f', 'completed', 'nobody has it'],
    ] as const) {
      const run = finishedRun({ runId, outcome, agent: revision || 'none', ...llm(1) });
      stream.append(Buffer.from(`${runRow(run, revision)}\n`), 0, headers);
    }
    await storeAll(stream);
    for (const view of ['cost_per_task', 'kpi_hourly'])
      expect(
        await query(
          `SELECT AgentName, toUInt32(Successes) AS Successes, CostUsdPerSuccess FROM ${view} ORDER BY CostUsdPerSuccess, AgentName`,
        ),
        view,
      ).toEqual([
        { AgentName: 'nobody has it', Successes: 1, CostUsdPerSuccess: 1 },
        { AgentName: policy.revision, Successes: 2, CostUsdPerSuccess: 1.5 },
        { AgentName: 'none', Successes: 1, CostUsdPerSuccess: 2 },
      ]);
  });

  test('what a task costs leaves runs of unknown price out, and shares what failed runs cost among those that went well', async () => {
    const stream = new MemoryPartition();
    const day = { agent: 'refund', release: '1', environment: 'test' };
    append(
      stream,
      { ...day, runId: 'a', outcome: 'success', ...llm(0.25) },
      { ...day, runId: 'b', outcome: 'completed', costUsd: { llm: 0.25, tool: 0.5, review: 1 } },
      { ...day, runId: 'c', outcome: 'failure', ...llm(1) },
      { ...day, runId: 'd', outcome: 'success', ...llm(100), priced: false },
      { ...day, runId: 'e', release: '2', outcome: 'unknown', priced: false },
    );
    append(stream, { ...day, runId: 'a', outcome: 'success', ...llm(0.5), version: 2 });
    await storeAll(stream);
    expect(
      await query(
        'SELECT * EXCEPT (AgentName, Environment) REPLACE(toUInt32(Runs) AS Runs, toUInt32(Successes) AS Successes, toUInt32(PricedRuns) AS PricedRuns, toUInt32(PricedSuccesses) AS PricedSuccesses, toString(CostUsd) AS CostUsd) FROM cost_per_task ORDER BY Release',
      ),
    ).toEqual([
      {
        Release: '1',
        Day: '2026-11-23',
        Runs: 4,
        Successes: 3,
        PricedRuns: 3,
        PricedSuccesses: 2,
        CostUsd: '3.25',
        CostUsdPerRun: 3.25 / 3,
        CostUsdPerSuccess: 1.625,
      },
      {
        Release: '2',
        Day: '2026-11-23',
        Runs: 1,
        Successes: 0,
        PricedRuns: 0,
        PricedSuccesses: 0,
        CostUsd: '0',
        CostUsdPerRun: null,
        CostUsdPerSuccess: null,
      },
    ]);
  });
});

describe('the store of runs', () => {
  const settings = {
    flushIntervalMs: 5,
    limits: { rows: 3, bytes: 2 ** 20 },
    backoff: { initialMs: 1, maxMs: 2 },
    verifyMs: 60_000,
  };

  /** A store whose table does what `insertRows` does. */
  const storeWith = (
    insertRows: (rows: string) => Promise<void>,
    { boot = 'now', clock = { nowMs: 0 }, telemetry = new Telemetry() } = {},
  ): RowStore =>
    new RowStore({
      clock: { nowMs: () => clock.nowMs },
      boot: () => boot,
      tables: { insertRows: async (_, body) => insertRows(Buffer.concat([...body]).toString()) },
      telemetry,
      log: silentLog,
      settings,
    });

  test('commits nothing before the table has it, and repeats what failed as it was', async () => {
    const stream = new MemoryPartition();
    append(stream, { runId: 'a' }, { runId: 'b' });
    append(stream, { runId: 'c' }, { runId: 'd' });
    append(stream, { runId: 'e' });
    const inserts: { readonly rows: string; readonly committed: number }[] = [];
    const store = storeWith(async (rows) => {
      inserts.push({ rows, committed: stream.committed?.position.offset ?? 0 });
      await Promise.resolve();
      if (inserts.length < 3) throw new Error('nobody answers');
    });
    const stopping = new AbortController();
    const working = store.worker(stream.claim(), stopping.signal).catch((error: unknown) => error);
    await until('both inserts', () => stream.committed?.position.offset === 3);
    stopping.abort();
    expect(await working).toBeUndefined();
    expect(inserts.map(({ committed }) => committed)).toEqual([0, 0, 0, 2]);
    expect(new Set(inserts.map(({ rows }) => rows)).size).toBe(2);
  });

  test('counts runs that retention removed before they were stored, once, also while none comes after them', async () => {
    const stream = new MemoryPartition();
    for (const runId of 'abcde') append(stream, { runId });
    stream.committed = { position: { offset: 1, index: 0 }, metadata: '' };
    const telemetry = new Telemetry();
    const expired = async (): Promise<number> => metric(telemetry, 'plimsoll_store_expired_records_total');
    let stored = '';
    const insert = async (rows: string): Promise<void> => {
      stored += [...rows.matchAll(/"RunId":"(\w)"/g)].map(([, id]) => id).join('');
      return Promise.resolve();
    };
    /** An owner that works until `isDone`. */
    const own = async (isDone: () => boolean): Promise<void> => {
      const stopping = new AbortController();
      const working = storeWith(insert, { telemetry }).worker(stream.claim(), stopping.signal);
      await until('it got so far', isDone);
      stopping.abort();
      await working;
    };
    stream.start = 5;
    await own(() => stream.committed?.position.offset === 5);
    expect(await expired()).toBe(4);
    append(stream, { runId: 'f' });
    await own(() => stored === 'f' && stream.committed?.position.offset === 6);
    expect(await expired()).toBe(4);
  });

  test('goes on where the owner before it stopped, and ends when it owns the runs no more', async () => {
    const stream = new MemoryPartition();
    append(stream, { runId: 'a' });
    append(stream, { runId: 'b' });
    stream.committed = { position: { offset: 1, index: 0 }, metadata: '' };
    const lost = new AbortController();
    const rows: string[] = [];
    const working = storeWith(async (some) => {
      rows.push(some);
      return Promise.resolve();
    }).worker(stream.claim(lost.signal), new AbortController().signal);
    await until('the rest is stored', () => stream.committed?.position.offset === 2);
    lost.abort(new OwnershipLost('lost'));
    await working;
    expect(rows.join('')).toMatch(/^\{"RunId":"b".*\}\n$/);
  });

  test('stores again what a power cut may have taken back, and what is settled never', async () => {
    const stream = new MemoryPartition();
    const clock = { nowMs: 0 };
    /** Stores a run at each of `times` under `boot`; returns all that was inserted. */
    const storeAt = async (boot: string, times: Readonly<Record<string, number>>): Promise<string> => {
      let stored = '';
      const insert = async (rows: string): Promise<void> => {
        stored += [...rows.matchAll(/"RunId":"(\w)"/g)].map(([, id]) => id).join('');
        return Promise.resolve();
      };
      const stopping = new AbortController();
      const working = storeWith(insert, { boot, clock }).worker(stream.claim(), stopping.signal);
      for (const [runId, timeMs] of Object.entries(times)) {
        clock.nowMs = timeMs;
        append(stream, { runId });
        const end = stream.records.length;
        await until(
          'it is committed',
          () => stream.committed?.position.offset === end && stored.endsWith(runId),
        );
      }
      stopping.abort();
      await working;
      return stored;
    };
    expect(await storeAt('one', { a: 0, b: 50_000 })).toBe('ab');
    expect(await storeAt('one', { c: 55_000, d: 90_000, e: 120_000 })).toBe('cde');
    expect(await storeAt('two', { f: 130_000 })).toBe('def');
  });

  test.each(['agent_runs/9', 'of_the_future/1'])(
    'stops before rows that only a newer version knows, such as %s, and leaves out and counts what is no row of ours',
    async (content) => {
      const stream = new MemoryPartition();
      stream.append(Buffer.from('hello\n'), 0, {});
      append(stream, { runId: 'a' });
      stream.append(Buffer.from('?'), 0, { 'plimsoll.content': content });
      let rows = '';
      const telemetry = new Telemetry();
      const insert = async (some: string): Promise<void> => {
        rows += some;
        return Promise.resolve();
      };
      const store = storeWith(insert, { telemetry });
      await expect(store.worker(stream.claim(), new AbortController().signal)).rejects.toThrow(
        `the record at offset 2 of the stream of rows is ${content}, which this version cannot read: run the version that wrote it, and upgrade store before assess`,
      );
      expect(rows).toMatch(/^\{"RunId":"a".*\}\n$/);
      expect(stream.committed?.position.offset).toBe(2);
      expect(await metric(telemetry, 'plimsoll_store_unreadable_run_rows_total')).toBe(1);
    },
  );
});
