import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-judge-'));
afterAll(() => rmSync(folder, { recursive: true }));

function judge(text: string, words = ['judge', 'replay', join(folder, 'counts.json')]) {
  writeFileSync(join(folder, 'counts.json'), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/plimsoll.js', ...words], {
    encoding: 'utf8',
    input: text,
  });
  return { status, stdout, stderr: stderr.replaceAll(`${folder}/`, '') };
}

test('prints the evidence after each tick, to full precision', () => {
  const ticks = [
    [2, 1, 18, 1],
    [3, 2, 30, 2],
    [1, 1, 9, 0],
    [1, 0, 9, 1],
  ];
  const { status, stdout } = judge(JSON.stringify({ prior: 0.08, ticks }));
  expect(status).toBe(0);
  const numbers = stdout.trimEnd().split('\n').map(Number);
  expect(numbers).toHaveLength(4);
  for (const [i, golden] of [
    0.5985587512717592, 2.5216997840050785, 2.5216997840050785, 3.4932403220914225,
  ].entries())
    expect(Math.abs(numbers[i]! - golden)).toBeLessThan(1e-12);
});

test('reads standard input in place of a file, and says so of what is wrong there', () => {
  const piped = ['judge', 'replay', '-'];
  const counts = '{"prior": 0.08, "ticks": [[2, 1, 18, 1]]}';
  expect(judge(counts, piped)).toEqual({ ...judge(counts), status: 0 });
  expect(judge('{"ticks": []}', piped)).toMatchObject({
    status: 2,
    stderr: 'plimsoll: standard input: prior is missing: set it\n',
  });
});

test.each([
  ['{"prior": 2, "ticks": []}', 'counts.json: prior must be 1 or less'],
  ['{"ticks": []}', 'counts.json: prior is missing: set it'],
  [
    '{"prior": 0.1, "ticks": [[1, 2, 3, 0]]}',
    'counts.json: ticks::0 has more failed runs of the candidate than runs: write [runs, failed, runs, failed]',
  ],
  ['{"prior": 0.1, "ticks": [[1, 0, 3, 0.5]]}', 'counts.json: ticks::0::3 must be a whole number'],
  [
    '{"prior": 0.1, "ticks": [], "more": 1}',
    'counts.json: unknown key more: remove it or correct its spelling',
  ],
])('says what is wrong with %s', (text, sentence) => {
  expect(judge(text)).toEqual({ status: 2, stdout: '', stderr: `plimsoll: ${sentence}\n` });
});

test('says what it takes, and which file it cannot read', () => {
  expect(judge('{}', ['judge'])).toMatchObject({
    status: 2,
    stderr: 'plimsoll: judge takes replay FILE, or - for standard input\n',
  });
  const { status, stderr } = judge('x');
  expect(status).toBe(2);
  expect(stderr).toMatch(/^plimsoll: counts\.json cannot be read as JSON: /);
});
