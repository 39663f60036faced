import { describe, expect, test } from 'vitest';
import { executorFindings, type ExecutorFacts } from '../../src/policy/lint-executor.ts';
import { canary, policyFile, rollback, type Mapping } from './policies.ts';

const blocked = { name: 'bad', fixture: 'bad.json', gate: 'canary', release: '2', verdict: 'fail' };
const metadata = { name: 'search-agent', version: 3, owner: 'team-search', on_call: 'search-on-call' };
const target = String(rollback['target']);

/** What is found of a policy whose rollback is changed, in a configuration with the users ana and bo. */
function found(changes: Mapping, approvers?: readonly string[], needed = 2): readonly string[] {
  const { policy } = policyFile({
    metadata: { ...metadata, ...(approvers && { approvers }) },
    gates: { canary },
    tests: [blocked],
    rollback: { ...rollback, ...changes },
  });
  const approvals = new Map([
    [target, needed],
    ['other', 1],
  ]);
  const executor: ExecutorFacts = { users: ['ana', 'bo'], approvals };
  return [...executorFindings(policy, executor)].map(
    ({ level, path, sentence }) => `${level} ${path}: ${sentence}`,
  );
}

test('an approver who is no user is named, for nobody can approve as him', () => {
  expect(found({ mode: 'approve' }, ['ana', 'bo'])).toEqual([]);
  expect(found({ mode: 'approve' }, ['ana', 'bo', 'cy', 'di'])).toEqual([
    'warning metadata::approvers: nobody can approve as cy or di, for the configuration has no such user: add them to extensions::api::users, each with a token of its own',
  ]);
});

test('auto at a target that needs two approvals is told to be met as approve, and elsewhere not', () => {
  const place = `extensions::rollback::targets::${target}`;
  expect(found({ mode: 'auto' }, ['ana', 'bo'])).toEqual([
    `warning rollback::mode: auto is met as approve, for ${place} needs 2 approvals: write approve, so that nobody expects another thing`,
  ]);
  expect(found({ mode: 'auto' }, ['ana', 'bo'], 1)).toEqual([]);
  expect(
    found({ mode: 'dry_run', environments: { production: { mode: 'auto' } } }, ['ana', 'bo']),
  ).toMatchObject([
    expect.stringContaining('warning rollback::environments::production::mode: auto is met as approve'),
  ]);
  expect(
    found({ mode: 'dry_run', environments: { production: { mode: 'auto', target: 'other' } } }, [
      'ana',
      'bo',
    ]),
  ).toEqual([]);
});

test('fewer approvers than a target needs are told of: every rollback would expire', () => {
  expect(found({ mode: 'approve' }, ['ana'])).toEqual([
    `warning metadata::approvers: are 1, and extensions::rollback::targets::${target} needs 2 approvals, so every rollback expires: list 2 or more, besides those who ask`,
  ]);
  expect(found({ mode: 'dry_run' }, ['ana'])).toEqual([]);
  expect(found({ mode: 'auto' })).toHaveLength(2);
});

const missing = (path: string, name: string): string =>
  `warning ${path}: nothing can be done, for extensions::rollback::targets does not have ${name}: add it there, or correct the name`;

describe('a target that the configuration does not have is told of, for nothing can be done there', () => {
  test('once where it is written, in whatever environments it is used', () => {
    expect(
      found({ mode: 'dry_run', target: 'gone', environments: { staging: { mode: 'approve' } } }),
    ).toEqual([missing('rollback::target', 'gone')]);
    expect(found({ mode: 'dry_run', environments: { production: { target: 'gone' }, staging: {} } })).toEqual(
      [missing('rollback::environments::production::target', 'gone')],
    );
  });

  test('also where nothing is done by the mode of the policy, but by that of an environment', () => {
    expect(found({ mode: 'off', target: 'gone', environments: { staging: { mode: 'dry_run' } } })).toEqual([
      missing('rollback::target', 'gone'),
    ]);
    expect(found({ mode: 'off', target: 'gone' })).toEqual([]);
  });
});
