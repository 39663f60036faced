import { describe, expect, test } from 'vitest';
import { until } from '../until.ts';
import { missing, reads, texts } from './browser.ts';
import { ofAgent, useLivePage } from './live-page.ts';
import { madeUpView, viewOfAgent } from './made-up-view.ts';

describe.skipIf(missing)('the live page', () => {
  const live = useLivePage();

  test('a tile says its value, how many are counted, and whether the objective is met, in words', async () => {
    await live.open();
    const [success = '', escalated, cost] = await texts(live.page, '.tile');
    expect(success).toMatch(/^Success 84\.3 % Objective not met: below 90 % 4,128 runs$/);
    expect(escalated).toMatch(/^Escalated 8\.1 % Objective met: at most 10 % 4,128 runs$/);
    expect(cost).toMatch(/^Cost per run \$0\.0123 Objective met: at most \$0\.05 4,128 runs$/);
    const chart = await live.page.$eval('.tile [role=img]', (each) => each.getAttribute('aria-label'));
    expect(chart).toMatch(/^Success over time: from 9\d\.\d\s% to 8\d\.\d\s%, between /);
  });

  test('a rate of fewer than 20 runs is called few, and one of none is no rate', async () => {
    const [tile] = live.view.tiles;
    await live.open();
    live.show({ tiles: tile ? [{ ...tile, value: 0.5, denominator: 12 }] : [] });
    await reads(live.page, '.tile', 'few: 12 runs');
    expect(await live.page.$$eval('.tile .value.few', (found) => found.length)).toBe(1);
    live.show({ tiles: tile ? [{ ...tile, value: null, denominator: 0 }] : [] });
    await reads(live.page, '.tile', /^Success – .*no runs yet$/);
    expect((await texts(live.page, '.lines tbody tr')).at(-1)).toMatch(/triage-agent staging .* few: 12 /);
  });

  test('releases stand beside each other, with the verdict, its reason, and how far the evidence is', async () => {
    await live.open(ofAgent);
    const [judged, baseline, few] = await texts(live.page, '#releases-lines tr');
    expect(judged).toMatch(/1\.5\.0-rc1 ✕ fail 61\.2 % −32\.2 points .* 384$/);
    expect(baseline).toMatch(/1\.4\.0 baseline of 1\.5\.0-rc1 93\.4 %/);
    expect(few).toMatch(/not judged .* few: 7$/);
    await reads(live.page, '.judgement', /fail roll it back run_success is worse than that of 1\.4\.0/);
    const tests = await texts(live.page, '.tests li');
    expect(tests[0]).toMatch(/worse than 1\.4\.0\? evidence 2,040, enough to roll back$/);
    expect(tests[1]).toMatch(/evidence 30, enough to pause, rolls back at 493$/);
    expect(tests[3]).toMatch(/surely not worse than 1\.4\.0\? evidence 0\.0498, passes at 99\.5$/);
  });

  test.each([1440, 1200, 1000, 920, 800, 720, 390])(
    'differences stand on one line under their figures, %i px wide',
    async (width) => {
      await live.open(ofAgent, { width });
      const places = await live.page.$$eval('#releases-lines tr:first-child .number', (cells) =>
        cells.flatMap((each) => {
          const [value, beside] = ['.value', '.beside'].map((name) =>
            each.querySelector(name)?.getBoundingClientRect(),
          );
          if (!value || !beside?.width) return [];
          const cell = each.getBoundingClientRect();
          return [
            {
              isOneLine: beside.height < 1.5 * value.height,
              isUnder: beside.top >= value.bottom - 1,
              isInside: beside.left >= cell.left && beside.right <= cell.right,
              isAligned:
                Math.min(Math.abs(beside.left - value.left), Math.abs(beside.right - value.right)) < 1,
            },
          ];
        }),
      );
      expect(places).toHaveLength(4);
      for (const place of places)
        expect(place).toEqual({ isOneLine: true, isUnder: true, isInside: true, isAligned: true });
    },
  );

  test('of a release that was rolled back it says when, and no more what to do', async () => {
    const agents = live.view.agents.map((line) =>
      line.verdict === 'fail' ? { ...line, verdict: 'rolled_back' as const } : line,
    );
    const rolledBackAt = (agoMs: number) =>
      viewOfAgent(live.view, '', '').releases.map((line) => ({
        ...line,
        judged: line.judged && { ...line.judged, rolledBackMs: live.view.atMs - agoMs },
      }));
    live.view = { ...live.view, agents, releases: rolledBackAt(60_000) };
    await live.open();
    expect((await texts(live.page, '#agents-lines tr'))[0]).toMatch(
      /^refund-agent production – rolled back /,
    );
    await live.open(ofAgent);
    await reads(live.page, '.judgement header', /^1\.5\.0-rc1 beside 1\.4\.0 ✕ fail rolled back at \d\d:02$/);
    live.show({ releases: rolledBackAt(13 * 3_600_000) });
    await reads(live.page, '.judgement header', /rolled back on Nov \d, \d\d:03$/);
  });

  test.each([1440, 1280, 1081, 1000, 701, 390])(
    'no figure of a tile lies over its trend, %i px wide',
    async (width) => {
      const values = [0.000885, 0.0000123, 12_345.67, 0.000885, 1, 0.000885, 0.000885, 0.000885];
      live.view = {
        ...live.view,
        tiles: live.view.tiles.map((tile, i) => ({ ...tile, unit: 'USD', value: values[i] ?? 1 })),
      };
      await live.open('', { width });
      const overlaps = await live.page.$$eval('.tile', (tiles) =>
        tiles.map((tile) => {
          const range = document.createRange();
          const value = tile.querySelector('.value');
          const chart = tile.querySelector('.chart')?.getBoundingClientRect();
          if (!value || !chart) return 'nothing there';
          range.selectNodeContents(value);
          const text = range.getBoundingClientRect();
          const isOver = text.right > chart.left && text.bottom > chart.top && chart.width > 0;
          return isOver || chart.width < 24
            ? `${text.right} over ${chart.left}, ${chart.width} wide`
            : 'clear';
        }),
      );
      expect(overlaps).toEqual(values.map(() => 'clear'));
    },
  );

  test('the evidence over time is of the test that the server says, and so is the end of it', async () => {
    const [judged, ...others] = viewOfAgent(live.view, '', '').releases;
    const evidenceTest = { kpi: 'run_success', test: 'floor', rollbackAt: 5.3 };
    const releases = judged?.judged ? [{ ...judged, judged: { ...judged.judged, evidenceTest } }] : [];
    live.view = { ...live.view, releases: [...releases, ...others] };
    await live.open(ofAgent);
    await reads(
      live.page,
      '.caption',
      /run success: worse than the policy ever allows\? It rolls back at 200, /,
    );
    const chart = await live.page.$eval('.drawn [role=img]', (each) => each.getAttribute('aria-label'));
    expect(chart).toMatch(
      /^Evidence, run success: worse than the policy ever allows\? .*; rolls back at 200$/,
    );
    live.show({
      releases: releases.map((line) => ({ ...line, judged: { ...line.judged, evidenceTest: null } })),
    });
    await until('no chart', async () => (await texts(live.page, '.drawn')).length === 0);
  });

  test('where no policy is in use it says why nothing is judged, and what to do', async () => {
    await live.open();
    await reads(live.page, '#connection', 'live');
    expect(await texts(live.page, '#no-policies')).toEqual([]);
    live.show({ hasPolicies: false });
    await reads(
      live.page,
      '#no-policies',
      'No policy is in use: nothing is judged, so no release has a verdict.',
    );
    const told = (await texts(live.page, '#no-policies'))[0] ?? '';
    expect(told).toContain("echo 'service: { policies: [config/policies/*.yaml] }' > mine.yaml");
    expect(told).toContain('npm start -- --config config/plimsoll.yaml --config mine.yaml');
    live.show({ isActive: false });
    await reads(live.page, '#connection', 'this process stands by');
    expect(await texts(live.page, '#no-policies')).toEqual([]);
  });

  test('a process that stands by says so, and shows what flows', async () => {
    live.view = { ...live.view, isActive: false, tiles: [], agents: [] };
    await live.open();
    await reads(live.page, '#connection', 'this process stands by');
    expect(await texts(live.page, '.tile')).toEqual([]);
    await reads(live.page, '#flow', 'Received 412 /s 1.3M in all');
    live.show({ isActive: true, isComplete: false, tiles: madeUpView(3).tiles });
    await reads(live.page, '#connection', 'live, window not complete yet');
  });

  test('what does not flow stands there in words', async () => {
    await live.open();
    await reads(live.page, '#flow-summary', 'Everything flows.');
    live.show({ flow: live.view.flow.map((stage) => stage.stage === 'stored' ? { ...stage, fault: 'ClickHouse does not answer' } : stage) }); // prettier-ignore
    await reads(live.page, '#flow-summary', 'Does not flow: stored: ClickHouse does not answer.');
    await reads(live.page, '#flow .alarm', '239 spans wait');
  });

  test('what senders name things is shown as text, never as markup', async () => {
    const hostile = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>';
    live.view = {
      ...live.view,
      tiles: live.view.tiles.map((tile) => ({ ...tile, title: hostile })),
      agents: live.view.agents.map((line) => ({ ...line, agent: hostile, environment: hostile })),
      escalations: [{ reason: hostile, runs: 3 }],
      incidents: live.view.incidents.map((each) => ({
        ...each,
        title: hostile,
        agent: hostile,
        severity: hostile,
        state: 'constructor',
      })),
      rollbacks: live.view.rollbacks.map((each) => ({ ...each, agent: hostile, reason: hostile, fromRelease: hostile, state: '__proto__', approvers: [hostile, 'ana'], approvals: 2, approvedBy: [hostile] })), // prettier-ignore
      rollbacksStopped: hostile,
      releases: viewOfAgent(live.view, '', '').releases.map((line) => ({
        ...line,
        release: hostile,
        judged: line.judged && {
          ...line.judged,
          baseline: hostile,
          reason: hostile,
          evidenceTest: { kpi: hostile, test: hostile, rollbackAt: 3 },
          tests: line.judged.tests.map((each, i) => ({
            ...each,
            kpi: hostile,
            test: i === 0 ? hostile : each.test,
          })),
        },
      })),
      flow: live.view.flow.map((stage) => ({ ...stage, fault: hostile })),
    };
    await live.open();
    await reads(live.page, '#agents-lines', hostile);
    await live.page.click('#agents-lines a');
    await reads(live.page, 'h1', hostile);
    await reads(live.page, '#rollbacks', hostile);
    await reads(live.page, '#releases-lines', hostile);
    await reads(live.page, '.judgement h3', `${hostile} beside ${hostile}`);
    await reads(live.page, '.judgement .reason', hostile);
    await reads(live.page, '.caption', hostile);
    await reads(
      live.page,
      '.tests',
      new RegExp(`${RegExp.escape(hostile)}: ${RegExp.escape(hostile)}, beside`, 'i'),
    );
    expect(await live.page.$$eval('img, body script', (found) => found.length)).toBe(0);
    expect(await live.page.title()).not.toBe('taken');
  });
});
