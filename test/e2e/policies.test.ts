import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { changed, plain, policyFile, type Mapping } from '../policy/policies.ts';
import { encodeRequest, type OracleAttribute } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const place = new Place(
  'exporters: { clickhouse: { flush_interval: 50ms } }\nprocessors: { runs: { idle_timeout: 2s } }',
);
const file = join(place.folder, 'search.yaml');
const configured = (): void =>
  place.configure(`exporters: { clickhouse: { flush_interval: 50ms } }\nservice: { policies: ['${file}'] }`);

let program: Program;
afterAll(async () => {
  await program.kill('SIGKILL');
  place.remove();
});

const text = (key: string, stringValue: string): OracleAttribute => ({ key, value: { stringValue } });

/** Sends a run of `agent`, a span that claims a revision of its own; returns its trace id. */
async function send(agent: string): Promise<string> {
  const traceId = randomBytes(16);
  const nanos = `${Date.now()}000000`;
  const span = {
    traceId,
    spanId: randomBytes(8),
    name: 'invoke_agent',
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes: [
      text('gen_ai.operation.name', 'invoke_agent'),
      text('gen_ai.agent.name', agent),
      text('plimsoll.policy.revision', 'forged'),
    ],
  };
  const resource = { attributes: [text('deployment.environment.name', 'production')] };
  const response = await fetch(`${program.url('OTLP HTTP')}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: new Uint8Array(encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }] })),
  });
  expect(response.status).toBe(200);
  return traceId.toString('hex');
}

/** The revision on the span of `traceId` and on its run, once both are there. */
async function revisionsOf(traceId: string): Promise<readonly (string | undefined)[]> {
  const rows = await until('the span and the run are there', async () => {
    const found = await program.query<{ revision: string }>(
      `SELECT PolicyRevision AS revision FROM otel_traces WHERE TraceId = '${traceId}' UNION ALL SELECT PolicyRevision FROM runs WHERE TraceId = '${traceId}'`,
    );
    return found.length === 2 && found;
  });
  return rows.map(({ revision }) => revision);
}

/** How many runs of the covered agent count as good now, by the gauges. */
async function successes(): Promise<number> {
  const line = /^plimsoll_kpi_run_success_numerator\{agent="search-agent",.*window="1h"\} (\d+)$/m;
  return Number(line.exec(await program.metrics())?.[1]);
}

const write = (changes: Mapping): void => writeFileSync(file, stringify(changed(plain, changes)));

test('the policy that covers an agent is on its spans and runs and in a table, and a changed one without a restart', async () => {
  const [first, second] = [{}, { metadata: { version: 4 }, good_outcomes: ['success'] }];
  write(first);
  configured();
  program = await Program.start(place);
  expect(await revisionsOf(await send('search-agent'))).toEqual(Array(2).fill(policyFile(first).revision));
  expect(await revisionsOf(await send('another'))).toEqual(['', '']);
  expect(await program.metrics()).toContain(
    'plimsoll_enrich_removed_attributes_total{reason="foreign_key"} 2',
  );

  await until('its run is good', async () => (await successes()) === 1);
  write({ metadata: { version: 4, ownr: 'x' } }); // is refused: what was in use before stays
  await until('it is refused', async () => (await program.metrics()).includes('plimsoll_policies_refused 1'));
  expect(await revisionsOf(await send('search-agent'))).toEqual(Array(2).fill(policyFile(first).revision));

  write(second);
  const { revision } = policyFile(second);
  await until('it is in use', async () =>
    (await program.metrics()).includes(
      `plimsoll_policy_info{policy="search-agent",version="4",revision="${revision}"`,
    ),
  );
  await until('what ended before counts by the new policy, too', async () => (await successes()) === 0);
  expect(await revisionsOf(await send('search-agent'))).toEqual([revision, revision]);
  await until('both have a row', async () => {
    const rows = await program.query<Record<string, unknown>>(
      'SELECT PolicyRevision, PolicyVersion, Owner FROM policies FINAL ORDER BY FirstUsed',
    );
    return (
      rows.length === 2 &&
      JSON.stringify(rows) ===
        JSON.stringify([
          { PolicyRevision: policyFile(first).revision, PolicyVersion: 3, Owner: 'team-search' },
          { PolicyRevision: revision, PolicyVersion: 4, Owner: 'team-search' },
        ])
    );
  });
  const used = await program.query('SELECT * FROM policies FINAL ORDER BY FirstUsed');
  expect((await program.kill('SIGTERM')).code).toBe(0);

  program = await Program.start(place);
  const traceId = await send('search-agent');
  expect(await revisionsOf(traceId)).toEqual([revision, revision]);
  expect(await program.query('SELECT * FROM policies FINAL ORDER BY FirstUsed')).toEqual(used);
  expect(
    await program.query("SELECT sum(Successes) AS n FROM cost_per_task WHERE AgentName = 'search-agent'"),
  ).toEqual([{ n: 2 }]); // those of before the change completed, which was good then
}, 120_000);
