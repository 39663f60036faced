import type { Reporter, TestCase, TestModule } from 'vitest/node';

/**
 * Ends every run with one plain line, `N passed, N failed`, and prints the reason of each skip. Where CI is set a
 * skip is a failure: a machine that cannot run a test has not passed it.
 */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const cases = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: string): readonly TestCase[] =>
      cases.filter((test) => test.result().state === state);
    const skipped = inState('skipped');
    for (const test of skipped) {
      const result = test.result();
      const note = 'note' in result && result.note ? result.note : 'no reason given';
      process.stdout.write(`skipped: ${test.fullName}: ${note}\n`);
    }
    const strict = process.env['CI'] === 'true';
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length;
    const failed = inState('failed').length + broken + (strict ? skipped.length : 0);
    if (failed > 0) process.exitCode = 1;
    const rest = strict || skipped.length === 0 ? '' : `, ${skipped.length} skipped`;
    process.stdout.write(`${inState('passed').length} passed, ${failed} failed${rest}\n`);
  }
}
