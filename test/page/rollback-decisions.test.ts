import { describe, expect, test } from 'vitest';
import { missing, reads } from './browser.ts';
import { ofAgent, useLivePage } from './live-page.ts';

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
    await live.page.type('#token-field', 'token of ana');
    await live.page.keyboard.press('Enter');
    await live.page.click('[data-decision=approve]');
    await reads(
      live.page,
      '#decision-dialog',
      'It takes refund-agent in production from 1.5.0-rc1 to 1.4.0.',
    );
    await live.page.keyboard.press('Escape');
    expect(live.server.decided).toEqual([]);
    await live.page.click('[data-decision=approve]');
    await live.page.click('#decision-confirm');
    await reads(live.page, '.answer', /^Approved\.$/);
    expect(live.server.decided).toEqual([
      { ticket: 'r2.ticket', by: 'Bearer token of ana', body: { decision: 'approve', reason: '' } },
    ]);
  });

  test('a refusal of the server is shown as it comes', async () => {
    live.server.answerToDecisions = {
      status: 409,
      body: { errors: ['this ticket was used or has expired: the rollback is done'] },
    };
    await live.open();
    await live.page.click('#token-button');
    await live.page.type('#token-field', 'token of ben');
    await live.page.keyboard.press('Enter');
    await live.page.click('[data-decision=refuse]');
    await live.page.type('#decision-reason', 'the canary is over');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '.answer', 'Not done: this ticket was used or has expired: the rollback is done.');
    expect(live.server.decided[0]?.body).toEqual({ decision: 'refuse', reason: 'the canary is over' });
    live.expectFaults(/409/);
  });
});
