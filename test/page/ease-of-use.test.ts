import { readFileSync } from 'node:fs';
import type { Page } from 'puppeteer-core';
import { describe, expect, test } from 'vitest';
import { until } from '../until.ts';
import { missing, reads, tabTo, texts, typeToken } from './browser.ts';
import { ofAgent, useLivePage } from './live-page.ts';
import { madeUpView } from './made-up-view.ts';

const axe = readFileSync(new URL('../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

describe.skipIf(missing)('the live page under the hand of who uses it', () => {
  const live = useLivePage();

  test('an agent is chosen by keyboard alone, and the back button leads back', async () => {
    await live.open('?window=5m');
    await tabTo(live.page, '#agents-lines a');
    await live.page.keyboard.press('Enter');
    await reads(live.page, 'h1', 'refund-agent');
    await reads(live.page, '#releases-lines', '1.5.0-rc1');
    expect(new URL(live.page.url()).search).toBe('?agent=refund-agent&environment=production&window=5m');
    await live.page.goBack();
    await reads(live.page, 'h1', 'All agents');
    await reads(live.page, '#agents-lines', 'billing-copilot');
    expect(new URL(live.page.url()).search).toBe('?window=5m');
    await live.page.goForward();
    await tabTo(live.page, '#windows a[href*="24h"]');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#windows a[aria-current]', '24h');
    await reads(live.page, 'h1', 'refund-agent');
  });

  test('the focus stays where it is while figures change and others come and go', async () => {
    const [waiting] = live.view.rollbacks;
    const rollbacks = ['a', 'b', 'c'].flatMap((id) => (waiting ? [{ ...waiting, id, agent: id }] : []));
    live.view = { ...live.view, rollbacks };
    await live.open();
    const focused = async () =>
      live.page.evaluate(
        () => document.activeElement?.closest('li, tr')?.querySelector('h3, a')?.textContent,
      );
    await tabTo(live.page, '#rollbacks li:nth-child(3) [data-decision=approve]');
    expect(await focused()).toMatch(/^c in production/);
    live.show({ rollbacks: rollbacks.toReversed() });
    await reads(live.page, '#rollbacks', /^.* c in .* b in .* a in /);
    expect(await focused()).toMatch(/^c in production/);
  });

  test('agents do not change places under the hand of who is among them', async () => {
    await live.open();
    await tabTo(live.page, '#agents-lines tr:nth-child(2) a');
    live.show({ agents: live.view.agents.toReversed().map((line) => ({ ...line, runs: line.runs + 1 })) });
    await reads(live.page, '#agents-lines', /^refund-agent .* 1,412 .* triage-agent/);
    expect(await live.page.evaluate(() => document.activeElement?.textContent)).toBe('billing-copilot');
  });

  test('nothing moves when numbers change', async () => {
    await live.open();
    const shifts = await live.page.evaluateHandle(() => {
      const seen: number[] = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if ('value' in entry) seen.push(Number(entry.value));
      }).observe({ type: 'layout-shift' });
      return seen;
    });
    for (let i = 1; i <= 8; i++) {
      const tiles = live.view.tiles.map((tile) => ({
        ...tile,
        value: (tile.value ?? 1) * (1 - i / 20),
        denominator: tile.denominator * 3,
      }));
      live.show({
        tiles,
        agents: live.view.agents.map((line) => ({ ...line, runs: line.runs * 4, success: 1 / i })),
      });
      await reads(live.page, '#agents-lines', `${((1 / i) * 100).toFixed(1)} %`);
    }
    await live.page.evaluate(
      async () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
    expect(await shifts.jsonValue()).toEqual([]);
  });

  test('who listens hears of a verdict, an incident and a rollback that are new, and of no figure', async () => {
    live.view = {
      ...live.view,
      rollbacks: [],
      incidents: [],
      agents: live.view.agents.map((line) => ({ ...line, verdict: null })),
    };
    await live.open();
    const announced = async () => live.page.$eval('#announced', (each) => each.textContent);
    live.show({ agents: live.view.agents.map((line) => ({ ...line, runs: line.runs + 7 })) });
    await reads(live.page, '#agents-lines', '1,602');
    expect(await announced()).toBe('live');
    live.show(madeUpView(3));
    await reads(live.page, '#rollbacks', 'Waits for ana or ben');
    expect(await announced()).toMatch(
      /^A release of refund-agent in production fails\. New incident: .* A rollback of refund-agent waits for approval\.$/,
    );
  });

  test.each(
    (['light', 'dark'] as const).flatMap((scheme) =>
      [1440, 390].flatMap((width) => ['', ofAgent].map((query) => ({ scheme, width, query }))),
    ),
  )('axe finds nothing to complain of: $scheme, $width px, "$query"', async ({ scheme, width, query }) => {
    await live.open(query, { scheme, width });
    await live.page.evaluate(axe);
    const audit = async () =>
      live.page.evaluate(async () => {
        // @ts-expect-error axe was put into the page
        const { violations } = await globalThis.axe.run();
        return violations.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => [
          id,
          ...nodes.map(({ html }) => html),
        ]);
      });
    expect(await audit()).toEqual([]);
    await live.page.click('#token-button');
    expect(await audit()).toEqual([]);
    await typeToken(live.page, 'a token');
    await live.page.waitForSelector('main[aria-busy=false]');
    if (query === '') {
      await live.page.click('.review:not([hidden]) button');
      expect(await audit()).toEqual([]);
    }
    const overflow = await live.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });

  test('500 agents are found, paged through and chosen while views keep coming', async () => {
    live.view = madeUpView(500);
    await live.open();
    await reads(live.page, '#agents-summary', '1–20 of 500');
    const nodes = await nodesOf(live.page);
    for (let i = 0; i < 50; i++)
      live.show({ agents: live.view.agents.map((line) => ({ ...line, runs: line.runs + 1 })) });
    await reads(live.page, '#agents-lines', String(live.view.agents[0]?.runs));
    expect((await nodesOf(live.page)) - nodes).toBeLessThan(100);
    await live.page.type('#find', 'agent-49');
    await reads(live.page, '#agents-summary', '10 found of 500');
    expect(await texts(live.page, '#agents-lines a')).toHaveLength(10);
    await live.page.$eval('#find', (field) => field instanceof HTMLInputElement && field.select());
    await live.page.keyboard.type('staging');
    await reads(live.page, '#agents-summary', '1–20 of 100 found of 500');
    await live.page.click('#agents-next');
    await reads(live.page, '#agents-summary', '21–40 of 100 found of 500');
    await live.page.click('#agents-lines tr:nth-child(3) a');
    await reads(live.page, 'h1', /^agent-110$/);
    await live.page.goBack();
    await reads(live.page, '#agents-summary', '21–40 of 100 found of 500');
    expect(await live.page.$eval('#find', (field) => field instanceof HTMLInputElement && field.value)).toBe(
      'staging',
    );
    await until('one view is followed', () => live.server.readers === 1);
  });
});

/** How many nodes there are in the memory of `page`, when what is left behind for good is all that is left behind. */
async function nodesOf(page: Page): Promise<number> {
  const session = await page.createCDPSession();
  await session.send('HeapProfiler.collectGarbage');
  await session.detach();
  return (await page.metrics()).Nodes ?? Number.NaN;
}
