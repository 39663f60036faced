import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { minuteMs, planWith, requestWith, Site } from './site.ts';

let site: Site;
beforeEach(() => {
  site = new Site();
});
afterEach(() => site.remove());

type Executor = ReturnType<Site['executor']>;

async function settle(executor: Executor): Promise<void> {
  await executor.round();
  await executor.round();
}

async function ask(executor: Executor, release = 'v2'): Promise<void> {
  await executor.request(requestWith({ release, cause: 'judge', requestedBy: 'judge' }));
  await settle(executor);
}

/** What people were told and is not over. */
const open = (): readonly string[] => [...site.openPages.values()];

/** A rollback that waits for approval, of which people were told. */
async function waiting() {
  site.plan = planWith({ mode: 'approve' });
  const executor = site.executor();
  await ask(executor);
  expect(open()).toEqual(['RollbackNeedsApproval']);
  return { executor, ticket: executor.status('ana').attempts[0]?.ticket ?? '' };
}

describe('that a rollback needs approval is over', () => {
  test('when somebody approves it', async () => {
    const { executor, ticket } = await waiting();
    await executor.decisions.approve(ticket, 'ana');
    await settle(executor);
    expect(open()).toEqual([]);
    expect(site.pages).toHaveLength(1);
  });

  test('when somebody refuses it', async () => {
    const { executor, ticket } = await waiting();
    await executor.decisions.refuse(ticket, 'ana', 'it is well');
    await settle(executor);
    expect(open()).toEqual([]);
  });

  test('when nobody decides in time, which people are told then', async () => {
    const { executor } = await waiting();
    site.clock.advance(61 * minuteMs);
    await settle(executor);
    expect(open()).toEqual(['RollbackExpired']);
  });

  test('when another process is told the decision, and when the next one takes over', async () => {
    const { ticket } = await waiting();
    site.isActing = false;
    await site.executor().decisions.approve(ticket, 'ana');
    expect(open()).toEqual(['RollbackNeedsApproval']);
    site.isActing = true;
    await settle(site.executor());
    expect(open()).toEqual([]);
  });

  test('and not while it waits, nor when one of two approved', async () => {
    site.approvals = 2;
    const { executor, ticket } = await waiting();
    await executor.decisions.approve(ticket, 'ana');
    await settle(executor);
    await settle(site.executor());
    expect(open()).toEqual(['RollbackNeedsApproval']);
  });
});

test('what was not possible is over when it is asked for anew, and what failed when a person says so', async () => {
  site.destinations = [];
  const executor = site.executor();
  await ask(executor);
  await settle(executor);
  expect(open()).toEqual(['RollbackNotPossible']);
  site.destinations = [{ release: 'v1', why: 'passed' }];
  site.figures.set('v1', { meets: false, events: 100 });
  await ask(executor);
  site.clock.advance(61 * minuteMs);
  await settle(executor);
  expect(open()).toEqual(['RollbackFailed']);
  await settle(site.executor());
  expect(open()).toEqual(['RollbackFailed']);
});

test('a closed breaker ends what people were told of it, and of what it kept back', async () => {
  site.plan = planWith({ cooldownMs: 1000, perDay: 1 });
  const executor = site.executor();
  await ask(executor);
  site.clock.advance(minuteMs);
  site.target.release = 'v3';
  await ask(executor, 'v3');
  await settle(site.executor());
  expect(open().toSorted()).toEqual(['RollbackBreakerOpen', 'RollbackNotPossible']);
  site.clock.advance(minuteMs);
  await executor.decisions.closeBreaker('refunds', 'ana');
  await settle(executor);
  expect(open()).toEqual([]);
});

test('a broken journal is over when it can be relied on again, and people are told when it breaks anew', async () => {
  const executor = site.executor();
  await ask(executor);
  site.journal.down = new Failure('unavailable', 'the stream is away');
  await settle(executor);
  expect(open()).toEqual(['RollbackJournalBroken']);
  site.journal.down = undefined;
  await settle(executor);
  expect(open()).toEqual([]);
  site.journal.down = new Failure('unavailable', 'the stream is away');
  await settle(executor);
  expect(open()).toEqual(['RollbackJournalBroken']);
});
