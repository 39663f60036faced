import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LiveView } from '../../src/page/live-view.ts';
import { until } from '../until.ts';
import { missing, openPage, reads, startBrowser, tabTo, texts } from './browser.ts';
import { madeUpView, viewOfAgent } from './made-up-view.ts';
import { ViewServer } from './view-server.ts';

const ofAgent = '?agent=refund-agent&environment=production';
const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

describe.skipIf(missing)('the live page', () => {
  let browser: Browser;
  let server: ViewServer;
  let page: Page;
  let view: LiveView;
  /** What the browser complains about; a test that expects something empties it. */
  let faults: string[] = [];

  const open = async (query = '', look = {}): Promise<Page> => {
    page = await openPage(browser, `${server.url}/${query}`, faults, look);
    await page.waitForSelector('#flow li');
    return page;
  };
  const show = (over: Partial<LiveView>): void => {
    view = { ...view, ...over };
    server.push();
  };

  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(async () => browser.close());
  beforeEach(async () => {
    view = madeUpView(3);
    faults = [];
    server = new ViewServer((query) => {
      const [agent, environment] = [query.get('agent'), query.get('environment')];
      const shown = { ...view, window: query.get('window') ?? view.window };
      return agent !== null && environment !== null ? viewOfAgent(shown, agent, environment) : shown;
    });
    await server.start();
  });
  afterEach(async () => {
    await page.close();
    await server.stop();
    expect(faults).toEqual([]);
  });

  test('a tile says its value, how many are counted, and whether the objective is met, in words', async () => {
    await open();
    const [success = '', escalated, cost] = await texts(page, '.tile');
    expect(success).toMatch(/^Success 84\.3 % Objective not met: below 90 % 4,128 runs$/);
    expect(escalated).toMatch(/^Escalated 8\.1 % Objective met: at most 10 % 4,128 runs$/);
    expect(cost).toMatch(/^Cost per run \$0\.0123 Objective met: at most \$0\.05 4,128 runs$/);
    const chart = await page.$eval('.tile [role=img]', (each) => each.getAttribute('aria-label'));
    expect(chart).toMatch(/^Success over time: from 9\d\.\d\s% to 8\d\.\d\s%, between /);
  });

  test('a rate of fewer than 20 runs is called few, and one of none is no rate', async () => {
    const [tile] = view.tiles;
    await open();
    show({ tiles: tile ? [{ ...tile, value: 0.5, denominator: 12 }] : [] });
    await reads(page, '.tile', 'few: 12 runs');
    expect(await page.$$eval('.tile .value.few', (found) => found.length)).toBe(1);
    show({ tiles: tile ? [{ ...tile, value: null, denominator: 0 }] : [] });
    await reads(page, '.tile', /^Success – .*no runs yet$/);
    expect((await texts(page, '.lines tbody tr')).at(-1)).toMatch(/triage-agent staging .* few: 12 /);
  });

  test('an agent is chosen by keyboard alone, and the back button leads back', async () => {
    await open('?window=5m');
    await tabTo(page, '#agents-lines a');
    await page.keyboard.press('Enter');
    await reads(page, 'h1', 'refund-agent');
    await reads(page, '#releases-lines', '1.5.0-rc1');
    expect(new URL(page.url()).search).toBe('?agent=refund-agent&environment=production&window=5m');
    await page.goBack();
    await reads(page, 'h1', 'All agents');
    await reads(page, '#agents-lines', 'billing-copilot');
    expect(new URL(page.url()).search).toBe('?window=5m');
    await page.goForward();
    await tabTo(page, '#windows a[href*="24h"]');
    await page.keyboard.press('Enter');
    await reads(page, '#windows a[aria-current]', '24h');
    await reads(page, 'h1', 'refund-agent');
  });

  test('releases stand beside each other, with the verdict, its reason, and how far the evidence is', async () => {
    await open(ofAgent);
    const [judged, baseline, few] = await texts(page, '#releases-lines tr');
    expect(judged).toMatch(/1\.5\.0-rc1 ✕ fail −32\.2 points 61\.2 % .* 384$/);
    expect(baseline).toMatch(/1\.4\.0 baseline of 1\.5\.0-rc1 93\.4 %/);
    expect(few).toMatch(/not judged .* few: 7$/);
    await reads(page, '.judgement', /fail roll it back run_success is worse than that of 1\.4\.0/);
    const tests = await texts(page, '.tests li');
    expect(tests[0]).toMatch(/worse than 1\.4\.0\? evidence 2040, enough to roll back$/);
    expect(tests[1]).toMatch(/evidence 30, enough to pause, rolls back at 493$/);
    expect(tests[3]).toMatch(/surely not worse than 1\.4\.0\? evidence 0\.0498, passes at 99\.5$/);
  });

  test('the evidence over time is of the test that the server says, and so is the end of it', async () => {
    const [judged, ...others] = viewOfAgent(view, '', '').releases;
    const evidenceTest = { kpi: 'run_success', test: 'floor', rollbackAt: 5.3 };
    const releases = judged?.judged ? [{ ...judged, judged: { ...judged.judged, evidenceTest } }] : [];
    view = { ...view, releases: [...releases, ...others] };
    await open(ofAgent);
    await reads(page, '.caption', /run success: worse than the policy ever allows\? It rolls back at 200, /);
    const chart = await page.$eval('.drawn [role=img]', (each) => each.getAttribute('aria-label'));
    expect(chart).toMatch(
      /^Evidence, run success: worse than the policy ever allows\? .*; rolls back at 200$/,
    );
    show({ releases: releases.map((line) => ({ ...line, judged: { ...line.judged, evidenceTest: null } })) });
    await until('no chart', async () => (await texts(page, '.drawn')).length === 0);
  });

  test('the focus stays where it is while figures change and others come and go', async () => {
    const [waiting] = view.rollbacks;
    const rollbacks = ['a', 'b', 'c'].flatMap((id) => (waiting ? [{ ...waiting, id, agent: id }] : []));
    view = { ...view, rollbacks };
    await open();
    const focused = async () =>
      page.evaluate(() => document.activeElement?.closest('li, tr')?.querySelector('h3, a')?.textContent);
    await tabTo(page, '#rollbacks li:nth-child(3) [data-decision=approve]');
    expect(await focused()).toMatch(/^c in production/);
    show({ rollbacks: rollbacks.toReversed() });
    await reads(page, '#rollbacks', /^.* c in .* b in .* a in /);
    expect(await focused()).toMatch(/^c in production/);
  });

  test('agents do not change places under the hand of who is among them', async () => {
    await open();
    await tabTo(page, '#agents-lines tr:nth-child(2) a');
    show({ agents: view.agents.toReversed().map((line) => ({ ...line, runs: line.runs + 1 })) });
    await reads(page, '#agents-lines', /^refund-agent .* 1,412 .* triage-agent/);
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('billing-copilot');
  });

  test('nothing moves when numbers change', async () => {
    await open();
    const shifts = await page.evaluateHandle(() => {
      const seen: number[] = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if ('value' in entry) seen.push(Number(entry.value));
      }).observe({ type: 'layout-shift' });
      return seen;
    });
    for (let i = 1; i <= 8; i++) {
      const tiles = view.tiles.map((tile) => ({
        ...tile,
        value: (tile.value ?? 1) * (1 - i / 20),
        denominator: tile.denominator * 3,
      }));
      show({ tiles, agents: view.agents.map((line) => ({ ...line, runs: line.runs * 4, success: 1 / i })) });
      await reads(page, '#agents-lines', `${((1 / i) * 100).toFixed(1)} %`);
    }
    await page.evaluate(
      async () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
    expect(await shifts.jsonValue()).toEqual([]);
  });

  test('a connection that is lost is told once, tried again, and comes back by itself', async () => {
    await open();
    await reads(page, '#connection', 'live');
    await page.evaluate(() => {
      const line = document.querySelector('#announced');
      new MutationObserver(
        () => (document.body.dataset['told'] = `${document.body.dataset['told'] ?? ''}${line?.textContent};`),
      ).observe(
        document.body, // prettier-ignore
        { subtree: true, childList: true, characterData: true, attributes: false },
      );
    });
    await server.stop();
    await reads(
      page,
      '#connection',
      /connection lost, trying again in \d s: nobody answers; figures are of \d\d:\d\d/,
    );
    await reads(page, '.tile', '84.3 %');
    await server.start();
    await reads(page, '#connection', /^live$/);
    const told = await page.evaluate(() => document.body.dataset['told'] ?? '');
    expect(new Set(told.split(';'))).toEqual(new Set(['live', 'connection lost, trying again', '']));
    faults = faults.filter((fault) => !fault.includes('ERR_')); // the browser says itself that nobody answers
  });

  test('who listens hears of a verdict, an incident and a rollback that are new, and of no figure', async () => {
    view = {
      ...view,
      rollbacks: [],
      incidents: [],
      agents: view.agents.map((line) => ({ ...line, verdict: null })),
    };
    await open();
    const announced = async () => page.$eval('#announced', (each) => each.textContent);
    show({ agents: view.agents.map((line) => ({ ...line, runs: line.runs + 7 })) });
    await reads(page, '#agents-lines', '1,602');
    expect(await announced()).toBe('live');
    show(madeUpView(3));
    await reads(page, '#rollbacks', 'Waits for ana or ben');
    expect(await announced()).toMatch(
      /^A release of refund-agent in production fails\. New incident: .* A rollback of refund-agent waits for approval\.$/,
    );
  });

  test('a process that stands by says so, and shows what flows', async () => {
    view = { ...view, isActive: false, tiles: [], agents: [] };
    await open();
    await reads(page, '#connection', 'this process stands by');
    expect(await texts(page, '.tile')).toEqual([]);
    await reads(page, '#flow', 'Received 412 /s 1.3M in all');
    show({ isActive: true, isComplete: false, tiles: madeUpView(3).tiles });
    await reads(page, '#connection', 'live, window not complete yet');
  });

  test('what does not flow stands there in words', async () => {
    await open();
    await reads(page, '#flow-summary', 'Everything flows.');
    show({ flow: view.flow.map((stage) => stage.stage === 'stored' ? { ...stage, fault: 'ClickHouse does not answer' } : stage) }); // prettier-ignore
    await reads(page, '#flow-summary', 'Does not flow: stored: ClickHouse does not answer.');
    await reads(page, '#flow .alarm', '239 spans wait');
  });

  test('where reading needs a token it is asked for, kept in the session only, and sent', async () => {
    server.token = 'a secret';
    page = await openPage(browser, `${server.url}/`, faults);
    await reads(page, '#refused', 'no token: send the header');
    await page.click('#refused-token');
    await page.type('#token-field', 'a secret');
    await page.keyboard.press('Enter');
    await reads(page, '#connection', 'live');
    expect(await texts(page, '#refused')).toEqual([]);
    const kept = await page.evaluate(() => [
      Object.values(sessionStorage),
      localStorage.length,
      document.cookie,
      location.href,
    ]);
    expect(kept).toEqual([['a secret'], 0, '', `${server.url}/`]);
    await page.reload();
    await reads(page, '#connection', 'live');
    await page.click('#token-button');
    await page.click('#token-forget');
    await reads(page, '#refused', 'no token');
    faults = faults.filter((fault) => !fault.includes('401'));
  });

  test('a URL that asks for what there is not says so, and leads back', async () => {
    page = await openPage(browser, `${server.url}/?window=7h`, faults);
    await reads(page, '#refused', 'there is no window 7h');
    await page.click('#refused-back');
    await reads(page, '#connection', 'live');
    faults = faults.filter((fault) => !fault.includes('400'));
  });

  test('figures of one agent never stand under the name of another', async () => {
    await open(ofAgent);
    await reads(page, '[data-decision=approve]', 'Approve');
    await server.stop();
    await reads(page, '#connection', 'connection lost');
    await reads(page, '.tile', '84.3 %');
    await page.evaluate(() => document.querySelector<HTMLElement>('#back')?.click());
    await reads(page, 'h1', 'All agents');
    await reads(page, '#before-first', 'No figures yet: nobody answers.');
    expect(await texts(page, '.tile, [data-decision], #waiting, #flow li')).toEqual([]);
    expect(
      await page.$$eval('#windows a', (links) => links.map((link) => link.getAttribute('href'))),
    ).toEqual(['?window=5m', '?window=1h', '?window=24h']);
    await server.start();
    await reads(page, '#agents-lines', 'billing-copilot');
    expect(await texts(page, '#before-first')).toEqual([]);
    faults = faults.filter((fault) => !fault.includes('ERR_'));
  });

  test('who may not look any more sees no figures any more', async () => {
    await open();
    server.token = 'a secret';
    await server.stop();
    await server.start();
    await reads(page, '#refused', 'no token');
    expect(await texts(page, '.tile, [data-decision], #waiting, #flow li, #before-first')).toEqual([]);
    faults = faults.filter((fault) => !/ERR_|401/.test(fault));
  });

  test('a view that the page cannot show is no lost connection, and the next one is shown', async () => {
    await open();
    const shown = view;
    // @ts-expect-error what no server of this version sends
    show({ tiles: null });
    await reads(page, '#connection', 'this page cannot show what came: reload it');
    expect(await texts(page, '.tile, [data-decision]')).toEqual([]);
    expect(server.opened).toBe(1);
    expect(faults).toEqual([expect.stringContaining('TypeError')]);
    faults = [];
    show(shown);
    await reads(page, '#connection', /^live$/);
    await reads(page, '.tile', '84.3 %');
    expect([server.opened, server.readers]).toEqual([1, 1]);
  });

  test('a page of another version is loaded anew, and not again at once', async () => {
    await open();
    const isOld = async () => page.evaluate(() => document.body.dataset['old'] === 'true');
    const mark = async () => page.evaluate(() => (document.body.dataset['old'] = 'true'));
    await mark();
    const loaded = page.waitForNavigation();
    show({ version: '0.2.0' });
    await loaded;
    await reads(page, '#version', 'Plimsoll 0.2.0');
    expect(await isOld()).toBe(false);
    await mark();
    show({ version: '0.1.0' });
    await reads(page, '#version', 'Plimsoll 0.1.0');
    expect(await isOld()).toBe(true);
  });

  test('why a server does not answer stands there in its words, and it is asked again', async () => {
    server.refusal = { status: 503, body: { errors: ['50 pages are open: close one'] } };
    page = await openPage(browser, `${server.url}/`, faults);
    await reads(page, '#connection', /^connection lost, trying again.*: 50 pages are open: close one$/);
    await reads(page, '#before-first', 'No figures yet: 50 pages are open: close one.');
    server.refusal = { status: 404, body: '<html><h1>default backend - 404</h1></html>' };
    await reads(page, '#before-first', 'No figures yet: the server answers 404.');
    server.refusal = undefined;
    await reads(page, '#connection', /^live$/);
    faults = faults.filter((fault) => !/404|503/.test(fault));
  });

  test('the way back from a refusal asks again, also where nothing is chosen', async () => {
    server.refusal = { status: 400, body: { errors: ['not now'] } };
    page = await openPage(browser, `${server.url}/`, faults);
    await reads(page, '#refused', 'not now');
    server.refusal = undefined;
    await page.click('#refused-back');
    await reads(page, '#connection', /^live$/);
    faults = faults.filter((fault) => !fault.includes('400'));
  });

  test('a token that no request can carry is not taken', async () => {
    server.token = 'a secret';
    page = await openPage(browser, `${server.url}/`, faults);
    await page.click('#token-button');
    await page.type('#token-field', '“a secret”');
    await page.keyboard.press('Enter');
    await reads(page, '#token-fault', 'This cannot be a token: it has characters that no request can carry');
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    await page.$eval('#token-field', (field) => field instanceof HTMLInputElement && field.select());
    await page.type('#token-field', 'a secret');
    await page.keyboard.press('Enter');
    await reads(page, '#connection', /^live$/);
    await page.click('#token-button');
    expect(await texts(page, '#token-fault')).toEqual([]);
    faults = faults.filter((fault) => !fault.includes('401'));
  });

  test('a rollback that two have to approve says who did, and for whom it waits', async () => {
    const rollbacks = view.rollbacks.map((each) => ({ ...each, approvals: 2, approvedBy: ['ana'] }));
    view = { ...view, rollbacks };
    await open(ofAgent);
    await reads(page, '#rollbacks', '1 of 2 approved, by ana. Waits for ben, ');
  });

  test('a rollback that waits is approved with the token of who looks', async () => {
    await open(ofAgent);
    await page.click('[data-decision=approve]');
    await page.type('#token-field', 'token of ana');
    await page.keyboard.press('Enter');
    await page.click('[data-decision=approve]');
    await reads(page, '#decision-dialog', 'It takes refund-agent in production from 1.5.0-rc1 to 1.4.0.');
    await page.keyboard.press('Escape');
    expect(server.decided).toEqual([]);
    await page.click('[data-decision=approve]');
    await page.click('#decision-confirm');
    await reads(page, '.answer', /^Approved\.$/);
    expect(server.decided).toEqual([
      { ticket: 'r2.ticket', by: 'Bearer token of ana', body: { decision: 'approve', reason: '' } },
    ]);
  });

  test('a refusal of the server is shown as it comes', async () => {
    server.answerToDecisions = {
      status: 409,
      body: { errors: ['this ticket was used or has expired: the rollback is done'] },
    };
    await open();
    await page.click('#token-button');
    await page.type('#token-field', 'token of ben');
    await page.keyboard.press('Enter');
    await page.click('[data-decision=refuse]');
    await page.type('#decision-reason', 'the canary is over');
    await page.keyboard.press('Enter');
    await reads(page, '.answer', 'Not done: this ticket was used or has expired: the rollback is done.');
    expect(server.decided[0]?.body).toEqual({ decision: 'refuse', reason: 'the canary is over' });
    faults = faults.filter((fault) => !fault.includes('409'));
  });

  test('what senders name things is shown as text, never as markup', async () => {
    const hostile = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>';
    view = {
      ...view,
      tiles: view.tiles.map((tile) => ({ ...tile, title: hostile })),
      agents: view.agents.map((line) => ({ ...line, agent: hostile, environment: hostile })),
      escalations: [{ reason: hostile, runs: 3 }],
      incidents: view.incidents.map((each) => ({
        ...each,
        title: hostile,
        agent: hostile,
        severity: hostile,
        state: 'constructor',
      })),
      rollbacks: view.rollbacks.map((each) => ({ ...each, agent: hostile, reason: hostile, fromRelease: hostile, state: '__proto__', approvers: [hostile, 'ana'], approvals: 2, approvedBy: [hostile] })), // prettier-ignore
      rollbacksStopped: hostile,
      releases: viewOfAgent(view, '', '').releases.map((line) => ({
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
      flow: view.flow.map((stage) => ({ ...stage, fault: hostile })),
    };
    await open();
    await reads(page, '#agents-lines', hostile);
    await page.click('#agents-lines a');
    await reads(page, 'h1', hostile);
    await reads(page, '#rollbacks', hostile);
    await reads(page, '#releases-lines', hostile);
    await reads(page, '.judgement h3', `${hostile} beside ${hostile}`);
    await reads(page, '.judgement .reason', hostile);
    await reads(page, '.caption', hostile);
    await reads(
      page,
      '.tests',
      new RegExp(`${RegExp.escape(hostile)}: ${RegExp.escape(hostile)}, beside`, 'i'),
    );
    expect(await page.$$eval('img, body script', (found) => found.length)).toBe(0);
    expect(await page.title()).not.toBe('taken');
  });

  test.each(
    ['light', 'dark'].flatMap((scheme) =>
      [1440, 390].flatMap((width) => ['', ofAgent].map((query) => ({ scheme, width, query }))),
    ),
  )('axe finds nothing to complain of: $scheme, $width px, "$query"', async ({ scheme, width, query }) => {
    await open(query, { scheme, width });
    await page.evaluate(axe);
    const audit = async () =>
      page.evaluate(async () => {
        // @ts-expect-error axe was put into the page
        const { violations } = await globalThis.axe.run();
        return violations.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => [
          id,
          ...nodes.map(({ html }) => html),
        ]);
      });
    expect(await audit()).toEqual([]);
    await page.click('#token-button');
    expect(await audit()).toEqual([]);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });

  test('500 agents are found, paged through and chosen while views keep coming', async () => {
    view = madeUpView(500);
    await open();
    await reads(page, '#agents-summary', '1–20 of 500');
    const nodes = await nodesOf(page);
    for (let i = 0; i < 50; i++)
      show({ agents: view.agents.map((line) => ({ ...line, runs: line.runs + 1 })) });
    await reads(page, '#agents-lines', String(view.agents[0]?.runs));
    expect((await nodesOf(page)) - nodes).toBeLessThan(100);
    await page.type('#find', 'agent-49');
    await reads(page, '#agents-summary', '10 found of 500');
    expect(await texts(page, '#agents-lines a')).toHaveLength(10);
    await page.$eval('#find', (field) => field instanceof HTMLInputElement && field.select());
    await page.keyboard.type('staging');
    await reads(page, '#agents-summary', '1–20 of 100 found of 500');
    await page.click('#agents-next');
    await reads(page, '#agents-summary', '21–40 of 100 found of 500');
    await page.click('#agents-lines tr:nth-child(3) a');
    await reads(page, 'h1', /^agent-110$/);
    await page.goBack();
    await reads(page, '#agents-summary', '21–40 of 100 found of 500');
    expect(await page.$eval('#find', (field) => field instanceof HTMLInputElement && field.value)).toBe(
      'staging',
    );
    await until('one view is followed', () => server.readers === 1);
  });

  test('a tab that nobody sees holds no connection', async () => {
    await open();
    expect(server.readers).toBe(1);
    const other = await browser.newPage();
    await other.bringToFront();
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until('the connection to end', () => server.readers === 0);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until('the connection to be there', () => server.readers === 1);
    await other.close();
  });
});

/** How many nodes there are in the memory of `page`, when what is left behind for good is all that is left behind. */
async function nodesOf(page: Page): Promise<number> {
  const session = await page.createCDPSession();
  await session.send('HeapProfiler.collectGarbage');
  await session.detach();
  return (await page.metrics()).Nodes ?? Number.NaN;
}
