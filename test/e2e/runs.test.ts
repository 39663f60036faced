import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { CounterWatch } from '../counter-watch.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';
import { leavesQuery, RunLedger, runsQuery, type StoredRun } from './run-ledger.ts';

/** More of them, and rarer, where the environment says so: then the load is a steady one. */
const kills = Number(process.env['PLIMSOLL_TEST_KILLS'] ?? 8);
const killEveryMs = Number(process.env['PLIMSOLL_TEST_KILL_EVERY_MS'] ?? 0);
const roundEveryMs = killEveryMs === 0 ? 0 : 500;
const place = new Place(
  'exporters: { clickhouse: { flush_interval: 100ms } }\nprocessors: { runs: { idle_timeout: 2s } }',
);

let program: Program;
afterAll(async () => {
  await program.kill('SIGKILL');
  place.remove();
});

/** Sends rounds until the connection dies. */
async function keepSending(ledger: RunLedger, url: string): Promise<void> {
  const load = new GrpcLoad(url, 1);
  while (await ledger.sendRound(async (request) => (await load.send(request)) === 0))
    await sleep(roundEveryMs);
  load.close();
}

async function samples() {
  return parseSamples(await (await fetch(program.url('metrics'))).text());
}

test(
  'kill -9 again and again under load: every run has one row, with what its spans add up to, and is counted once',
  async () => {
    const ledger = new RunLedger();
    const watch = new CounterWatch([samples]);
    const watched = new AbortController();
    const watching = watch.look(watched.signal);
    for (let kill = 0; kill < kills; kill++) {
      program = await Program.start(place);
      const senders = [1, 2, 3].map(async () => keepSending(ledger, program.url('OTLP gRPC')));
      const enough = ledger.acknowledged.size + 200 + Math.floor(Math.random() * 1000);
      if (killEveryMs > 0) await sleep(killEveryMs);
      else await until(`${enough} acknowledged runs`, () => ledger.acknowledged.size >= enough);
      await program.kill('SIGKILL');
      await Promise.all(senders);
    }
    program = await Program.start(place);
    const stored = await until(
      'a row of every run that has spans',
      async () => {
        const rows = await program.query<StoredRun>(runsQuery);
        const leaves = await program.query<StoredRun>(leavesQuery);
        return JSON.stringify(rows) === JSON.stringify(leaves) && rows;
      },
      60_000,
    );
    expect(ledger.compare(stored)).toEqual({ lost: 0, doubled: 0, wrong: 0 });
    expect(
      await program.query(
        "SELECT countIf(Outcome = 'completed' AND AgentName = 'refund' AND ToolCalls = 1 AND Version = 5) >= {n} AS isSo FROM runs".replace(
          '{n}',
          String(ledger.acknowledged.size),
        ),
      ),
    ).toEqual([{ isSo: 1 }]);
    const isCounted = (): boolean =>
      watch.total('plimsoll_runs_total') === stored.length &&
      watch.total('plimsoll_tool_calls_total') === stored.length;
    await until('every run and its call to be counted once', isCounted);
    watched.abort();
    await watching;
    expect(watch.fallen).toEqual([]);
    const inWindow = (await samples()).filter(
      ({ name, labels }) => name === 'plimsoll_kpi_run_success_denominator' && labels['window'] === '1h',
    );
    expect(inWindow.reduce((sum, { value }) => sum + value, 0)).toBe(stored.length);
    process.stderr.write(
      `${stored.length} runs counted over ${kills} kills; nobody exported counters for ${Math.round(watch.longestGapMs)} ms at most\n`,
    );
    await until('health', async () => (await fetch(program.url('health'))).status === 200);
    expect((await program.kill('SIGTERM')).code).toBe(0);
  },
  300_000 + kills * killEveryMs,
);
