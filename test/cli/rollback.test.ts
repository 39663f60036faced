import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { rollbackCommand } from '../../src/cli/rollback.ts';
import { rollbackList } from '../../src/cli/rollback-list.ts';
import { Callers } from '../../src/core/callers.ts';
import { HttpEndpoint } from '../../src/core/http-endpoint.ts';
import { createLog } from '../../src/core/log.ts';
import { Secret } from '../../src/core/secret.ts';
import { rollbackResources } from '../../src/api/rollback-resources.ts';
import { eventAfter, eventLine, genesis } from '../../src/rollback/chain.ts';
import type { Executor } from '../../src/rollback/executor.ts';
import { planWith, Site } from '../rollback/site.ts';
import { soon } from '../stream/embedded-place.ts';
import { called } from './called.ts';

describe('verify', () => {
  let folder: string;
  let file: string;
  let hashes: readonly string[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-verify-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(() => {
    file = join(folder, 'rollbacks.jsonl');
    const first = eventAfter(genesis, { event: 'stopped', by: 'ana', reason: 'an audit' }, 1000);
    const second = eventAfter(first, { event: 'resumed', by: 'ana' }, 2000);
    hashes = [first.hash, second.hash];
    writeFileSync(file, `${eventLine(first)}\n${eventLine(second)}\n`);
  });

  test('says of a whole journal that it is, and its head', async () => {
    const { code, stdout } = await called('rollback', 'verify', file, '--head', hashes[1] ?? '');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${file}: 2 events, none of them changed; the head is ${hashes[1]}\n`,
    });
  });

  test('finds an edit', async () => {
    writeFileSync(file, readFileSync(file, 'utf8').replace('an audit', 'a purge'));
    const { code, stdout } = await called('rollback', 'verify', file);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: `${file}: line 1 (event 1) is not what its hash says: it was edited\n`,
    });
  });

  test('says of a file without events that it has none, and how to know whether it had', async () => {
    writeFileSync(file, '');
    const { code, stdout } = await called('rollback', 'verify', file);
    expect(code).toBe(1);
    expect(stdout).toBe(
      `${file}: has no events: nothing was ever asked for, or it was emptied; --head with the hash of plimsoll_rollback_journal_head tells which\n`,
    );
  });

  test('finds by the head of the metric what is missing at the end', async () => {
    const [line] = readFileSync(file, 'utf8').split('\n');
    writeFileSync(file, `${line}\n`);
    expect((await called('rollback', 'verify', file)).code).toBe(0);
    const { code, stdout } = await called('rollback', 'verify', file, '--head', hashes[1] ?? '');
    expect(code).toBe(1);
    expect(stdout).toContain('it was cut off or rewritten after event 1');
    writeFileSync(file, line ?? '');
    expect((await called('rollback', 'verify', file)).stdout).toContain('its last line has no end');
  });
});

describe('with a running API', () => {
  let site: Site;
  let executor: Executor;
  let endpoint: HttpEndpoint;
  let said: string;
  beforeEach(async () => {
    site = new Site();
    site.plan = planWith({ mode: 'approve' });
    executor = site.executor();
    const callers = new Callers(
      ['ana', 'bo', 'cy'].map((name) => ({ name, token: new Secret(`${name}-token`) })),
      new Secret('shared-token'),
    );
    const log = createLog('silent');
    const address = { host: '127.0.0.1', port: 0, configPath: 'extensions::api::endpoint' };
    endpoint = new HttpEndpoint('api', address, rollbackResources(executor, callers, log), log);
    await endpoint.start();
    said = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    vi.stubEnv('ANAS_TOKEN', 'ana-token');
    vi.stubEnv('BOS_TOKEN', 'bo-token');
    vi.stubEnv('CYS_TOKEN', 'cy-token');
    vi.stubEnv('SHARED_TOKEN', 'shared-token');
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await endpoint.stop(soon());
    site.remove();
  });

  async function run(
    by: string,
    words: readonly string[],
    options: Readonly<Record<string, string | boolean>> = {},
  ) {
    const url = `http://127.0.0.1:${endpoint.port}`;
    return rollbackCommand.run({ config: [], words, options: { url, 'token-env': by, ...options } });
  }
  const asked = { agent: 'refund', environment: 'production', release: 'v2', reason: 'complaints' };

  test('one asks, another one sees it and approves', async () => {
    expect(await run('BOS_TOKEN', ['ask'], asked)).toBe(0);
    await executor.round();
    await executor.round();
    const [, id = ''] = /^accepted (\S+)\n/.exec(said) ?? [];
    await run('ANAS_TOKEN', ['list']);
    expect(said).toContain(`${id}  awaiting_approval  refund in production: v2 → v1\n`);
    expect(said).toContain(`for you: plimsoll rollback approve ${id}`);
    await expect(run('BOS_TOKEN', ['approve', id])).rejects.toThrow(
      `bo asked for the rollback ${id}, so another one of ana, bo decides`,
    );
    await expect(run('CYS_TOKEN', ['approve', id])).rejects.toThrow(
      `cy is no approver of its policy: ana, bo may decide on the rollback ${id}`,
    );
    await expect(run('SHARED_TOKEN', ['approve', id])).rejects.toThrow(
      /^the token in SHARED_TOKEN is the shared one, which says nothing of who you are: show a token of your own/,
    );
    await expect(run('NO_TOKEN', ['approve', id])).rejects.toThrow(/^the token in NO_TOKEN is nobody's: /);
    expect(await run('ANAS_TOKEN', ['approve', id])).toBe(0);
    await executor.round();
    await executor.round();
    expect(site.target.orders).toHaveLength(1);
    await run('ANAS_TOKEN', ['list']);
    expect(said).toContain('    approved by ana\n');
    await expect(run('ANAS_TOKEN', ['approve', id])).rejects.toThrow(
      `the rollback ${id} is done: it waits for nobody's decision`,
    );
  });

  test('refuse, stop, resume and close-breaker do what they say', async () => {
    await run('BOS_TOKEN', ['ask'], asked);
    await executor.round();
    await executor.round();
    const id = executor.status(undefined).attempts[0]?.id ?? '';
    expect(await run('ANAS_TOKEN', ['refuse', id], { reason: 'v2 is fine' })).toBe(0);
    expect(executor.status(undefined).attempts).toMatchObject([
      { state: 'refused', outcome: 'refused by ana: v2 is fine' },
    ]);
    expect(await run('ANAS_TOKEN', ['stop'], { reason: 'an audit' })).toBe(0);
    expect(executor.status(undefined).stopReason).toBe('ana stopped all rollbacks: an audit');
    expect(await run('ANAS_TOKEN', ['resume'])).toBe(0);
    expect(executor.status(undefined).stopReason).toBeUndefined();
    await expect(run('ANAS_TOKEN', ['close-breaker', 'refunds'])).rejects.toThrow(
      'no breaker of refunds is open',
    );
  });

  /** What `run` prints. */
  async function saidBy(...args: Parameters<typeof run>): Promise<string> {
    said = '';
    await run(...args);
    return said;
  }

  test('two approve what needs two, and each hears what happens next', async () => {
    site.approvals = 2;
    site.plan = planWith({ mode: 'approve', approvers: ['ana', 'bo', 'cy'] });
    site.figures.set('v2', { meets: false, events: 5 });
    await run('BOS_TOKEN', ['ask'], asked);
    await executor.round();
    await executor.round();
    const id = executor.status(undefined).attempts[0]?.id ?? '';
    expect(await saidBy('ANAS_TOKEN', ['approve', id])).toBe(
      `the rollback ${id} is awaiting_approval\n1 of 2 approved, by ana; it waits until 2026-11-26T13:00:00.000Z for 1 of cy: plimsoll rollback approve ${id}\n`,
    );
    expect(await saidBy('BOS_TOKEN', ['list'])).toContain(`    1 of 2 approved, by ana; it waits until`);
    await run('ANAS_TOKEN', ['stop'], { reason: 'an audit' });
    expect(await saidBy('CYS_TOKEN', ['approve', id])).toBe(
      `the rollback ${id} is approved\nit waits until 2026-11-26T13:00:00.000Z for the end of the stop (ana stopped all rollbacks: an audit): plimsoll rollback resume\n`,
    );
    expect(await saidBy('ANAS_TOKEN', ['resume'])).toBe(
      'resumed: rollbacks are done again, as the policies say; 1 that waited approved begins now\n',
    );
    expect(await saidBy('ANAS_TOKEN', ['resume'])).toBe(
      'resumed: rollbacks are done again, as the policies say\n',
    );
    await executor.round();
    await executor.round();
    expect(site.target.orders).toHaveLength(1);
    expect(await saidBy('ANAS_TOKEN', ['ask'], asked)).toBe(
      `joined ${id}, which is done: v1 meets the objective of run_success, over 100 events\nnothing is to be done; who asks from 2026-11-26T12:30:00.000Z on begins it anew, if refunds runs v2 then\n`,
    );
  });

  test('review says whether a dry run was right, and the list ends with how many were', async () => {
    site.plan = planWith({ mode: 'dry_run' });
    const ids: string[] = [];
    for (const release of ['v2', 'v3', 'v4', 'v5', 'v6']) {
      site.target.release = release;
      await run('BOS_TOKEN', ['ask'], { ...asked, release });
      await executor.round();
      await executor.round();
      ids.push(executor.status(undefined).attempts.at(-1)?.id ?? '');
    }
    for (const id of ids.slice(0, 3)) await run('ANAS_TOKEN', ['review', id], { right: true });
    expect(
      await saidBy('BOS_TOKEN', ['review', ids[3] ?? ''], {
        wrong: true,
        note: 'a\u001b[2J fault of the tool',
      }),
    ).toBe(`noted: the rollback ${ids[3]} was wrong\n`);
    const listed = await saidBy('BOS_TOKEN', ['list']);
    expect(listed).toContain('    bo found it wrong: a�[2J fault of the tool\n');
    expect(
      listed.endsWith(
        '\nrefund-agent: dry_run would have rolled back 5 times: 3 right, 1 wrong, 1 not reviewed\n',
      ),
    ).toBe(true);
    expect(await saidBy('ANAS_TOKEN', ['review', ids[3] ?? ''], { wrong: true })).toBe(
      `noted: the rollback ${ids[3]} was wrong; this changes what bo said on 2026-11-26T12:00:00.000Z: wrong (a�[2J fault of the tool)\n`,
    );
    expect(JSON.parse(await saidBy('BOS_TOKEN', ['list'], { json: true })).reviews).toEqual([
      { policy: 'refund-agent', state: 'dry_run', times: 5, right: 3, wrong: 1, not_reviewed: 1 },
    ]);
    for (const both of [{}, { right: true, wrong: true }])
      await expect(run('ANAS_TOKEN', ['review', ids[4] ?? ''], both)).rejects.toThrow(
        'rollback review needs --right or --wrong, and not both',
      );
    await expect(run('SHARED_TOKEN', ['review', ids[4] ?? ''], { right: true })).rejects.toThrow(
      /403: .* add yourself to extensions::api::users \(the token is read from SHARED_TOKEN\)/,
    );
  });

  test('asks the endpoint of PLIMSOLL_API_ENDPOINT where no URL is named', async () => {
    vi.stubEnv('PLIMSOLL_API_ENDPOINT', `0.0.0.0:${endpoint.port}`);
    const options = { 'token-env': 'ANAS_TOKEN' };
    expect(await rollbackCommand.run({ config: [], words: ['list'], options })).toBe(0);
    expect(said).toContain('Nobody asked for a rollback yet.');
    vi.stubEnv('PLIMSOLL_API_ENDPOINT', 'no port');
    await expect(rollbackCommand.run({ config: [], words: ['list'], options })).rejects.toThrow(
      'PLIMSOLL_API_ENDPOINT is no port, and no host:port such as 127.0.0.1:8080',
    );
  });

  test('says where the token is to come from, and what is missing', async () => {
    await expect(run('NOBODYS_TOKEN', ['resume'])).rejects.toThrow(
      /401: .*\(the token is read from NOBODYS_TOKEN\)/,
    );
    await expect(run('ANAS_TOKEN', ['stop'])).rejects.toThrow('rollback stop needs --reason');
    await expect(run('ANAS_TOKEN', ['approve'])).rejects.toThrow('plimsoll rollback --help');
    await expect(run('ANAS_TOKEN', ['list'], { url: 'http://127.0.0.1:1' })).rejects.toThrow(
      /cannot ask http:\/\/127.0.0.1:1: .*; start the pipeline with `plimsoll run`, or name the API with --url/,
    );
  });
});

test('what senders say moves no cursor', () => {
  const listed = rollbackList({
    you: null,
    stopped: 'evil\u001b[2J',
    fault: null,
    breakers: [],
    rollbacks: [],
    reviews: [],
  });
  expect(listed).toBe('All rollbacks are stopped: evil�[2J\n');
});

test('drills stand apart, at the end, and who has the shared token is no person of that name', () => {
  const one = {
    id: 'a1',
    state: 'done',
    agent: 'refund',
    environment: 'production',
    from_release: 'v2',
    to_release: 'v1',
    reason: 'worse',
    outcome: '',
    since: '2026-11-26T12:00:00.000Z',
    expires: null,
    asks: 2,
    asked_by: ['judge', 'token'],
    approvers: [],
    approved_by: [],
    ticket: null,
    next: 'nothing is to be done',
    review: null,
  };
  const drill = { ...one, id: 'd2', environment: 'drill:production', asked_by: ['judge'] };
  const listed = rollbackList({
    stopped: null,
    fault: null,
    breakers: [],
    you: null,
    rollbacks: [one, drill],
    reviews: [{ policy: 'refunds', state: 'done', times: 1, right: 1, wrong: 0, not_reviewed: 0 }],
  });
  const lines = listed.trimEnd().split('\n');
  expect(lines[0]).toContain('a1  done');
  expect(lines[1]).toContain('judge, somebody with the shared token: worse');
  expect(lines.slice(3, 6)).toEqual([
    'refunds: rolled back once: 1 right',
    'Drills:',
    expect.stringContaining('d2  done'),
  ]);
});
