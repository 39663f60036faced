import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { isAlive } from '../is-alive.ts';
import { until } from '../until.ts';
import { begin, beginIn, Place, plimsoll } from './program.ts';

/** A policy that decides in seconds and, outside rehearsals, does nothing. */
const policy = `
apiVersion: plimsoll/v1
kind: ReliabilityPolicy
metadata: { name: quick, version: 1, owner: a-team, on_call: b-team }
scope: { agents: [refund-agent], environments: [production] }
good_outcomes: [success, completed]
objectives: { run_success: { at_least: 0.9, period: 30d, min_events: 150, severity: sev2 } }
severities: { sev2: { page: true, acknowledge_within: 30m } }
gates:
  canary:
    share: 0.2
    unit: run
    deadline: 30s
    min_runs: 20
    weights: { run_success: 1 }
    margin: 0.05
    pause_at: 20
    rollback_at: 100
    max: 1h
    on_timeout: pause
    tick: 2s
rollback:
  mode: dry_run
  target: nothing
  cooldown: 5m
  per_day: 6
  verify: { kpi: run_success, min_events: 20, within: 2m }
tests:
  - { name: blocks, gate: canary, fixture: none.traffic.yaml, release: x, verdict: fail }
`;

const portsOf = ([grpc, http, sql, health, , api]: readonly number[]): string => `
receivers: { otlp: { protocols: { grpc: { endpoint: "127.0.0.1:${grpc}" }, http: { endpoint: "127.0.0.1:${http}" } } } }
extensions:
  health_check: { endpoint: "127.0.0.1:${health}" }
  sql: { endpoint: "127.0.0.1:${sql}" }
  api: { endpoint: "127.0.0.1:${api}", token: a-token-of-this-test }
`;

test('a drill says what is missing before it sends anything', async () => {
  const place = new Place();
  const file = join(place.folder, 'policy.yaml');
  writeFileSync(file, policy);
  place.configure(portsOf(await freePorts(6)));
  const { code, stdout, stderr } = await plimsoll('drill', 'run', 'outage', '--policy', file, ...place.words);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^plimsoll: http:\S+\/v1\/traces takes no spans \(--otlp\): .*\n$/);
  expect(stderr).toContain('does not answer as an executor does: list extensions::rollback');
  const unknown = await plimsoll('drill', 'run', 'outage', '--policy', 'nobody', ...place.words);
  expect(unknown).toMatchObject({
    code: 1,
    stderr:
      'plimsoll: --policy nobody is no file, and service::policies has none: name one of them, or a file\n',
  });
  const unseen = await plimsoll('drill', 'run', 'escalations-double', '--policy', file, '--in-process');
  expect(unseen).toMatchObject({ code: 1, stderr: expect.stringContaining('which have no weight') });
  expect(await plimsoll('drill', 'run', 'fire')).toMatchObject({
    code: 2,
    stderr:
      'plimsoll: drill takes run SCENARIO; there is tools-fail-30-percent, runs-hang, escalations-double, outage\n',
  });
  place.remove();
});

const foldersOfDemos = (folder = tmpdir()): readonly string[] =>
  readdirSync(folder).filter((name) => name.startsWith('plimsoll-demo-'));

describe('the demo of a bad release', () => {
  let place: Place;
  let health = 0;
  beforeAll(async () => {
    const ports = await freePorts(6);
    health = ports[3] ?? 0;
    place = new Place(`${portsOf(ports)}
service: { telemetry: { metrics: { endpoint: "127.0.0.1:${ports[4]}" } } }
`);
  });
  afterAll(() => place.remove());
  const isUp = async (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${health}`).then(
      ({ ok }) => ok,
      () => false,
    );

  test('ends at Ctrl-C, with all that it started and without what it wrote', async () => {
    const before = new Set(foldersOfDemos());
    const demo = begin('demo', '--bad-release', ...place.words);
    await until('the pipeline of the demo', isUp);
    const [own = ''] = foldersOfDemos().filter((name) => !before.has(name));
    expect(existsSync(join(tmpdir(), own, 'policy.yaml'))).toBe(true);
    demo.kill('SIGINT');
    demo.kill('SIGINT');
    await until('word of that', () => demo.said().includes('stopping…\n'));
    expect((await demo.ended).code).toBe(0);
    expect(await isUp()).toBe(false);
    expect(foldersOfDemos()).not.toContain(own);
  });

  /** Begins it with a Prometheus and an Alertmanager that do nothing, after the words `trap`; resolves with their ids when they run. */
  const beginBeside = async (trap: string) => {
    const pids = join(place.folder, 'pids');
    rmSync(pids, { force: true });
    const program = `#!/bin/sh\n[ "$1" = --version ] && exit 0\n${trap}\necho $$ >> ${pids}\nwhile :; do sleep 0.1; done\n`;
    for (const name of ['prometheus', 'prometheus-alertmanager'])
      writeFileSync(join(place.folder, name), program, { mode: 0o755 });
    const PATH = `${place.folder}:${process.env['PATH'] ?? ''}`;
    const demo = beginIn({ PATH, TMPDIR: place.folder }, 'demo', '--bad-release', ...place.words);
    const children = async (): Promise<readonly number[]> =>
      until('both programs', () => {
        const found = existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n').map(Number) : [];
        return found.length === 2 && found;
      });
    return { demo, children };
  };

  test('ends as at Ctrl-C when its terminal is closed', async () => {
    const { demo, children } = await beginBeside('');
    const pids = await children();
    demo.kill('SIGHUP');
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' });
    expect(await isUp()).toBe(false);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(foldersOfDemos(place.folder)).toEqual([]);
  });

  test('ends as at Ctrl-C when nobody reads what it says', async () => {
    const { demo, children } = await beginBeside('');
    const pids = await children();
    demo.leaveUnread();
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' });
    expect(await isUp()).toBe(false);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(foldersOfDemos(place.folder)).toEqual([]);
  });

  test('leaves nothing running when it is killed', async () => {
    const { demo, children } = await beginBeside('');
    const pids = await children();
    demo.kill('SIGKILL');
    for (const pid of pids) await until(`${pid} to be gone`, () => !isAlive(pid));
    expect(await demo.ended).toMatchObject({ code: null, stderr: '' }); // the pipeline had its outputs, too
    expect(await isUp()).toBe(false);
    for (const name of foldersOfDemos(place.folder)) rmSync(join(place.folder, name), { recursive: true });
  });

  test('ends at once at a second Ctrl-C, with children that do not end when asked to', async () => {
    const { demo, children: begun } = await beginBeside("trap '' TERM INT");
    const children = await begun();
    expect(foldersOfDemos(place.folder)).toHaveLength(1);
    const repeated = setInterval(() => demo.kill('SIGINT'), 200);
    const { code } = await demo.ended;
    clearInterval(repeated);
    expect(code).toBe(130);
    await until('the pipeline to be gone', async () => !(await isUp()));
    for (const pid of children) await until(`${pid} to be gone`, () => !isAlive(pid));
    expect(foldersOfDemos(place.folder)).toEqual([]);
  });
});
