import { describe, expect, test } from 'vitest';
import { answerMs } from '../../src/rollback/next-step.ts';
import { until } from '../until.ts';
import { focused, giveToken, missing, reads, tabTo, texts, typeToken } from './browser.ts';
import { ofAgent, useLivePage } from './live-page.ts';
import { madeUpView } from './made-up-view.ts';

describe.skipIf(missing)('rollbacks on the live page', () => {
  const live = useLivePage();

  test('a rollback that two have to approve says who did, and for whom it waits', async () => {
    const rollbacks = live.view.rollbacks.map((each) => ({ ...each, approvals: 2, approvedBy: ['ana'] }));
    live.view = { ...live.view, rollbacks };
    await live.open(ofAgent);
    await reads(live.page, '#rollbacks', '1 of 2 approved, by ana. Waits for ben, ');
  });

  test('a rollback that waits is approved with the token of who looks', async () => {
    await live.open(ofAgent);
    await live.page.click('[data-decision=approve]');
    await typeToken(live.page, 'token of ana');
    await reads(
      live.page,
      '#decision-dialog',
      'It takes refund-agent in production from 1.5.0-rc1 to 1.4.0.',
    );
    await live.page.keyboard.press('Escape');
    expect(live.server.posted).toEqual([]);
    await live.page.click('[data-decision=approve]');
    await live.page.click('#decision-confirm');
    await reads(live.page, '.answer', /^Approved\.$/);
    expect(live.server.posted).toEqual([
      {
        path: '/api/v1/approvals/r2.ticket',
        by: 'Bearer token of ana',
        body: { decision: 'approve', reason: '' },
      },
    ]);
  });

  test('what is refused is called so on the button, in the dialog, in the answer and in the state', async () => {
    await live.open();
    await giveToken(live.page, 'token of ana');
    expect(await texts(live.page, '.waiting:not([hidden]) button')).toEqual(['Approve…', 'Refuse…']);
    await live.page.click('[data-decision=refuse]');
    await reads(live.page, '#decision-dialog', /^Refuse this rollback\? .* Refuse the rollback Cancel$/);
    await live.page.keyboard.press('Enter');
    await reads(live.page, '.answer', /^Refused\.$/);
    await reads(live.page, '#rollbacks li', 'requested 3 min ago');
  });

  test('that a refusal stands for a day, whoever asks, is said before it and after', async () => {
    const told = `whoever asks for this rollback again within ${answerMs / 3_600_000} h`;
    await live.open();
    await giveToken(live.page, 'token of ana');
    await live.page.click('[data-decision=approve]');
    expect(await texts(live.page, '#decision-stands')).toEqual([]);
    await live.page.keyboard.press('Escape');
    await live.page.click('[data-decision=refuse]');
    await reads(live.page, '#decision-stands', told);
    await live.page.keyboard.press('Escape');
    const [waiting] = live.view.rollbacks;
    const untilMs = live.view.atMs + 3_600_000;
    const over = { state: 'refused', outcome: 'refused by ana', approvalExpiresMs: null, isOver: true };
    const show = (refusedUntilMs: number | null): void =>
      live.show({ rollbacks: waiting ? [{ ...waiting, ...over, refusedUntilMs }] : [] });
    show(untilMs);
    await reads(live.page, '#rollbacks', /refused by ana That stands until Nov \d+, \d\d:03, whoever asks\./);
    for (const none of [live.view.atMs - 1, null]) {
      show(none);
      await until(
        'that to be over',
        async () => !/stands/.test((await texts(live.page, '#rollbacks')).join()),
      );
      show(untilMs);
      await reads(live.page, '#rollbacks', 'That stands until');
    }
  });

  test('a refusal of the server is shown as it comes', async () => {
    live.server.answerToPosts = {
      status: 409,
      body: { errors: ['this ticket was used or has expired: the rollback is done'] },
    };
    await live.open();
    await live.page.click('[data-decision=refuse]');
    await live.page.click('#token-cancel');
    await giveToken(live.page, 'token of ben');
    expect(await texts(live.page, '#decision-dialog')).toEqual([]);
    await live.page.click('[data-decision=refuse]');
    await live.page.type('#decision-reason', 'the canary is over');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '.answer', 'Not done: this ticket was used or has expired: the rollback is done.');
    expect(live.server.posted[0]?.body).toEqual({ decision: 'refuse', reason: 'the canary is over' });
    live.expectFaults(/409/);
  });

  test('after a decision by keyboard the focus is at the rollback, and who listens hears what happened', async () => {
    await live.open();
    await giveToken(live.page, 'token of ana');
    await tabTo(live.page, '[data-decision=approve]');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#decision-dialog', 'Approve this rollback?');
    await live.page.keyboard.press('Escape');
    expect(await focused(live.page)).toBe('Approve…');
    await live.page.keyboard.press('Enter');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '.answer', /^Approved\.$/);
    expect(await focused(live.page)).toMatch(/^refund-agent in production: 1\.5\.0-rc1/);
    expect(await live.page.$eval('#announced', (each) => each.textContent)).toBe(
      'refund-agent 1.5.0-rc1: Approved.',
    );
    const rollbacks = live.view.rollbacks.map((each) => ({
      ...each,
      state: 'done',
      approvalExpiresMs: null,
    }));
    live.show({ rollbacks: rollbacks.toReversed() });
    await reads(live.page, '#rollbacks', /^✓ done/);
    expect(await focused(live.page)).toMatch(/^refund-agent in production: 1\.5\.0-rc1/);
  });

  test('where another one decides first the focus stays at the rollback', async () => {
    await live.open();
    await giveToken(live.page, 'token of ana');
    const rollbacks = live.view.rollbacks.map((each) => ({
      ...each,
      state: 'done',
      approvalExpiresMs: null,
    }));
    await tabTo(live.page, '[data-decision=approve]');
    await live.page.keyboard.press('Enter');
    live.show({ rollbacks });
    await reads(live.page, '#rollbacks', /^✓ done/);
    await live.page.keyboard.press('Escape');
    await until('the focus to be there', async () =>
      (await focused(live.page)).startsWith('refund-agent in'),
    );
    live.show({ rollbacks: madeUpView(3).rollbacks.toReversed() });
    await reads(live.page, '#rollbacks', 'Waits for ana or ben');
    await tabTo(live.page, '[data-decision=approve]');
    live.show({ rollbacks });
    await until('the focus to be there', async () =>
      (await focused(live.page)).startsWith('refund-agent in'),
    );
  });

  const waits = { id: 'r2', state: 'awaiting_approval', approvers: ['ana', 'ben'], asked_by: ['judge'], ticket: null }; // prettier-ignore
  test.each([
    { who: 'token', over: {}, says: 'the token that you gave is the shared one, which says nothing of who you are: give your own, as extensions::api::users has it; ana and ben may decide' }, // prettier-ignore
    { who: 'eve', over: {}, says: 'eve is no approver of its policy: ana and ben may decide' },
    { who: 'ana', over: { asked_by: ['ana'] }, says: 'ana asked for this rollback: ben may decide' },
    { who: 'ana', over: { approvers: ['ana'], asked_by: ['ana'] }, says: 'ana asked for this rollback: nobody else may decide' }, // prettier-ignore
    { who: 'ana', over: { state: 'refused' }, says: 'it is refused now, and waits for nobody' },
    { who: 'ana', over: {}, says: 'the time to decide is over' },
  ])('why $who may not decide stands there: $says', async ({ who, over, says }) => {
    live.server.rollbacks = { you: who, rollbacks: [{ ...waits, ...over }] };
    await live.open();
    await giveToken(live.page, `token of ${who}`);
    await live.page.click('[data-decision=approve]');
    await live.page.click('#decision-confirm');
    await reads(live.page, '.answer', `Not done: ${says}.`);
    expect(live.server.posted).toEqual([]);
  });

  test('who approved already hears that another one has to', async () => {
    live.server.answerToPosts = {
      status: 409,
      body: { errors: ['ana approved it already, and 2 different people have to'] },
    };
    await live.open();
    await giveToken(live.page, 'token of ana');
    await live.page.click('[data-decision=approve]');
    await live.page.click('#decision-confirm');
    await reads(live.page, '.answer', 'Not done: ana approved it already, and 2 different people have to.');
    live.expectFaults(/409/);
  });

  test('the first of two approvals is no approval yet, and says so', async () => {
    live.server.answerToPosts = {
      status: 200,
      body: { kind: 'taken', id: 'r2', state: 'awaiting_approval' },
    };
    await live.open();
    await giveToken(live.page, 'token of ana');
    await live.page.click('[data-decision=approve]');
    await live.page.click('#decision-confirm');
    await reads(live.page, '.answer', 'Your approval is noted; another one is needed.');
  });
});
