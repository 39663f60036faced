import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { drillChecks, type DrillSeen } from '../../src/cli/drill-checks.ts';
import { sightOf, type Sight } from '../../src/cli/drill-sight.ts';
import { drillFaults, liveDrill } from '../../src/cli/live-drill.ts';
import { releasesOf } from '../../src/rehearsal/scenarios.ts';
import { rehearsalOf } from '../../src/semconv/rehearsal.ts';
import { begin } from '../e2e/program.ts';
import { called } from './called.ts';
import { readPolicy, type PolicyFile } from '../../src/policy/read-policy.ts';
import { until } from '../until.ts';

const shipped = new URL('../../config/policies/refund-agent.yaml', import.meta.url).pathname;
const config = new URL('../../config/plimsoll.yaml', import.meta.url).pathname;

function policyOf(change: (text: string) => string = (text) => text): PolicyFile {
  const text = change(readFileSync(shipped, 'utf8'));
  const result = readPolicy(shipped, text);
  if ('read' in result) return result.read;
  throw new Error('the shipped policy reads well');
}

const metricsUnder = (revision: string): string =>
  `plimsoll_kpi_active 1\nplimsoll_policy_info{policy="refund-agent",revision="${revision}"} 1\n`;

/** What drills see of a pipeline, and what they told it. */
class Pretended {
  readonly #server: Server;
  url = '';
  requests = 0;
  drill = '';
  readonly records: string[] = [];
  metrics = metricsUnder(policyOf().revision);
  /** To write; whoever has none may read. */
  isTokenWrong = false;
  isWithoutToken = false;
  /** What is answered to the nth request with spans. */
  takes: (nth: number) => number = () => 200;
  rollbacks: () => readonly unknown[] = () => [];

  constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const [status, body] = this.#answer(request.url ?? '', Buffer.concat(parts).toString('latin1'));
        response.writeHead(status).end(body);
      });
    });
  }

  #answer(path: string, body: string): readonly [status: number, body: string] {
    if (path === '/metrics') return [200, this.metrics];
    if (path === '/api/v1/rollbacks') return [200, JSON.stringify({ rollbacks: this.rollbacks() })];
    if (path === '/api/v1/alerts' && this.isTokenWrong)
      return [401, '{ "errors": ["an unknown token: send another"] }'];
    if (path === '/api/v1/alerts' && this.isWithoutToken) return [403, '{ "errors": ["nobody may write"] }'];
    if (path === '/api/v1/drills') this.records.push(body);
    if (path !== '/v1/traces' || body === '') return [200, ''];
    this.drill = /drill-(\w+)-baseline/.exec(body)?.[1] ?? this.drill;
    return [this.takes(++this.requests), 'its queue is full'];
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address === 'object' && address) this.url = `http://127.0.0.1:${address.port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get urls() {
    return {
      metrics: `${this.url}/metrics`,
      api: this.url,
      token: undefined,
      prometheus: undefined,
      alertmanager: undefined,
    };
  }
}

let pipeline: Pretended;
beforeEach(async () => {
  pipeline = new Pretended();
  await pipeline.start();
});
afterEach(() => pipeline.stop());

const looked: Sight = {
  units: { open: 0, settled: 9 },
  verdict: 'inconclusive',
  evidence: [],
  attempts: [],
  isFiring: false,
  isNotified: false,
  faults: [],
};

/** A drill of an outage in which all went well, but for what is `changed`. */
const outageSeen = (changed: Partial<DrillSeen> = {}): DrillSeen => ({
  releases: releasesOf('x'),
  isFault: false,
  isInterrupted: false,
  refusals: [],
  awaited: [],
  links: new Set(['first bad span sent']),
  answers: [],
  bad: looked,
  good: looked,
  baseline: { ...looked, units: undefined, verdict: undefined },
  outage: [looked, { ...looked, units: { open: 3, settled: 9 } }],
  ...changed,
});

const failing = (seen: DrillSeen): readonly string[] =>
  drillChecks(seen).flatMap(({ what, isMet, found }) => (isMet ? [] : [`${what}: ${found}`]));

test('an outage that the judge saw, and blamed on no release, is a passed drill', () => {
  expect(failing(outageSeen())).toEqual([]);
  expect(failing(outageSeen({ outage: [{ ...looked, verdict: 'environment' }] }))).toEqual([]);
});

const unjudged: Sight = { ...looked, units: undefined, verdict: undefined };
const blind: Sight = { ...unjudged, faults: ['http://a: fetch failed'] };

test.each<[string, Partial<DrillSeen>, readonly string[]]>([
  [
    'the last look at the baseline failed',
    { baseline: blind },
    ['drill-x-baseline is not rolled back: http://a: fetch failed'],
  ],
  [
    'the last look at the healthy canary failed',
    { good: blind },
    ['drill-x-good is not rolled back: http://a: fetch failed'],
  ],
  ['a canary was not judged', { bad: unjudged }, ['drill-x-bad is not rolled back: not judged as a canary']],
  [
    'a release was never looked at',
    { good: undefined },
    ['drill-x-good is not rolled back: never looked at'],
  ],
  [
    'nothing was judged while it lasted',
    { outage: [blind, blind] },
    ['drill-x-bad is judged in the outage, and not found worse: http://a: fetch failed'],
  ],
  [
    'no run was seen while it lasted',
    { outage: [looked, looked] },
    ['drill-x-bad is judged in the outage, and not found worse: verdict inconclusive; 0 units joined'],
  ],
  [
    'a release failed while it lasted',
    {
      outage: [
        { ...looked, verdict: 'fail' },
        { ...looked, verdict: 'environment' },
      ],
    },
    ['drill-x-bad is judged in the outage, and not found worse: verdict fail, environment; 0 units joined'],
  ],
  ['a signal ended it', { isInterrupted: true }, ['the traffic is taken: the drill was interrupted']],
])('a drill of an outage fails when %s', (_, changed, found) => {
  expect(failing(outageSeen(changed))).toEqual(found);
});

test('what does not answer is told apart from what shows nothing', async () => {
  const of = { agent: 'refund-agent', environment: 'drill:production', release: 'r' };
  expect(await sightOf(pipeline.urls, of)).toMatchObject({ attempts: [], verdict: undefined, faults: [] });
  pipeline.stop();
  const { faults } = await sightOf(pipeline.urls, of);
  const said = '(?:connect ECONNREFUSED \\S+|other side closed)';
  expect(faults.toSorted()).toEqual([
    expect.stringMatching(new RegExp(`^${pipeline.url}/metrics: ${said}$`)),
    expect.stringMatching(new RegExp(`^${pipeline.url}: ${said}$`)),
  ]);
});

test('a drill that a signal ends has not passed, and its record is not kept', async () => {
  const words = ['--metrics', `${pipeline.url}/metrics`, '--url', pipeline.url, '--otlp', pipeline.url];
  const drill = begin('drill', 'run', 'outage', '--policy', shipped, '--config', config, ...words);
  await until('the first spans', () => pipeline.requests > 0);
  drill.kill('SIGINT');
  const { code, stdout } = await drill.ended;
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^drill:production#\w+: the canaries begin in 3 min, and all is over in \d+ min at the latest$/m,
  );
  expect(stdout).toMatch(/failed the traffic is taken: the drill was interrupted$/m);
  expect(stdout).toMatch(/outage under refund-agent failed$/m);
  expect(stdout).toContain('the record is not kept');
  expect(pipeline.records).toEqual([]);
});

test.each([
  ['another revision', metricsUnder('000000000000'), 'revision 000000000000, not '],
  ['no such policy', 'plimsoll_kpi_active 1\n', 'plimsoll_policy_info tells of no policy refund-agent'],
])('a pipeline that judges by %s is not drilled', async (_, metrics, said) => {
  pipeline.metrics = metrics;
  const parts = { file: policyOf(), urls: pipeline.urls, otlp: pipeline.url, otlpToken: undefined };
  expect(await drillFaults(parts)).toEqual([
    expect.stringContaining(
      `${pipeline.url}/metrics judges by another policy refund-agent than the drill is given: name what it uses (--policy), or have it use that: ${said}`,
    ),
  ]);
  pipeline.metrics = metricsUnder(policyOf().revision);
  expect(await drillFaults(parts)).toEqual([]);
});

test('a drill whose token does not do ends before the first span, and says which variable has it', async () => {
  pipeline.isTokenWrong = true;
  const words = ['--metrics', `${pipeline.url}/metrics`, '--url', pipeline.url, '--otlp', pipeline.url];
  expect(
    await called('drill', 'run', 'outage', '--policy', shipped, '--config', config, ...words),
  ).toMatchObject({
    code: 1,
    stdout: '',
    stderr: `plimsoll: ${pipeline.url}/api/v1/alerts takes nothing from this drill, whose token is not set: export PLIMSOLL_API_TOKEN as the pipeline has it (extensions::api::token): 401 an unknown token: send another\n`,
  });
  expect(pipeline.requests).toBe(0);
});

test('a drill of a pipeline without a token says that it is the pipeline which lacks one', async () => {
  pipeline.isWithoutToken = true;
  const parts = { file: policyOf(), urls: pipeline.urls, otlp: pipeline.url, otlpToken: undefined };
  expect(await drillFaults(parts)).toEqual([
    `${pipeline.url}/api/v1/alerts takes nothing from anybody, because the pipeline has no token: restart it with one in PLIMSOLL_API_TOKEN (extensions::api::token), and export the same here`,
  ]);
});

test('a refusal in the midst is not forgotten when later traffic is taken', async () => {
  pipeline.takes = (nth) => (nth === 2 ? 503 : 200);
  const said = { id: '1', agent: 'refund-agent', to_release: null, outcome: '', asked_by: [], asks: 1 };
  pipeline.rollbacks = () => {
    const environment = rehearsalOf('production', pipeline.drill);
    const from = `drill-${pipeline.drill}-bad`;
    return pipeline.requests < 4 ? [] : [{ ...said, environment, from_release: from, state: 'done' }];
  };
  const { evidence } = await liveDrill('tools-fail-30-percent', {
    file: policyOf((text) => text.replace('on_timeout: pause', 'on_timeout: pause\n    tick: 1s')),
    urls: pipeline.urls,
    otlp: pipeline.url,
    otlpToken: undefined,
    runsPerMinute: 120,
    say: () => undefined,
    signal: AbortSignal.timeout(20_000),
  });
  expect(evidence.checks).toContainEqual({
    what: 'the traffic is taken',
    isMet: false,
    found: 'requests that were not: 1, the first for: 503 its queue is full',
  });
});
