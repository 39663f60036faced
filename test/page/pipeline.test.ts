import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sendSteadily, type Runs } from '../e2e/agent-runs.ts';
import { Deployment } from '../e2e/deployment.ts';
import { hastyCanary } from '../e2e/hasty-canary.ts';
import { Place, Program } from '../e2e/program.ts';
import { freePorts } from '../free-ports.ts';
import { until } from '../until.ts';
import { giveToken, missing, openPage, reads, startBrowser, tabTo, texts } from './browser.ts';

const patienceMs = 120_000;
const [agent, environment, old, canary] = ['refund-agent', 'production', '1.4.0', '1.5.0-rc1'];
const policy = `
apiVersion: plimsoll/v1
kind: ReliabilityPolicy
metadata: { name: refunds, version: 1, owner: team-payments, on_call: payments-on-call, approvers: [ana, ben] }
scope: { agents: [${agent}], environments: [${environment}] }
good_outcomes: [success, completed]
objectives:
  run_success: { at_least: 0.9, period: 30d, min_events: 20, severity: sev2 }
severities: { sev2: { page: true, acknowledge_within: 30m } }
${hastyCanary({ canary, target: 'refunds', mode: 'approve' })}`;

describe.skipIf(missing)('the live page of a pipeline', () => {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-page-'));
  const deployment = new Deployment();
  const stopped = new AbortController();
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true })];
  const faults: string[] = [];
  /** What runs, of ten runs. */
  let mix: readonly Pick<Runs, 'release' | 'count' | 'failures'>[] = [
    { release: old, count: 10, failures: 0 },
  ];
  let browser: Browser;
  let place: Place;
  let program: Program;
  let page: Page;
  let load: Promise<void> | undefined;

  beforeAll(async () => {
    deployment.running.set('refunds', old);
    await deployment.start();
    ends.push(async () => deployment.stop());
    writeFileSync(join(folder, 'refunds.yaml'), policy);
    const [apiPort = 0] = await freePorts(1);
    place = new Place(
      JSON.stringify({
        exporters: { kpi: { windows: ['10s', '1h'] } },
        extensions: {
          api: {
            endpoint: `127.0.0.1:${apiPort}`,
            users: { ana: 'token-of-ana', ben: 'token-of-ben', eve: 'token-of-eve' },
          },
          rollback: { targets: { refunds: deployment.target('refunds') } },
        },
        service: {
          extensions: ['health_check', 'sql', 'api', 'rollback'],
          policies: [join(folder, 'refunds.yaml')],
        },
      }),
    );
    ends.push(() => place.remove());
    program = await Program.start(place);
    ends.push(async () => program.kill('SIGKILL'));
    browser = await startBrowser();
    ends.push(async () => browser.close());
    load = sendSteadily(
      {
        url: () => program.url('OTLP gRPC'),
        next: () => mix.map((each) => ({ agent, environment, ...each })),
      },
      stopped.signal,
    );
    page = await openPage(browser, program.url('page, API'), faults);
  }, patienceMs);

  afterAll(async () => {
    stopped.abort();
    await load;
    for (const end of ends.toReversed()) await end();
  });

  const metric = async (name: string, labels: readonly string[]): Promise<number> => {
    const lines = (await program.metrics()).split('\n');
    const own = lines.filter(
      (line) => line.startsWith(`${name}{`) && labels.every((label) => line.includes(label)),
    );
    return own.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };

  test(
    'a bad release is seen, found by keyboard, and taken back by the token of an approver',
    async () => {
      await reads(page, '#agents-lines', agent);
      await until(
        'the release before is established',
        async () => (await metric('plimsoll_runs_total', [`release="${old}"`])) > 300,
        patienceMs,
      );
      deployment.running.set('refunds', canary);
      mix = [{ release: old, count: 7, failures: 0 }, { release: canary, count: 3, failures: 2 }]; // prettier-ignore
      await reads(page, '#agents-lines', /refund-agent production ✕ fail/);

      await tabTo(page, '#agents-lines a');
      await page.keyboard.press('Enter');
      await reads(page, 'h1', agent);
      await reads(
        page,
        '#releases-lines',
        new RegExp(`${canary} ✕ fail .*${old} baseline of ${canary} 100\\.0 %`),
      );
      await reads(page, '.judgement', `worse than that of ${old}`);

      await reads(page, '#rollbacks', 'Waits for ana or ben');
      await reads(page, '#waiting', `The rollback of ${agent} ${canary} waits for approval.`);

      await decideAs('eve');
      await reads(page, '.answer', 'Not done: eve is no approver of its policy: ana and ben may decide.');
      expect(deployment.done).toEqual([]);
      await decideAs('ana');
      await reads(page, '.answer', 'Approved.');
      await until('it is done', () => deployment.done.length > 0);
      expect(deployment.done).toMatchObject([{ target: 'refunds', from: canary, to: old }]);
      await reads(page, '#rollbacks', /executing|verifying|done/);

      const review = '.review:not([hidden]) button';
      await until('it is over', async () => (await texts(page, review)).length > 0, patienceMs);
      await reads(page, '.judgement', '✕ fail rolled back at ');
      await page.click(review);
      await page.click('#review-right');
      await page.type('#review-note', 'refunds failed');
      await page.click('#review-confirm');
      await reads(page, '.answer', 'Noted: it was right.');
      await reads(page, '#rollbacks', 'ana says that it was right: refunds failed');
    },
    4 * patienceMs,
  );

  const decideAs = async (name: string): Promise<void> => {
    await giveToken(page, `token-of-${name}`);
    await page.click('[data-decision=approve]');
    await page.click('#decision-confirm');
  };

  test(
    'tiles show what /metrics says once nothing comes any more',
    async () => {
      stopped.abort();
      await load;
      const inWindow = ['window="1h"', `agent="${agent}"`];
      const figures = async (): Promise<readonly number[]> =>
        Promise.all(
          ['numerator', 'denominator'].map(async (part) =>
            metric(`plimsoll_kpi_run_success_${part}`, inWindow),
          ),
        );
      let [good = 0, all = 0] = await figures();
      await until('the figures to stand still', async () => {
        const before = all;
        [good = 0, all = 0] = await figures();
        const said = (await texts(page, '.tile[data-kpi=run_success]'))[0] ?? '';
        return all === before && said.includes(`${all.toLocaleString('en')} runs`);
      });
      const [said] = await texts(page, '.tile[data-kpi=run_success]');
      expect(said).toContain(`${((good / all) * 100).toFixed(1)} %`);
      expect(said).toMatch(
        good / all < 0.9 ? /Objective not met: below 90 %/ : /Objective met: at least 90 %/,
      );
    },
    patienceMs,
  );

  test(
    'a pipeline that ends and starts again is followed, and shows the same',
    async () => {
      const before = (await texts(page, '.tile[data-kpi=run_success]'))[0] ?? '';
      await program.kill('SIGTERM');
      await reads(page, '#connection', 'connection lost, trying again');
      program = await Program.start(place);
      await reads(page, '#connection', /^live/);
      const runs = /[\d,]+ runs/.exec(before)?.[0] ?? 'no runs';
      await reads(page, '.tile[data-kpi=run_success]', runs);
      expect(faults.filter((fault) => !fault.includes('ERR_'))).toEqual([]);
    },
    patienceMs,
  );
});
