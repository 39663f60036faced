import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { createLog } from '../../src/core/log.ts';
import type { Executor } from '../../src/rollback/executor.ts';
import { until } from '../until.ts';
import { rollbackTable } from './rollback-table.ts';
import { dayMs, FakeTarget, hourMs, minuteMs, planWith, requestWith, Site } from './site.ts';

const sites: Site[] = [];
function newSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}
afterEach(() => sites.splice(0).forEach((site) => site.remove()));

/** Asks and lets the executor go as far as it goes. */
async function ask(executor: Executor, changes: Parameters<typeof requestWith>[0] = {}) {
  const outcome = await executor.request(requestWith(changes));
  await executor.round();
  await executor.round();
  return outcome;
}

function stateOf(executor: Executor, index = -1) {
  return executor.status(undefined).attempts.at(index)?.state;
}

function metric(executor: Executor, name: string, ...labels: readonly string[]): number | undefined {
  const family = executor.families().find((each) => each.name === name);
  return family?.samples.find((sample) =>
    labels.every((label) => sample.labels.some(([, value]) => value === label)),
  )?.value;
}

describe('a bad release of a policy that says auto', () => {
  test('is taken back once, and done when the release before meets its objective', async () => {
    const site = newSite();
    const executor = site.executor();
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
    expect(site.target.orders).toMatchObject([{ from: 'v2', to: 'v1', target: 'refunds' }]);
    expect(site.journal.events).toEqual(['requested', 'executing', 'acted', 'done']);
    expect(site.pages).toEqual([]);
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'done', to: 'v1' }]);
  });

  test('is one rollback, whoever asks and however often: repeats of an alert, the judge, and a person', async () => {
    const site = newSite();
    site.figures.clear();
    const executor = site.executor();
    const other = site.executor({ isActing: () => false });
    const first = await ask(executor);
    for (const by of ['alertmanager', 'alertmanager', 'ana'])
      expect(await ask(other, { cause: 'alert', requestedBy: by })).toMatchObject({
        kind: 'joined',
        id: 'id' in first ? first.id : '',
      });
    await ask(executor);
    expect(site.target.orders).toHaveLength(1);
    expect(site.journal.events.filter((event) => event === 'repeated')).toHaveLength(2); // alertmanager, ana
    expect(executor.status(undefined).attempts).toHaveLength(1);
  });

  test('is known to the journal before its target hears of it', async () => {
    const site = newSite();
    let events: readonly string[] = [];
    site.target.answer = () => {
      events = site.journal.events;
      return undefined;
    };
    await ask(site.executor());
    expect(events).toEqual(['requested', 'executing']);
  });

  test('is left alone where the target already runs another one', async () => {
    const site = newSite();
    site.target.release = 'v3';
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('moved');
    expect(site.target.orders).toEqual([]);
    expect(site.pages).toEqual([]);
  });

  test('is not counted as a rollback when the target had already moved', async () => {
    const site = newSite();
    site.plan = planWith({ perDay: 1 });
    site.target.release = 'v3';
    const executor = site.executor();
    await ask(executor);
    site.target.release = 'v4';
    await ask(executor, { release: 'v4' });
    expect(stateOf(executor)).toBe('done');
  });

  test('may name no release that stands for several or none', async () => {
    const site = newSite();
    for (const release of ['unknown', 'overflow', ''])
      expect(await site.executor().request(requestWith({ release }))).toMatchObject({ kind: 'ignored' });
    expect(site.journal.events).toEqual([]);
  });
});

describe('the release to go back to', () => {
  test('is the best that the judge knows', async () => {
    const site = newSite();
    site.destinations = [
      { release: 'v1', why: 'passed' },
      { release: 'v0', why: 'established' },
    ];
    await ask(site.executor());
    expect(site.target.orders[0]?.to).toBe('v1');
  });

  test('where there is none, somebody is told and nothing is done', async () => {
    const site = newSite();
    site.destinations = [];
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('refused');
    expect(site.target.orders).toEqual([]);
    expect(site.pages).toMatchObject([
      { title: 'RollbackNotPossible', release: 'v2', owner: 'team-payments' },
    ]);
    await ask(executor);
    expect(site.pages).toHaveLength(1);
    site.destinations = [{ release: 'v1', why: 'passed' }];
    await ask(executor);
    expect(site.target.orders).toMatchObject([{ to: 'v1' }]);
  });

  test('is never one that was itself taken back in the last 7 days', async () => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: minuteMs });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(2 * minuteMs);
    site.destinations = [{ release: 'v2', why: 'established' }];
    await ask(executor, { release: 'v1' }); // v1 is bad, too: no way back to v2
    expect(stateOf(executor)).toBe('refused');
    expect(site.pages).toHaveLength(1);
    site.clock.advance(8 * dayMs);
    await ask(executor, { release: 'v1' });
    expect(site.target.orders.at(-1)).toMatchObject({ from: 'v1', to: 'v2' });
  });
});

test('the judge that finds the same again asked once; others who ask are counted, also after a restart', async () => {
  const site = newSite();
  site.plan = planWith({ mode: 'approve' });
  const executor = site.executor();
  for (let times = 0; times < 5; times++) await ask(executor, { cause: 'judge', requestedBy: 'judge' });
  expect(executor.status(undefined).attempts).toMatchObject([{ askers: ['judge'], asks: 1 }]);
  await ask(executor, { cause: 'alert', requestedBy: 'alertmanager' });
  const restarted = site.executor();
  await restarted.round();
  for (const each of [executor, restarted])
    expect(each.status(undefined).attempts).toMatchObject([{ askers: ['judge', 'alertmanager'], asks: 2 }]);
});

describe('limits', () => {
  test('let a target cool down', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    site.target.release = 'v3';
    site.clock.advance(29 * minuteMs);
    await ask(executor, { release: 'v3' });
    expect(stateOf(executor)).toBe('refused');
    expect(site.pages).toMatchObject([{ title: 'RollbackNotPossible' }]);
    site.clock.advance(2 * minuteMs);
    await ask(executor, { release: 'v3' });
    expect(site.target.orders).toHaveLength(2);
  });

  test('let nobody wait without knowing when the target runs again what was taken back: people are told, once', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    site.target.release = 'v1';
    await ask(executor);
    expect(stateOf(executor)).toBe('done');
    expect(site.pages).toEqual([]);
    site.target.release = 'v2'; // deployed again
    site.clock.advance(10 * minuteMs);
    await ask(executor);
    await ask(executor);
    expect(stateOf(executor)).toBe('refused');
    expect(site.target.orders).toHaveLength(1);
    expect(site.pages).toMatchObject([
      {
        title: 'RollbackNotPossible',
        summary: expect.stringMatching(
          /^refund v2 in production still runs: .* cools down until 2026-11-26T12:30/,
        ),
      },
    ]);
    const byAna = requestWith({ cause: 'human', requestedBy: 'ana' });
    expect(await executor.request(byAna)).toEqual({
      kind: 'ignored',
      reason: 'refunds runs v2 again; the cooldown of refunds ends at 2026-11-26T12:30:00.000Z',
    });
    site.clock.advance(20 * minuteMs);
    await ask(executor);
    expect(stateOf(executor)).toBe('done');
    expect(site.target.orders).toHaveLength(2);
  });

  test('are those of the policy in use now, and not of what was done before', async () => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: 8 * hourMs });
    const executor = site.executor();
    await ask(executor);
    site.target.release = 'v2';
    site.clock.advance(10 * minuteMs);
    await ask(executor);
    expect(stateOf(executor)).toBe('refused');
    site.plan = planWith({ cooldownMs: 10 * minuteMs });
    await ask(executor);
    expect(stateOf(executor)).toBe('done');
    expect(site.target.orders).toHaveLength(2);
  });

  test.each([
    { what: 'of the target in a day', plan: { perDay: 2 }, limits: {}, scope: 'refunds' },
    { what: 'of all in an hour', plan: { perDay: 9 }, limits: { perHour: 2 }, scope: 'global' },
    { what: 'of all in a day', plan: { perDay: 9 }, limits: { perDay: 2 }, scope: 'global' },
  ])('$what, when reached, open a breaker, which only a person closes', async ({ plan, limits, scope }) => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: 1000, ...plan });
    const executor = site.executor(limits);
    for (const release of ['v2', 'v3', 'v4']) {
      site.target.release = release;
      await ask(executor, { release });
      site.clock.advance(minuteMs);
    }
    expect(site.target.orders).toHaveLength(2);
    expect(stateOf(executor)).toBe('refused');
    expect(executor.status(undefined).breakers).toMatchObject([{ scope }]);
    expect(site.pages.map(({ title }) => title)).toEqual(['RollbackNotPossible', 'RollbackBreakerOpen']);
    expect(metric(executor, 'plimsoll_rollback_breaker_open', scope)).toBe(1);
    site.clock.advance(3 * dayMs);
    await ask(executor, { release: 'v4' });
    expect(site.target.orders).toHaveLength(2);
    const restarted = site.executor(limits);
    await ask(restarted, { release: 'v4' });
    expect(site.target.orders).toHaveLength(2);
    expect(await restarted.decisions.closeBreaker('elsewhere', 'ana')).toMatchObject({ kind: 'unknown' });
    expect(await restarted.decisions.closeBreaker(scope, 'ana')).toEqual({ kind: 'taken' });
    await ask(restarted, { release: 'v4' });
    expect(site.target.orders).toHaveLength(3);
  });

  test('reached by what a person asks for open none: a mistake is refused, and the judge goes on', async () => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: 1000, perDay: 1 });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(minuteMs);
    site.target.release = 'v9';
    await ask(executor, { release: 'v9', cause: 'human', requestedBy: 'ana' });
    expect(stateOf(executor)).toBe('refused');
    expect(executor.status(undefined).breakers).toEqual([]);
  });
});

describe('a breaker that a person closes while what opened it is not a day ago', () => {
  test.each([
    { plan: { perDay: 2 }, limits: {}, scope: 'refunds' },
    { plan: { perDay: 9 }, limits: { perHour: 2 }, scope: 'global' },
    { plan: { perDay: 9 }, limits: { perDay: 2 }, scope: 'global' },
  ])(
    'lets as much be done again as the cap says, and no more: $scope $limits',
    async ({ plan, limits, scope }) => {
      const site = newSite();
      site.plan = planWith({ cooldownMs: 1000, ...plan });
      let executor = site.executor(limits);
      const bad = async (release: string): Promise<void> => {
        site.target.release = release;
        await ask(executor, { release });
        site.clock.advance(minuteMs);
      };
      for (const release of ['v2', 'v3', 'v4']) await bad(release);
      expect(site.target.orders).toHaveLength(2);
      expect(await executor.decisions.closeBreaker(scope, 'ana')).toEqual({ kind: 'taken' });
      await bad('v4');
      expect(executor.status(undefined).breakers).toEqual([]);
      expect(site.target.orders.map(({ from }) => from)).toEqual(['v2', 'v3', 'v4']);
      executor = site.executor(limits); // the journal knows of the close
      for (const release of ['v5', 'v6']) await bad(release);
      expect(site.target.orders).toHaveLength(4);
      expect(executor.status(undefined).breakers).toMatchObject([{ scope }]);
    },
  );

  test('is no leave to exceed another cap', async () => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: 1000, perDay: 2 });
    const executor = site.executor({ perDay: 3 });
    for (const release of ['v2', 'v3', 'v4', 'v4', 'v5']) {
      site.target.release = release;
      await ask(executor, { release });
      site.clock.advance(minuteMs);
      await executor.decisions.closeBreaker('refunds', 'ana');
    }
    expect(site.target.orders).toHaveLength(3);
    expect(executor.status(undefined).breakers).toMatchObject([{ scope: 'global' }]);
  });
});

describe('modes', () => {
  test('off does nothing and says why', async () => {
    const site = newSite();
    site.plan = planWith({ mode: 'off' });
    expect(await site.executor().request(requestWith())).toEqual({
      kind: 'ignored',
      reason: 'the policy refund-agent says off',
    });
  });

  test('dry_run says what would have been done, once in a day however often it is asked', async () => {
    const site = newSite();
    site.plan = planWith({ mode: 'dry_run' });
    const executor = site.executor();
    for (let asks = 0; asks < 5; asks++) {
      await ask(executor);
      site.clock.advance(20 * hourMs);
    }
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'dry_run', to: 'v1', asks: 1 }]);
    expect(site.journal.events).toEqual(['requested', 'dry_run', 'repeated']);
    site.clock.advance(5 * hourMs);
    await ask(executor);
    expect(executor.status(undefined).attempts).toHaveLength(2);
    expect(site.target.orders).toEqual([]);
  });

  test('a policy that begins to say auto is not kept from acting by what was only said before', async () => {
    const site = newSite();
    site.plan = planWith({ mode: 'dry_run' });
    const executor = site.executor();
    await ask(executor);
    site.plan = planWith();
    await ask(executor);
    expect(site.target.orders).toHaveLength(1);
  });

  test('no plan: nothing is asked of anybody', async () => {
    const site = newSite();
    site.plan = undefined;
    expect(await site.executor().request(requestWith())).toMatchObject({ kind: 'ignored' });
  });

  test('a target that the configuration does not have is told of', async () => {
    const site = newSite();
    site.plan = planWith({ target: 'elsewhere' });
    const executor = site.executor();
    await ask(executor);
    expect(site.pages[0]?.summary).toContain(
      'the target elsewhere, which extensions::rollback::targets does not have',
    );
  });
});

async function waiting() {
  const site = newSite();
  site.plan = planWith({ mode: 'approve' });
  const executor = site.executor();
  await ask(executor, { cause: 'human', requestedBy: 'bo' });
  return { site, executor, ticket: executor.status('ana').attempts[0]?.ticket ?? '' };
}

describe('an approval', () => {
  test('is waited for, and people are told who may give it', async () => {
    const { site, executor } = await waiting();
    expect(stateOf(executor)).toBe('awaiting_approval');
    expect(site.target.orders).toEqual([]);
    expect(site.pages).toMatchObject([{ title: 'RollbackNeedsApproval' }]);
    expect(site.pages[0]?.summary).toContain('One of ana, bo decides until 2026-11-26T13:00:00.000Z');
    expect(metric(executor, 'plimsoll_rollback_needs_human', 'awaiting_approval')).toBe(1);
  });

  test('by an approver lets it be done', async () => {
    const { site, executor, ticket } = await waiting();
    expect(await executor.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'taken' });
    await executor.round();
    await executor.round();
    expect(site.target.orders).toMatchObject([{ requestedBy: 'bo', approvedBy: 'ana' }]);
  });

  test('is never by the one who asked, nor by anybody who asked later', async () => {
    const { executor, ticket } = await waiting();
    expect(await executor.decisions.approve(ticket, 'bo')).toMatchObject({ kind: 'forbidden' });
    await ask(executor, { cause: 'human', requestedBy: 'ana' });
    expect(await executor.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'forbidden' });
    expect(executor.status('bo').attempts[0]?.ticket).toBeUndefined();
  });

  test('is never by one who asked after very many others', async () => {
    const { site, executor, ticket } = await waiting();
    for (let i = 0; i < 40; i++) await ask(executor, { cause: 'human', requestedBy: `caller ${i}` });
    const noted = site.journal.events.length;
    expect(noted).toBeLessThan(40); // callers without a say make the journal no longer than that
    for (let i = 0; i < 3; i++) await ask(executor, { cause: 'human', requestedBy: 'ana' });
    expect(site.journal.events).toHaveLength(noted + 1);
    expect(await executor.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'forbidden' });
  });

  test('is never by somebody whom the policy does not name', async () => {
    const { executor, ticket } = await waiting();
    expect(await executor.decisions.approve(ticket, 'eve')).toMatchObject({ kind: 'forbidden' });
    expect(executor.status('eve').attempts[0]?.ticket).toBeUndefined();
    expect(executor.status(undefined).attempts[0]?.ticket).toBeUndefined();
  });

  test('needs a ticket that was made with the key, for this attempt as it is', async () => {
    const { executor, ticket } = await waiting();
    const id = ticket.slice(0, ticket.lastIndexOf('.'));
    for (const forged of [id, `${id}.`, `${id}.AAAA`, `${ticket.slice(0, -4)}AAAA`, `x${ticket}`, ''])
      expect(await executor.decisions.approve(forged, 'ana')).toMatchObject({ kind: 'unknown' });
    expect(stateOf(executor)).toBe('awaiting_approval');
  });

  test('works once', async () => {
    const { site, executor, ticket } = await waiting();
    await executor.decisions.approve(ticket, 'ana');
    await executor.round();
    expect(await executor.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'over' });
    expect(await executor.decisions.refuse(ticket, 'ana', 'no')).toMatchObject({ kind: 'over' });
    await executor.round();
    expect(site.target.orders).toHaveLength(1);
  });

  test('expires, and somebody is told', async () => {
    const { site, executor, ticket } = await waiting();
    site.clock.advance(hourMs);
    expect(await executor.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'over' });
    await executor.round();
    await executor.round();
    expect(stateOf(executor)).toBe('expired');
    expect(site.pages.at(-1)).toMatchObject({ title: 'RollbackExpired' });
    expect(site.target.orders).toEqual([]);
  });

  test('that is refused stands for a day, however often it is asked and whoever is restarted', async () => {
    const { site, executor, ticket } = await waiting();
    site.clock.advance(hourMs / 2);
    await executor.decisions.refuse(ticket, 'ana', 'v2 is fine');
    await ask(executor);
    expect(stateOf(executor)).toBe('refused');
    for (let hours = 1; hours < 24; hours++) {
      site.clock.advance(hourMs);
      expect(await ask(executor)).toMatchObject({ kind: 'joined' });
    }
    site.clock.advance(hourMs - 1);
    const restarted = site.executor();
    expect(await ask(restarted)).toMatchObject({ kind: 'joined' });
    site.clock.advance(1);
    expect(await ask(restarted)).toMatchObject({ kind: 'accepted' });
    expect(stateOf(restarted)).toBe('awaiting_approval');
  });

  test('of a release that is nothing to go back to any more does nothing', async () => {
    const { site, executor, ticket } = await waiting();
    site.destinations = [{ release: 'v0', why: 'established' }];
    await executor.decisions.approve(ticket, 'ana');
    await executor.round();
    await executor.round();
    expect(stateOf(executor)).toBe('refused');
    expect(site.target.orders).toEqual([]);
  });

  test('may be of a process that does not act', async () => {
    const { site, executor, ticket } = await waiting();
    const other = site.executor({ isActing: () => false });
    expect(await other.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'taken' });
    await other.round();
    expect(site.target.orders).toEqual([]);
    await executor.round();
    expect(site.target.orders).toHaveLength(1);
  });
});

async function whileNobodyActs(days: number, changes: Parameters<typeof planWith>[0]) {
  const site = newSite();
  site.isActing = false;
  const executor = site.executor();
  await ask(executor);
  site.clock.advance(days * dayMs);
  site.plan = planWith(changes);
  site.isActing = true;
  await executor.round();
  await executor.round();
  return { site, executor };
}

describe('a request that waited', () => {
  test('longer than an approval may take is not done any more, and somebody is told', async () => {
    const { site, executor } = await whileNobodyActs(2, {});
    expect(stateOf(executor)).toBe('expired');
    expect(site.target.orders).toEqual([]);
    expect(site.pages).toMatchObject([{ title: 'RollbackExpired' }]);
    expect(site.pages[0]?.summary).toContain('it waited too long for its turn');
    site.clock.advance(hourMs);
    await ask(executor);
    expect(site.target.orders).toHaveLength(1);
  });

  test.each([
    { mode: 'off', becomes: 'dry_run', outcome: 'the policy says off' },
    { mode: 'dry_run', becomes: 'dry_run', outcome: 'the policy says dry_run' },
    { mode: 'approve', becomes: 'awaiting_approval', outcome: '' },
  ] as const)('is met as a policy that says $mode by now', async ({ mode, becomes, outcome }) => {
    const { site, executor } = await whileNobodyActs(0, { mode });
    expect(executor.status(undefined).attempts).toMatchObject([{ state: becomes, outcome }]);
    expect(site.target.orders).toEqual([]);
  });

  test('for an approval still needs it where the policy says auto by now', async () => {
    const { site, executor } = await waiting();
    site.plan = planWith();
    await executor.round();
    expect(stateOf(executor)).toBe('awaiting_approval');
  });

  test('too long after its approval is not done any more', async () => {
    const { site, executor, ticket } = await waiting();
    site.isActing = false;
    await executor.decisions.approve(ticket, 'ana');
    site.clock.advance(hourMs);
    site.isActing = true;
    await executor.round();
    expect(stateOf(executor)).toBe('expired');
    expect(site.target.orders).toEqual([]);
  });
});

describe('after a rollback', () => {
  test('it is no success that the alert ends: the release before must show enough events that meet the objective', async () => {
    const site = newSite();
    site.figures.set('v1', { meets: true, events: 19 });
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('verifying');
    site.figures.set('v1', { meets: false, events: 500 });
    site.clock.advance(5000);
    await executor.round();
    expect(stateOf(executor)).toBe('verifying');
    site.figures.set('v1', { meets: true, events: 20 });
    site.clock.advance(5000);
    await executor.round();
    expect(stateOf(executor)).toBe('done');
  });

  test.each([
    { what: 'too few events', figure: { meets: true, events: 3 }, says: '3 events of v1, of 20 needed' },
    {
      what: 'a bad KPI',
      figure: { meets: false, events: 90 },
      says: 'v1 does not meet the objective of run_success',
    },
    { what: 'no figures', figure: undefined, says: '0 events of v1' },
  ])('$what in time is a failure, and somebody is told', async ({ figure, says }) => {
    const site = newSite();
    if (figure) site.figures.set('v1', figure);
    else site.figures.clear();
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(20 * minuteMs);
    await executor.round();
    expect(stateOf(executor)).toBe('failed');
    expect(site.pages).toMatchObject([{ title: 'RollbackFailed' }]);
    expect(site.pages[0]?.summary).toContain(says);
  });

  test('a target that says yes and does nothing is a failure', async () => {
    const site = newSite();
    site.target.answer = () => ({ kind: 'done', reason: '204' });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(20 * minuteMs);
    await executor.round();
    expect(site.pages[0]?.summary).toContain('refunds runs v2');
  });

  test('the same release is taken back again when the target runs it again, not before', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(hourMs);
    expect(await ask(executor)).toMatchObject({ kind: 'joined' });
    site.target.release = 'v2';
    site.clock.advance(minuteMs);
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
    expect(site.target.orders).toHaveLength(2);
    expect(new Set(site.target.orders.map(({ id }) => id)).size).toBe(2);
  });

  test('of a target that cannot say what it runs, the traffic of the release says it', async () => {
    const site = newSite();
    site.target.release = undefined;
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('done');
    site.clock.advance(hourMs);
    expect(await ask(executor)).toMatchObject({ kind: 'joined' });
    site.figures.set('v2', { meets: false, events: 4 });
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
  });
});

describe('a target', () => {
  test('that cannot say what it runs has left the bad release when that is not seen any more', async () => {
    const site = newSite();
    site.target.release = undefined;
    site.figures.set('v2', { meets: false, events: 7 });
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('verifying');
    site.figures.set('v2', { meets: false, events: 0 });
    site.clock.advance(5000);
    await executor.round();
    expect(stateOf(executor)).toBe('done');
  });

  test('that cannot say what it runs gets no order for a release of which nothing is seen', async () => {
    const site = newSite();
    site.target.release = undefined;
    site.plan = planWith({ perDay: 1 });
    const executor = site.executor();
    await ask(executor, { cause: 'alert', requestedBy: 'alertmanager', release: 'v9' });
    expect(site.target.orders).toEqual([]);
    expect(executor.status(undefined).attempts).toMatchObject([
      { state: 'moved', outcome: 'nothing was seen of v9 lately' },
    ]);
    site.figures.set('v2', { meets: false, events: 1 });
    await ask(executor, { cause: 'alert', requestedBy: 'alertmanager' });
    expect(site.target.orders).toMatchObject([{ from: 'v2' }]);
  });

  test('that cannot say what it runs gets no order while no KPI can, and then somebody is told', async () => {
    const site = newSite();
    site.target.release = undefined;
    site.figures.clear();
    const executor = site.executor();
    await ask(executor, { cause: 'human', requestedBy: 'bo' });
    expect(stateOf(executor)).toBe('executing');
    site.clock.advance(2 * minuteMs);
    await executor.round();
    await executor.round();
    expect(site.target.orders).toEqual([]);
    expect(site.pages).toMatchObject([{ title: 'RollbackFailed' }]);
  });

  test('that cannot say what it runs is not ordered by what the judge saw before a long wait', async () => {
    const site = newSite();
    site.target.release = undefined;
    site.isActing = false;
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(11 * minuteMs);
    site.isActing = true;
    await executor.round();
    expect(stateOf(executor)).toBe('moved');
    expect(site.target.orders).toEqual([]);
  });

  test('that cannot say what it runs is looked at over a time in which there are figures', async () => {
    const site = newSite();
    site.target.release = undefined;
    const recentMs = 40 * minuteMs;
    const executor = site.executor({
      recentMs,
      figureOf: (_, { release }, sinceMs) =>
        release === 'v1' || sinceMs > site.clock.nowMs() - recentMs
          ? site.figures.get(release)
          : { meets: false, events: 0 },
    });
    site.plan = planWith({ verify: { kpi: 'run_success', minEvents: 20, withinMs: 2 * hourMs } });
    await ask(executor);
    expect(stateOf(executor)).toBe('verifying');
    site.clock.advance(41 * minuteMs);
    await executor.round();
    expect(stateOf(executor)).toBe('done');
  });

  test('that refuses is a failure at once, and is not asked again', async () => {
    const site = newSite();
    site.target.answer = () => ({ kind: 'refused', reason: 'it answered 403: approval required' });
    const executor = site.executor();
    await ask(executor);
    expect(site.pages[0]?.summary).toContain('approval required');
    site.clock.advance(minuteMs);
    await executor.round();
    expect(site.target.orders).toHaveLength(1);
  });

  test('that could not be reached is asked again', async () => {
    const site = newSite();
    let tries = 0;
    site.target.answer = () => (tries++ < 2 ? { kind: 'unreached', reason: 'refused' } : undefined);
    const executor = site.executor();
    await ask(executor);
    for (let rounds = 0; rounds < 3; rounds++) {
      site.clock.advance(10_000);
      await executor.round();
    }
    expect(site.target.orders).toHaveLength(3);
    expect(stateOf(executor)).toBe('done');
  });

  test('that is out of reach for two minutes is a failure, and nothing was done', async () => {
    const site = newSite();
    site.target.unreachable = 'connect ECONNREFUSED';
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('executing');
    site.clock.advance(2 * minuteMs);
    await executor.round();
    expect(site.pages[0]?.summary).toContain('nothing was done: connect ECONNREFUSED');
  });

  test('that may have heard the order is not sent it twice, and what it runs tells how it went', async () => {
    const site = newSite();
    site.target.answer = ({ to }) => {
      site.target.release = to;
      return { kind: 'uncertain', reason: 'it did not answer within 10 s' };
    };
    const executor = site.executor();
    await ask(executor);
    expect(site.target.orders).toHaveLength(1);
    expect(stateOf(executor)).toBe('done');
  });

  test('that knows an order again is sent it again, under the same key, while it runs the bad release', async () => {
    const site = newSite();
    site.target.isRepeatable = true;
    let tries = 0;
    site.target.answer = () => (tries++ === 0 ? { kind: 'uncertain', reason: 'no answer' } : undefined);
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(10_000);
    await executor.round();
    expect(site.target.orders).toHaveLength(2);
    expect(new Set(site.target.orders.map(({ id }) => id)).size).toBe(1);
    expect(stateOf(executor)).toBe('done');
  });

  test('is not asked what it runs by everyone who asks again, but every few seconds', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(hourMs);
    const { looks } = site.target;
    for (let asks = 0; asks < 20; asks++) expect(await ask(executor)).toMatchObject({ kind: 'joined' });
    expect(site.target.looks - looks).toBe(1);
    site.target.release = 'v2';
    site.clock.advance(5000);
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
  });

  test('is acted on by one attempt at a time', async () => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: 1 });
    site.figures.clear();
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(1000);
    await ask(executor, { release: 'v1' });
    expect(stateOf(executor)).toBe('requested');
    expect(site.target.orders).toHaveLength(1);
  });
});

describe('the global stop', () => {
  test.each(['file or configuration', 'API'])(
    'by %s makes everything a dry run, until it ends',
    async (how) => {
      const site = newSite();
      const executor = site.executor();
      const isApi = how === 'API';
      if (isApi) await executor.decisions.stopAll('ana', 'an audit');
      else site.stopReason = 'the file stop is there';
      await ask(executor);
      expect(executor.status(undefined).attempts).toMatchObject([{ state: 'dry_run', to: 'v1' }]);
      expect(metric(executor, 'plimsoll_rollback_stopped')).toBe(1);
      const restarted = site.executor();
      await ask(restarted);
      expect(site.target.orders).toEqual([]);
      if (isApi) await restarted.decisions.resume('ana');
      else site.stopReason = undefined;
      await ask(restarted);
      expect(site.target.orders).toHaveLength(1);
    },
  );

  test('holds also for what was about to be sent', async () => {
    const site = newSite();
    site.target.unreachable = 'down';
    const executor = site.executor();
    await ask(executor);
    site.target.unreachable = undefined;
    await executor.decisions.stopAll('ana', 'an audit');
    site.clock.advance(10_000);
    await executor.round();
    expect(site.target.orders).toEqual([]);
    expect(stateOf(executor)).toBe('failed');
  });
});

describe('a rehearsal', () => {
  test('runs to its end on a target that is only pretended, whatever the policy and the stop say, and counts in no cap', async () => {
    const site = newSite();
    site.plan = planWith({ mode: 'dry_run', perDay: 1 });
    site.stopReason = 'stopped';
    const executor = site.executor({ perHour: 1, perDay: 1 });
    for (const release of ['v2', 'v3', 'v4'])
      await ask(executor, { environment: 'drill:production', release });
    expect(executor.status(undefined).attempts.map(({ state }) => state)).toEqual(['done', 'done', 'done']);
    expect(site.target.orders).toEqual([]);
    site.stopReason = undefined;
    site.plan = planWith();
    await ask(executor);
    expect(site.target.orders).toHaveLength(1);
  });

  test('is what its environment says, so that a policy cannot name a pretended target for real ones', async () => {
    const site = newSite();
    site.plan = planWith({ target: 'sandbox/production/refund' });
    const executor = site.executor();
    await ask(executor);
    expect(stateOf(executor)).toBe('refused');
    expect(site.pages[0]?.summary).toContain('which extensions::rollback::targets does not have');
  });

  test('leaves a record, of which the last success is a metric', async () => {
    const site = newSite();
    const executor = site.executor();
    const drill = {
      policy: 'refund-agent',
      scenario: 'tool-errors',
      environment: 'drill:production',
      startedMs: 1000,
      endedMs: 5000,
      evidence: { links: [] },
    };
    await executor.decisions.record({ ...drill, passed: true }, 'ana');
    await executor.decisions.record({ ...drill, passed: false, endedMs: 9000 }, 'ana');
    expect(
      metric(site.executor(), 'plimsoll_drill_last_success_timestamp_seconds', 'tool-errors'),
    ).toBeUndefined(); // not read yet
    const restarted = site.executor();
    await restarted.round();
    expect(metric(restarted, 'plimsoll_drill_last_success_timestamp_seconds', 'tool-errors')).toBe(5);
  });
});

describe('what callers send', () => {
  const drill = {
    policy: 'refund-agent',
    environment: 'drill:production',
    passed: true,
    startedMs: 1000,
    endedMs: 5000,
    evidence: {},
  };

  test('cannot fill the journal with drills: they are of policies in use, and so many in a day', async () => {
    const site = newSite();
    const executor = site.executor();
    const record = async (number: number, policy = 'refund-agent') =>
      executor.decisions.record({ ...drill, policy, scenario: `s${number}` }, 'eve');
    expect(await record(0, 'invented')).toMatchObject({ kind: 'unknown' });
    expect(site.journal.records).toEqual([]);
    for (let number = 0; number < 100; number++) expect(await record(number)).toEqual({ kind: 'taken' });
    const restarted = site.executor();
    expect(await restarted.decisions.record({ ...drill, scenario: 'more' }, 'eve')).toMatchObject({
      kind: 'over',
    });
    expect(site.journal.records).toHaveLength(100);
    site.clock.advance(dayMs);
    expect(await record(100)).toEqual({ kind: 'taken' });
  });

  test('does not make a release that was taken back one to go back to', async () => {
    const site = newSite();
    site.plan = planWith({ cooldownMs: 1 });
    const executor = site.executor();
    await ask(executor);
    site.clock.advance(minuteMs);
    site.target.release = undefined;
    for (let number = 0; number < 1100; number++)
      await executor.request(
        requestWith({ cause: 'human', requestedBy: 'eve', release: `invented-${number}` }),
      );
    await executor.round();
    site.clock.advance(2 * hourMs); // what waited for its turn expires
    await executor.round();
    expect(executor.status(undefined).attempts.some(({ from }) => from === 'v2')).toBe(false);
    site.destinations = [{ release: 'v2', why: 'established' }];
    site.target.release = 'v1';
    await ask(executor, { release: 'v1' });
    expect(stateOf(executor)).toBe('refused');
    expect(site.target.orders.filter(({ to }) => to === 'v2')).toEqual([]);
  }, 60_000);
});

describe('the journal', () => {
  test('that is down is an unavailable Failure, so that whoever asks asks again', async () => {
    const site = newSite();
    const executor = site.executor();
    site.journal.down = new Failure('unavailable', 'the brokers are away');
    await expect(executor.request(requestWith())).rejects.toMatchObject({ kind: 'unavailable' });
    site.journal.down = undefined;
    expect(await ask(executor)).toMatchObject({ kind: 'accepted' });
    expect(stateOf(executor)).toBe('done');
  });

  test('that took an event of which the sender did not hear has it once', async () => {
    const site = newSite();
    const executor = site.executor();
    site.journal.unheard = 1;
    await expect(executor.request(requestWith())).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await ask(executor)).toMatchObject({ kind: 'joined' });
    expect(site.target.orders).toHaveLength(1);
  });

  test('is copied to a file and to rows, each event with the hash of the one before', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    await executor.round();
    const rows = rollbackTable(site.rows);
    expect(rows.map(({ Event, State }) => [Event, State])).toEqual([
      ['requested', 'requested'],
      ['executing', 'executing'],
      ['acted', 'verifying'],
      ['done', 'done'],
    ]);
    expect(rows.map(({ PrevHash }) => PrevHash).slice(1)).toEqual(rows.map(({ Hash }) => Hash).slice(0, -1));
    expect(rows[0]).toMatchObject({
      Seq: 1,
      Policy: 'refund-agent',
      PolicyRevision: 'abc123',
      AgentName: 'refund',
      FromRelease: 'v2',
      Actor: 'judge',
      Cause: 'judge',
      Evidence: '{"e":130}',
    });
    const lines = readFileSync(join(site.folder, 'rollbacks-0.jsonl'), 'utf8').trim().split('\n');
    expect(lines).toEqual(site.journal.records.map(({ payload }) => Buffer.from(payload).toString()));
    expect(metric(executor, 'plimsoll_rollback_journal_head', rows[3]?.Hash ?? '')).toBe(4);
  });

  test('whose file was edited is acted on by nobody, and somebody is told', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    await executor.round();
    const file = join(site.folder, 'rollbacks-0.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replace('worse', 'wrong'));
    await expect(executor.request(requestWith({ release: 'v9' }))).rejects.toMatchObject({
      kind: 'unavailable',
    });
    const restarted = site.executor({ file });
    await restarted.round();
    expect(restarted.fault).toMatch(
      /rollbacks-0.jsonl: line 1 \(event 1\) is not what its hash says: it was edited/,
    );
    await expect(restarted.request(requestWith())).rejects.toMatchObject({ kind: 'unavailable' });
    expect(site.pages).toMatchObject([{ title: 'RollbackJournalBroken' }]);
    expect(metric(restarted, 'plimsoll_rollback_fault')).toBe(1);
  });

  test('that lost its end is found out by the file', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    await executor.round();
    site.journal.records.pop();
    const restarted = site.executor({ file: join(site.folder, 'rollbacks-0.jsonl') });
    await restarted.round();
    expect(restarted.fault).toContain('has 4 events, and the stream of the journal only 3');
    expect(site.target.orders).toHaveLength(1);
  });

  test('whose file a crash left with half a line goes on', async () => {
    const site = newSite();
    const executor = site.executor();
    await ask(executor);
    await executor.round();
    const file = join(site.folder, 'rollbacks-0.jsonl');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.slice(0, -40));
    const restarted = site.executor({ file });
    await restarted.round();
    expect(restarted.fault).toBeUndefined();
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

describe('people', () => {
  test('are told again after a crash between telling and noting it, and by the next process when the first cannot', async () => {
    const site = newSite();
    site.destinations = [];
    site.pageFault = new Failure('unavailable', 'this process keeps no incidents');
    await ask(site.executor());
    expect(site.pages).toEqual([]);
    site.pageFault = undefined;
    await site.executor().round();
    await site.executor().round();
    expect(site.pages).toHaveLength(1);
  });

  test('are told of all that they can be told, and it is no fault of the journal that one thing cannot be', async () => {
    const site = newSite();
    site.destinations = [];
    let refuses = true;
    const lines: string[] = [];
    const log = createLog('silent');
    log.error = (_: unknown, line?: unknown) => void lines.push(String(line));
    const executor = site.executor({
      log,
      people: {
        page: async (page) => {
          await Promise.resolve();
          if (refuses && page.release === 'v2') throw new Failure('unavailable', '1000 incidents are open');
          site.pages.push(page);
        },
        endPages: async () => Promise.resolve(),
      },
    });
    await ask(executor);
    await ask(executor, { release: 'v3' });
    await executor.round();
    expect(site.pages.map(({ release }) => release)).toEqual(['v3']);
    expect(executor.fault).toBeUndefined();
    expect(lines).toEqual(['people cannot be told of rollbacks, and will be as soon as that is possible']);
    refuses = false;
    await executor.round();
    expect(site.pages.map(({ release }) => release)).toEqual(['v3', 'v2']);
  });

  test('are told of alerts that were left out', async () => {
    const site = newSite();
    await site.executor().truncated(3);
    expect(site.pages).toMatchObject([{ title: 'AlertsTruncated' }]);
  });
});

test('two agents that share a target and the name of a release are two rollbacks, and so are two environments', async () => {
  const site = newSite();
  site.target.release = undefined;
  site.plan = planWith({ cooldownMs: 1 });
  const executor = site.executor();
  await ask(executor);
  site.clock.advance(1000);
  expect(await ask(executor, { agent: 'search' })).toMatchObject({ kind: 'accepted' });
  site.clock.advance(1000);
  expect(await ask(executor, { environment: 'staging' })).toMatchObject({ kind: 'accepted' });
  expect(site.target.orders.map(({ agent, environment }) => [agent, environment])).toEqual([
    ['refund', 'production'],
    ['search', 'production'],
    ['refund', 'staging'],
  ]);
});

test('a process that does not act sends nothing', async () => {
  const site = newSite();
  site.isActing = false;
  const executor = site.executor();
  await ask(executor);
  expect(site.journal.events).toEqual(['requested']);
  site.isActing = true;
  await executor.round();
  expect(site.target.orders).toHaveLength(1);
});

test('a fault of one target does not keep another one from being acted on', async () => {
  const site = newSite();
  const other = new FakeTarget();
  site.target.unreachable = 'down';
  const executor = site.executor({
    targets: new Map([
      ['refunds', site.target],
      ['search', other],
    ]),
    planOf: (agent) => planWith({ target: agent === 'search' ? 'search' : 'refunds' }),
  });
  await ask(executor);
  await ask(executor, { agent: 'search' });
  expect(other.orders).toHaveLength(1);
});

/** The agent refund has a target that does what a test says; search and mail have others, and chat has no way back. */
const around = (site: Site, others: Readonly<Record<string, FakeTarget>>) =>
  site.executor({
    targets: new Map(Object.entries({ refund: site.target, ...others })),
    planOf: (agent) => planWith({ target: agent, mode: agent === 'mail' ? 'approve' : 'auto' }),
    destinations: (agent) => (agent === 'chat' ? [] : site.destinations),
  });

describe('while one target', () => {
  test('hangs, all others are acted on, people are told, and approvals expire', async () => {
    const site = newSite();
    const others = { search: new FakeTarget(), mail: new FakeTarget(), chat: new FakeTarget() };
    let looks = 0;
    site.target.current = async () => {
      looks++;
      return new Promise(() => undefined);
    };
    const executor = around(site, others);
    const stateOfAgent = (agent: string) =>
      executor.status(undefined).attempts.find((attempt) => attempt.agent === agent)?.state;
    await executor.start();
    await executor.request(requestWith());
    await until('the target hangs', () => looks === 1);
    for (const agent of ['search', 'mail', 'chat']) await executor.request(requestWith({ agent }));
    await until('the other one is acted on', () => stateOfAgent('search') === 'done');
    await until('people are told', () => site.pages.some(({ agent }) => agent === 'chat'));
    await until('somebody is asked', () => stateOfAgent('mail') === 'awaiting_approval');
    site.clock.advance(hourMs);
    await until('the approval expires', () => stateOfAgent('mail') === 'expired');
    expect(stateOfAgent('refund')).toBe('executing');
    expect([looks, executor.fault]).toEqual([1, undefined]);
    await executor.stop(AbortSignal.abort());
  });

  test('has a fault of its own, all others are acted on and people are told, and it is taken up again', async () => {
    const site = newSite();
    const others = { search: new FakeTarget(), chat: new FakeTarget() };
    const current = site.target.current.bind(site.target);
    site.target.current = async () => Promise.reject(new TypeError('Invalid character in header content'));
    const executor = around(site, others);
    await ask(executor);
    for (const agent of ['search', 'chat']) await ask(executor, { agent });
    expect(others.search.orders).toHaveLength(1);
    expect(site.pages).toMatchObject([{ title: 'RollbackNotPossible', agent: 'chat' }]);
    expect(executor.fault).toBeUndefined();
    site.target.current = current;
    await executor.round();
    expect(site.target.orders).toHaveLength(1);
  });

  test('is verified, it is asked every 5 seconds what it runs, and no more often', async () => {
    const site = newSite();
    site.figures.set('v1', { meets: true, events: 1 });
    const executor = site.executor();
    let looks = 0;
    const current = site.target.current.bind(site.target);
    site.target.current = async () => {
      looks++;
      return current();
    };
    await ask(executor);
    const before = looks;
    for (let seconds = 0; seconds < 20; seconds++) {
      site.clock.advance(1000);
      await executor.round();
    }
    expect(looks - before).toBe(4);
  });
});
