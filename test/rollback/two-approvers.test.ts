import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventAfter, eventLine, genesis } from '../../src/rollback/chain.ts';
import type { EventBody } from '../../src/rollback/rollback-event.ts';
import { rollbackTable } from './rollback-table.ts';
import { hourMs, planWith, requestWith, Site } from './site.ts';

let site: Site;
beforeEach(() => {
  site = new Site();
  site.approvals = 2;
  site.plan = planWith({ mode: 'approve', approvers: ['ana', 'bo', 'cy'] });
});
afterEach(() => site.remove());

type Executor = ReturnType<Site['executor']>;

async function settle(executor: Executor): Promise<void> {
  await executor.round();
  await executor.round();
}

async function waiting(by = 'judge') {
  const executor = site.executor();
  await executor.request(requestWith({ cause: by === 'judge' ? 'judge' : 'human', requestedBy: by }));
  await settle(executor);
  return { executor, ticket: executor.status('ana').attempts[0]?.ticket ?? '' };
}

function shown(executor: Executor, viewer?: string) {
  return executor.status(viewer).attempts.at(-1)!;
}

describe('a target that needs two approvals', () => {
  test('is acted on when two different people approved, and not when one did, however often', async () => {
    const { executor, ticket } = await waiting();
    expect(await executor.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'taken' });
    expect(await executor.decisions.approve(ticket, 'ana')).toEqual({
      kind: 'over',
      reason: 'ana approved it already, and 2 different people have to',
    });
    await settle(executor);
    expect(site.target.orders).toEqual([]);
    expect(shown(executor)).toMatchObject({ state: 'awaiting_approval', approvedBy: ['ana'] });
    expect(await executor.decisions.approve(ticket, 'cy')).toMatchObject({ kind: 'taken' });
    await settle(executor);
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana, cy', requestedBy: 'judge' }]);
    expect(site.journal.events).toEqual([
      'requested',
      'approval_asked',
      'paged',
      'approval_given',
      'approved',
      'executing',
      'acted',
      'done',
    ]);
    const rows = rollbackTable(site.rows).filter(({ Event }) => Event.startsWith('appro'));
    expect(rows.map(({ Event, State }) => [Event, State])).toEqual([
      ['approval_asked', 'awaiting_approval'],
      ['approval_given', undefined],
      ['approved', 'approved'],
    ]);
  });

  test('says how many approved, who did, and for whom it waits', async () => {
    const { executor, ticket } = await waiting('bo');
    expect(site.pages[0]?.summary).toContain('2 of ana, bo, cy have to approve until 2026-11-26T13:00:00');
    expect(shown(executor, 'eve').next).toContain('0 of 2 approved; it waits until 2026-11-26T13:00:00.000Z');
    await executor.decisions.approve(ticket, 'ana');
    expect(shown(executor, 'eve').next).toContain('1 of 2 approved, by ana; it waits until');
    expect(shown(executor, 'eve').next).toContain('for 1 of cy: plimsoll rollback approve');
    expect(shown(executor, 'cy').next).toContain('for you: plimsoll rollback approve');
    expect(shown(executor, 'ana').next).toContain('for 1 of cy');
  });

  test('counts nobody who asked for it, before or after he approved', async () => {
    const { executor, ticket } = await waiting('bo');
    expect(await executor.decisions.approve(ticket, 'bo')).toMatchObject({ kind: 'forbidden' });
    await executor.request(requestWith({ cause: 'human', requestedBy: 'cy' }));
    expect(await executor.decisions.approve(ticket, 'cy')).toMatchObject({ kind: 'forbidden' });
    expect(shown(executor, 'ana').next).toContain(
      'it expires at 2026-11-26T13:00:00.000Z: 2 more have to approve, and only ana may, for who asked may not',
    );
  });

  test('does not count who approves first and asks for it afterwards', async () => {
    const { executor, ticket } = await waiting();
    await executor.decisions.approve(ticket, 'cy');
    await executor.request(requestWith({ cause: 'human', requestedBy: 'cy' }));
    expect(shown(executor, 'bo')).toMatchObject({
      approvedBy: [],
      next: expect.stringContaining('0 of 2 approved; it waits until 2026-11-26T13:00:00.000Z for you'),
    });
    await executor.decisions.approve(ticket, 'ana');
    await settle(executor);
    expect(shown(executor)).toMatchObject({ state: 'awaiting_approval', approvedBy: ['ana'] });
    await executor.decisions.approve(ticket, 'bo');
    await settle(executor);
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana, bo' }]);
  });

  test('waits for somebody else where one of those who approved asks for it before it is done', async () => {
    const { executor, ticket } = await waiting();
    site.stopReason = 'the file stop is there';
    for (const by of ['ana', 'cy']) await executor.decisions.approve(ticket, by);
    await executor.request(requestWith({ cause: 'human', requestedBy: 'cy' }));
    site.stopReason = undefined;
    await settle(executor);
    expect(shown(executor)).toMatchObject({ state: 'awaiting_approval', approvedBy: ['ana'] });
    await executor.decisions.approve(shown(executor, 'bo').ticket ?? '', 'bo');
    await settle(executor);
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana, bo' }]);
    await executor.request(requestWith({ cause: 'human', requestedBy: 'bo' }));
    expect(shown(executor)).toMatchObject({ state: 'done', approvedBy: ['ana', 'bo'] });
  });

  test('is not acted on when one approves and another one refuses, nor when he who approved thinks better of it', async () => {
    for (const second of ['cy', 'ana']) {
      const release = `v-${second}`;
      site.target.release = release;
      const executor = site.executor();
      await executor.request(requestWith({ release }));
      await settle(executor);
      const ticket = shown(executor, second).ticket ?? '';
      await executor.decisions.approve(ticket, 'ana');
      expect(await executor.decisions.refuse(ticket, second, 'no')).toMatchObject({ kind: 'taken' });
      await settle(executor);
      expect(shown(executor).state).toBe('refused');
    }
    expect(site.target.orders).toEqual([]);
  });

  test('expires with one approval, and says whose it was', async () => {
    const { executor, ticket } = await waiting();
    await executor.decisions.approve(ticket, 'ana');
    site.clock.advance(hourMs);
    expect(await executor.decisions.approve(ticket, 'cy')).toMatchObject({ kind: 'over' });
    await settle(executor);
    expect(shown(executor)).toMatchObject({
      state: 'expired',
      outcome: 'ana approved it in time, and 2 people had to',
    });
    expect(site.target.orders).toEqual([]);
  });

  test('remembers the first approval over a restart, and takes the second of another process', async () => {
    const { executor, ticket } = await waiting();
    await executor.decisions.approve(ticket, 'ana');
    const restarted = site.executor();
    expect(await restarted.decisions.approve(ticket, 'ana')).toMatchObject({ kind: 'over' });
    expect(await restarted.decisions.approve(ticket, 'cy')).toMatchObject({ kind: 'taken' });
    await settle(restarted);
    expect(site.target.orders).toHaveLength(1);
  });

  test('is met as approve where the policy says auto, and the attempt says so', async () => {
    site.plan = planWith({ mode: 'auto', approvers: ['ana', 'cy'] });
    const { executor, ticket } = await waiting();
    expect(shown(executor)).toMatchObject({
      state: 'awaiting_approval',
      outcome: 'refunds is acted on when 2 people approved',
    });
    await executor.decisions.approve(ticket, 'ana');
    await executor.decisions.approve(ticket, 'cy');
    await settle(executor);
    expect(shown(executor)).toMatchObject({ state: 'done' });
  });

  test('is asked for again when the configuration begins to say so, and what was approved stays', async () => {
    site.approvals = 1;
    const { executor, ticket } = await waiting();
    site.approvals = 2;
    await executor.decisions.approve(ticket, 'ana');
    await settle(executor);
    expect(shown(executor)).toMatchObject({ state: 'awaiting_approval', approvedBy: ['ana'] });
    expect(site.target.orders).toEqual([]);
    await settle(site.executor());
    expect(site.pages.map(({ title }) => title)).toEqual(['RollbackNeedsApproval', 'RollbackNeedsApproval']);
    expect(new Set(site.pages.map(({ key }) => key)).size).toBe(2); // else it would be the incident that somebody has done with
    expect(site.pages[1]?.summary).toContain('2 of ana, bo, cy have to approve, of whom ana did, until');
    expect(await executor.decisions.approve(ticket, 'cy')).toMatchObject({ kind: 'unknown' });
    await executor.decisions.approve(shown(executor, 'cy').ticket ?? '', 'cy');
    await settle(executor);
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana, cy' }]);
  });

  test('needs none in a rehearsal, nor where the policy only says what it would do', async () => {
    const executor = site.executor();
    await executor.request(requestWith({ environment: 'drill:production' }));
    site.plan = planWith({ mode: 'dry_run' });
    await executor.request(requestWith());
    await settle(executor);
    expect(executor.status(undefined).attempts.map(({ state }) => state)).toEqual(['done', 'dry_run']);
  });
});

test('an approval that a version before this one asked for needs one person', async () => {
  site.approvals = 1;
  const first = await waiting();
  const [requested] = site.journal.bodies;
  await first.executor.stop(AbortSignal.abort());
  const before = new Site();
  before.plan = planWith({ mode: 'approve' });
  const old = [
    requested,
    {
      event: 'approval_asked',
      id: shown(first.executor).id,
      to: 'v1',
      expiresMs: before.clock.nowMs() + hourMs,
    },
  ];
  let head = genesis;
  for (const body of old) {
    const event = eventAfter(head, body as EventBody, before.clock.nowMs()); // oxlint-disable-line typescript/no-unsafe-type-assertion -- of an older version
    const headers = { 'plimsoll.content': 'rollback_events/1' };
    await before.journal.consume([
      { partition: 0, payload: Buffer.from(eventLine(event)), spans: 0, headers },
    ]);
    head = event;
  }
  const executor = before.executor();
  await executor.round();
  await executor.decisions.approve(executor.status('ana').attempts[0]?.ticket ?? '', 'ana');
  await settle(executor);
  expect(executor.fault).toBeUndefined();
  expect(before.target.orders).toMatchObject([{ approvedBy: 'ana' }]);
  before.remove();
});

describe('what was approved while all rollbacks are stopped', () => {
  test('waits for the end of that, says so, and is done then', async () => {
    site.approvals = 1;
    const { executor, ticket } = await waiting();
    await executor.decisions.stopAll('ana', 'an audit');
    expect(shown(executor).next).toContain('approved, it waits for the end of the stop (ana stopped all');
    await executor.decisions.approve(ticket, 'cy');
    await settle(executor);
    expect(shown(executor)).toMatchObject({
      state: 'approved',
      next: 'it waits until 2026-11-26T13:00:00.000Z for the end of the stop (ana stopped all rollbacks: an audit): plimsoll rollback resume',
    });
    expect(site.target.orders).toEqual([]);
    await executor.decisions.resume('ana');
    await settle(executor);
    expect(site.target.orders).toHaveLength(1);
  });

  test('is asked for again where he who approved it asks for it meanwhile', async () => {
    site.approvals = 1;
    const { executor, ticket } = await waiting();
    site.stopReason = 'the file stop is there';
    await executor.decisions.approve(ticket, 'cy');
    await executor.request(requestWith({ cause: 'human', requestedBy: 'cy' }));
    site.stopReason = undefined;
    await settle(executor);
    expect(shown(executor)).toMatchObject({ state: 'awaiting_approval', approvedBy: [], outcome: '' });
    await executor.decisions.approve(shown(executor, 'ana').ticket ?? '', 'ana');
    await settle(executor);
    expect(site.target.orders).toMatchObject([{ approvedBy: 'ana' }]);
  });

  test('is not done any more when that took too long', async () => {
    site.approvals = 1;
    const { executor, ticket } = await waiting();
    site.stopReason = 'the file stop is there';
    await executor.decisions.approve(ticket, 'cy');
    site.clock.advance(hourMs);
    site.stopReason = undefined;
    await settle(executor);
    expect(shown(executor).state).toBe('expired');
    expect(site.target.orders).toEqual([]);
  });
});
