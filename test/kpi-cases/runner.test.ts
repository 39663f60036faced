import { expect, test } from 'vitest';
import { parseCases } from './parse-cases.ts';
import { runCase } from './run-case.ts';

/** Runs the only case of `lines`, which begins on line 1; resolves with what is wrong, or with nothing. */
async function failureOf(...lines: readonly string[]): Promise<string | undefined> {
  const text = ['case a case', '  otherwise nothing', ...lines.map((line) => `  ${line}`)].join('\n');
  const [one] = parseCases('some.kpi', text);
  return runCase('some.kpi', one!).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

const twoRuns = ['load at 1m', '  run a: root success', '  run b: root error release=1.5.0'];

test('what is as expected passes, and series may be listed in any order', async () => {
  expect(
    await failureOf(
      ...twoRuns,
      'eval plimsoll_kpi_run_success_ratio{window="5m"}',
      '  {release="1.5.0"} 0',
      '  {agent="refund", release="1.4.0"} 1',
      'eval plimsoll_kpi_quality_score_ratio absent',
    ),
  ).toBeUndefined();
});

test('a wrong value fails with the line of it, what was expected and what came', async () => {
  const failure = await failureOf(
    ...twoRuns,
    'eval plimsoll_kpi_run_success_ratio{window="5m"}',
    '  {release="1.5.0"} 0',
    '  {release="1.4.0"} 0.9',
  );
  expect(failure).toContain('some.kpi:6: eval plimsoll_kpi_run_success_ratio{window="5m"}');
  expect(failure).toContain('line 8: expected {release="1.4.0"} 0.9, came {agent="refund", release="1.4.0"');
  expect(failure).toMatch(/window="5m"\} 1$/);
});

test.each([
  [
    'a series that nobody expected',
    ['{release="1.4.0"} 1'],
    'expected no other series, came {agent="refund", release="1.5.0"',
  ],
  [
    'a series that did not come',
    ['{release="1.4.0"} 1', '{release="1.5.0"} 0', '{release="1.6.0"} 1'],
    'line 9: expected {release="1.6.0"} 1, and no such series came',
  ],
  [
    'one expectation that two series meet',
    ['{agent="refund"} 1'],
    '} 1 and {agent="refund", release="1.5.0"',
  ],
])('%s fails', async (_, series, said) => {
  const failure = await failureOf(
    ...twoRuns,
    'eval plimsoll_kpi_run_success_ratio{window="5m"}',
    ...series.map((text) => `  ${text}`),
  );
  expect(failure).toContain(said);
});

test('a series that should be absent and is there fails, and one that should be there and is not', async () => {
  expect(
    await failureOf(...twoRuns, 'eval plimsoll_kpi_run_success_ratio{release="1.4.0",window="5m"} absent'),
  ).toContain(
    'expected no other series, came {agent="refund", release="1.4.0", environment="production", window="5m"} 1',
  );
  expect(await failureOf(...twoRuns, 'eval plimsoll_kpi_nothing 1')).toContain(
    'line 6: expected {} 1, and no such series came',
  );
});

test('a value is meant exactly, and with ~ within 1 %', async () => {
  const run = ['load at 1m', '  run a: tool pay ok lasting=100ms; root success'];
  const p50 = 'eval plimsoll_kpi_tool_call_duration_seconds{window="5m",stat="p50"}';
  expect(await failureOf(...run, `${p50} ~0.1`)).toBeUndefined();
  expect(await failureOf(...run, `${p50} ~0.102`)).toContain('expected {} about 0.102, came');
  expect(await failureOf(...run, 'eval plimsoll_kpi_run_success_ratio{window="5m"} 0.99999')).toContain(
    'came',
  );
});

test('a text that is a label anywhere fails, and one that is none passes', async () => {
  expect(await failureOf(...twoRuns, 'unlabelled 1.6.0')).toBeUndefined();
  expect(await failureOf(...twoRuns, 'unlabelled 1.6.0 1.5.0')).toContain('has the label release="1.5.0"');
});

test('with snapshots of its own an eval waits for what it expects', async () => {
  const counter = 'eval plimsoll_runs_total{release="1.5.0",outcome="failure",evidence="none"}';
  expect(await failureOf('given snapshots=own', ...twoRuns, `${counter} 1`)).toBeUndefined();
});

test.each([
  ['load at 1m\n    run a: rot success', 'some.kpi:3: there is no step "rot": root, agent, llm, '],
  ['load at 1m\n    run a: root colour=red', 'some.kpi:3: a span has no colour'],
  ['load at 1m\n  load at 30s', 'some.kpi:4: the clock is past load at 30s: it never goes back'],
  ['load on 3\n    run a: root', 'some.kpi:3: there is no partition 3: say "given partitions=4"'],
  ['resend', 'some.kpi:3: nothing was loaded that could be sent again'],
])('what cannot be done fails with its line: %j', async (line, said) => {
  expect(await failureOf(line)).toContain(said);
});

test.each([
  ['case a\n  load at 1m', 'some.kpi:2: a case says first what goes wrong "otherwise"'],
  ['load at 1m', 'some.kpi:1: a case begins with "case" and what it shows'],
  ['case a\n  otherwise b\n  lode at 1m', 'some.kpi:3: there is no command "lode"'],
  ['case a\n  otherwise b\n  load at soon', 'some.kpi:3: soon is no duration such as 1m30s'],
  ['case a\n  otherwise b\n  load quickly', 'some.kpi:3: "quickly" means nothing in "load quickly"'],
  ['case a\n  otherwise b\n  load at 1m\n    root success', 'some.kpi:4: a load has lines such as'],
  ['case a\n  otherwise b\n  eval at 1m x', 'some.kpi:3: an eval without a value or series expects nothing'],
  ['case a\n  otherwise b\n  eval at 1m x much', 'some.kpi:3: much is no value such as 0.5 or 35/38'],
  ['case a\n  otherwise b\n  snapshots gone', 'some.kpi:3: snapshots are lost or strange'],
  ['case a\n  otherwise b\n  incident k bad', 'some.kpi:3: an incident has a key and one of sev1, sev2'],
  ['case a\n  otherwise b\n  configure colour=red', 'some.kpi:3: given says partitions=…'],
  ['case a\n  otherwise b\n  given colour=red', 'some.kpi:3: given says partitions=…'],
])('what nobody can read is refused with its line: %j', (text, said) => {
  expect(() => parseCases('some.kpi', text)).toThrow(said);
});
