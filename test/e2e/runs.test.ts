import { afterAll, expect, test } from 'vitest';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';
import { leavesQuery, RunLedger, runsQuery, type StoredRun } from './run-ledger.ts';

const kills = 8;
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
  while (await ledger.sendRound(async (request) => (await load.send(request)) === 0));
  load.close();
}

test('kill -9 again and again under load: every run has one row, with what its spans add up to', async () => {
  const ledger = new RunLedger();
  for (let kill = 0; kill < kills; kill++) {
    program = await Program.start(place);
    const senders = [1, 2, 3].map(async () => keepSending(ledger, program.url('OTLP gRPC')));
    const enough = ledger.acknowledged.size + 200 + Math.floor(Math.random() * 2000);
    await until(`${enough} acknowledged runs`, () => ledger.acknowledged.size >= enough);
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
  await until('health', async () => (await fetch(program.url('health'))).status === 200);
  expect((await program.kill('SIGTERM')).code).toBe(0);
}, 300_000);
