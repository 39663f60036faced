import { describe, expect, test } from 'vitest';
import { focused, giveToken, missing, reads, tabTo, texts, typeToken } from './browser.ts';
import { useLivePage } from './live-page.ts';

/** That of a rollback which may be reviewed. */
const reviewButton = '.review:not([hidden]) button';

describe.skipIf(missing)('reviews of rollbacks on the live page', () => {
  const live = useLivePage();

  test('a rollback that is over is found right or wrong by keyboard, in the name of who gave the token', async () => {
    await live.open();
    expect(await texts(live.page, reviewButton)).toHaveLength(1);
    await reads(live.page, '#rollbacks', 'Nobody has said yet whether it was right.');
    await giveToken(live.page, 'token of ben');
    await tabTo(live.page, reviewButton);
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#review-dialog', 'Was this rollback right? billing-copilot in production: 2.0.2 → 2.0.1'); // prettier-ignore
    expect(await texts(live.page, '#review-replaced')).toEqual([]);
    await live.page.keyboard.press('Enter');
    expect(live.server.posted).toEqual([]);
    await live.page.keyboard.press('Space');
    await live.page.keyboard.press('ArrowDown');
    await live.page.keyboard.press('Tab');
    await live.page.keyboard.type('the tool was down');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '.answer', /^Noted: it was wrong\.$/);
    expect(live.server.posted).toEqual([
      {
        path: '/api/v1/reviews/r1',
        by: 'Bearer token of ben',
        body: { review: 'wrong', note: 'the tool was down' },
      },
    ]);
    expect(await focused(live.page)).toMatch(/^billing-copilot in production/);
    expect(await live.page.$eval('#announced', (each) => each.textContent)).toBe(
      'billing-copilot 2.0.2: Noted: it was wrong.',
    );
  });

  test('what somebody said is shown with the name, and that a change replaces it', async () => {
    const review = { review: 'wrong', by: 'ana', note: 'the tool was down' } as const;
    const rollbacks = live.view.rollbacks.map((each) => (each.isOver ? { ...each, state: 'dry_run', review } : each)); // prettier-ignore
    live.view = { ...live.view, rollbacks };
    await live.open();
    await reads(live.page, '#rollbacks', 'ana says that it would have been wrong: the tool was down');
    await live.page.click(reviewButton);
    await typeToken(live.page, 'token of ben');
    await reads(live.page, '#review-dialog', 'Would this rollback have been right?');
    await reads(
      live.page,
      '#review-dialog',
      'What you say replaces what ana said: wrong, the tool was down.',
    );
    await live.page.click('#review-right');
    await live.page.click('#review-confirm');
    await reads(live.page, '.answer', /^Noted: it would have been right\.$/);
    expect(live.server.posted[0]?.body).toEqual({ review: 'right', note: '' });
  });

  test('who shows the shared token hears that a review needs one of his own', async () => {
    const sentence =
      'this is for people with a token of their own, and the shared one says nothing of who you are: add yourself to extensions::api::users';
    live.server.answerToPosts = { status: 403, body: { errors: [sentence] } };
    await live.open();
    await giveToken(live.page, 'the shared token');
    await live.page.click(reviewButton);
    await live.page.click('#review-right');
    await live.page.click('#review-confirm');
    await reads(live.page, '.answer', `Not done: ${sentence}.`);
    live.expectFaults(/403/);
  });
});
