import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { plimsoll } from '../e2e/program.ts';
import { called } from './called.ts';

const shipped = (name: string): string => new URL(`../../config/policies/${name}`, import.meta.url).pathname;
const policy = ['--policy', shipped('refund-agent.yaml')];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plimsoll-gate-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const offline = (release: string, file: string, ...more: string[]) =>
  called('gate', 'offline', ...policy, '--release', release, '--baseline', '1.4.0', ...more, file);

describe('the offline gate', () => {
  test('lets a better release on, and not a worse one', async () => {
    const words = ['--release', '1.5.0-rc2', '--baseline', '1.4.0', shipped('fixtures/refunds-better.jsonl')];
    const better = await plimsoll('gate', 'offline', ...policy, ...words);
    expect(better).toMatchObject({ code: 0, stderr: '' });
    expect(better.stdout).toMatch(
      /^pass: 1\.5\.0-rc2 is good in 228 of 240 cases .*\n {2}mean score of correctness: 0\.\d{3}, before 0\.\d{3}\n$/,
    );
    const worse = await offline('1.5.0-rc1', shipped('fixtures/refunds-worse.jsonl'));
    expect(worse).toMatchObject({ code: 1, stdout: expect.stringMatching(/^fail: /) });
  });

  test('cannot tell of a release that was not tried', async () => {
    const { code, stdout } = await offline('1.5.0-rc9', shipped('fixtures/refunds-better.jsonl'), '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      verdict: 'inconclusive',
      dataset: 'refunds-7',
      reason: 'there is no case of 1.5.0-rc9',
    });
  });

  test('compares no release with itself', async () => {
    const { code, stdout, stderr } = await offline('1.4.0', shipped('fixtures/refunds-better.jsonl'));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--baseline 1.4.0 is the release itself: name the one that it is compared with');
  });

  test('tells what is wrong with a file, line by line, and lets nothing on', async () => {
    const file = join(folder, 'cases.jsonl');
    writeFileSync(file, '{"case":"a","release":"1","outcome":"success"}\nnonsense\n{"case":"b"}\n');
    const { code, stderr } = await offline('1', file);
    expect(code).toBe(3);
    expect(stderr.trimEnd().split('\n')).toEqual([
      `plimsoll: ${file}: line 2: is no JSON: write one object a line`,
      `plimsoll: ${file}: line 3: release: is missing: set it`,
    ]);
    expect(await offline('1', join(folder, 'none.jsonl'))).toMatchObject({
      code: 3,
      stderr: `plimsoll: cannot read ${join(folder, 'none.jsonl')} (ENOENT): name a file that is there\n`,
    });
  });
});

describe('a gate of the pipeline', () => {
  let server: Server;
  let url: string;
  /** What is answered, one after the other, the last again and again. */
  let answers: (readonly [status: number, body: unknown])[];
  let requests: string[];

  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      requests.push(`${request.url} ${request.headers.authorization ?? ''}`);
      const [status, body] = (answers.length > 1 ? answers.shift() : answers[0]) ?? [500, ''];
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // oxlint-disable-line typescript/no-unsafe-type-assertion -- it listens on a port
    url = `http://127.0.0.1:${port}`;
  });

  afterEach(() => server.close());

  const canary = (...more: string[]) =>
    called('gate', 'canary', '--policy', 'refund-agent', '--release', '1.5.0 rc/1', '--url', url, ...more);

  test.each([
    ['pass', 0],
    ['fail', 1],
    ['inconclusive', 2],
    ['environment', 2],
    ['something new', 3],
  ])('that says %s ends with %i', async (verdict, code) => {
    answers = [[200, { verdict, reason: 'so it is' }]];
    expect(await canary('--environment', 'staging')).toMatchObject({
      code,
      stdout: `${verdict}: so it is\n`,
    });
    expect(requests).toEqual([
      '/api/v1/gate/refund-agent?gate=canary&release=1.5.0+rc%2F1&environment=staging ',
    ]);
  });

  test.each<[string, readonly [number, unknown], string]>([
    [
      'there is no such policy',
      [404, { verdict: 'inconclusive', reason: 'no policy' }],
      'answered 404: no policy',
    ],
    [
      'the process stands by',
      [503, { verdict: 'inconclusive', reason: 'stands by' }],
      'answered 503: stands by',
    ],
    ['something else answers', [200, '<html>sign in</html>'], 'did not answer: Unexpected token'],
    ['something else answers JSON', [200, { ok: true }], 'answered 200, and no verdict'],
    ['an error claims a pass', [500, { verdict: 'pass', reason: 'x' }], 'answered 500'],
  ])('lets nothing on when %s', async (_, answer, said) => {
    answers = [answer];
    const { code, stdout, stderr } = await canary();
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr).not.toMatch(/with the token|without a token/);
  });

  test('is asked until it is sure, also while nobody answers, and tells what it waits for as that changes', async () => {
    answers = [
      [503, { verdict: 'inconclusive', reason: 'stands by' }],
      [200, { verdict: 'inconclusive', reason: 'not yet: 3 of 20 runs' }],
      [200, { verdict: 'inconclusive', reason: 'not yet: 9 of 20 runs' }],
      [200, { verdict: 'pass', reason: 'surely not worse' }],
    ];
    const { code, stdout, stderr } = await canary('--wait', '1m');
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'pass: surely not worse\n' });
    expect(requests).toHaveLength(4);
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^waiting since \d s: http:.* answered 503: stands by$/),
      expect.stringMatching(/^waiting since \d s: inconclusive: not yet: 3 of 20 runs$/),
    ]);
  });

  test('says which URL does not answer', async () => {
    server.close();
    const { code, stderr } = await canary();
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^plimsoll: http:\/\/127\.0\.0\.1:\d+\/api\/v1\/gate\/refund-agent\?\S+ did not answer: connect ECONNREFUSED \S+: name the API of the process that assesses with --url\n$/,
    );
  });

  test('that wants a token says by which variable to give one, at once', async () => {
    answers = [[401, { errors: ['an unknown token'] }]];
    vi.stubEnv('MY_TOKEN', 'wrong');
    const { code, stderr } = await canary('--token-env', 'MY_TOKEN', '--wait', '1h');
    vi.unstubAllEnvs();
    expect(code).toBe(3);
    expect(stderr).toContain(
      'asked with the token of MY_TOKEN, answered 401: set MY_TOKEN to a token of extensions::api, or name another variable with --token-env',
    );
  });

  test('is not asked again for a name that is wrong', async () => {
    answers = [[404, { verdict: 'inconclusive', reason: 'no policy' }]];
    expect(await canary('--wait', '1h')).toMatchObject({ code: 3 });
    expect(requests).toHaveLength(1);
  });

  test('says what it found last when the time is over', async () => {
    answers = [[200, { verdict: 'inconclusive', reason: 'not yet' }]];
    expect(await canary('--wait', '1s')).toMatchObject({ code: 2, stdout: 'inconclusive: not yet\n' });
  });
});

test.each([
  [[], 'gate takes offline, staging or canary'],
  [['offline'], 'gate offline takes one file of cases'],
  [['canary', 'file'], 'gate canary takes no file'],
  [['canary', '--policy', 'a'], 'gate canary needs --release'],
  [['staging', '--release', '1'], 'gate staging needs --policy'],
  [
    ['canary', '--policy', 'policies/a.yaml', '--release', '1'],
    'gate canary takes the name of a policy that is in use, and policies/a.yaml is a file: write --policy a, or what metadata::name says',
  ],
  [
    ['offline', '--policy', 'refund-agent', '--release', '1', '--baseline', '0', 'f'],
    'gate offline takes the file of a policy, and refund-agent is none: write one such as --policy config/policies/refund-agent.yaml',
  ],
  [['offline', '--policy', 'a', '--release', '1', 'f'], 'gate offline needs --baseline'],
  [['canary', '--policy', 'a', '--release', '1', '--url', 'here'], '--url here is no URL'],
  [['canary', '--policy', 'a', '--release', '1', '--wait', 'long'], '--wait long is no duration'],
])('gate %j is not understood', async (words, said) => {
  const { code, stderr } = await called('gate', ...words);
  expect(code).toBe(2);
  expect(stderr).toContain(said);
});
