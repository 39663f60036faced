import { describe, expect, test } from 'vitest';
import { until } from '../until.ts';
import { giveToken, missing, reads, texts } from './browser.ts';
import { ofAgent, useLivePage } from './live-page.ts';

describe.skipIf(missing)('the live page and its server', () => {
  const live = useLivePage();

  test('a connection that is lost is told once, tried again, and comes back by itself', async () => {
    await live.open();
    await reads(live.page, '#connection', 'live');
    await live.page.evaluate(() => {
      const line = document.querySelector('#announced');
      new MutationObserver(
        () => (document.body.dataset['told'] = `${document.body.dataset['told'] ?? ''}${line?.textContent};`),
      ).observe(
        document.body, // prettier-ignore
        { subtree: true, childList: true, characterData: true, attributes: false },
      );
    });
    await live.server.stop();
    await reads(
      live.page,
      '#connection',
      /connection lost, trying again in \d s: nobody answers; figures are of \d\d:\d\d/,
    );
    await reads(live.page, '.tile', '84.3 %');
    await live.server.start();
    await reads(live.page, '#connection', /^live$/);
    const told = await live.page.evaluate(() => document.body.dataset['told'] ?? '');
    expect(new Set(told.split(';'))).toEqual(new Set(['live', 'connection lost, trying again', '']));
    live.expectFaults(/ERR_/); // the browser says itself that nobody answers
  });

  test('where reading needs a token it is asked for, kept in the session only, and sent', async () => {
    live.server.token = 'a secret';
    await live.load();
    await reads(live.page, '#refused', 'needs a token here: give yours');
    await live.page.click('#refused-token');
    await live.page.type('#token-field', 'another one');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#token-fault', /^The server does not know this token\.$/);
    await live.page.$eval('#token-field', (field) => field instanceof HTMLInputElement && field.select());
    await live.page.type('#token-field', 'a secret');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#connection', 'live');
    expect(await texts(live.page, '#refused')).toEqual([]);
    const kept = await live.page.evaluate(() => [
      Object.values(sessionStorage),
      localStorage.length,
      document.cookie,
      location.href,
    ]);
    expect(kept).toEqual([['a secret'], 0, '', `${live.server.url}/`]);
    await live.page.reload();
    await reads(live.page, '#connection', 'live');
    await live.page.click('#token-button');
    await live.page.click('#token-forget');
    await reads(live.page, '#refused', 'needs a token');
    live.expectFaults(/401/);
  });

  test('a token that is not known is not taken, and takes no figures from where reading needs none', async () => {
    live.server.knownToken = 'a secret';
    await live.open();
    await live.page.click('#token-button');
    await live.page.type('#token-field', 'another one');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#token-fault', /^The server does not know this token\.$/);
    await live.page.click('#token-cancel');
    await reads(live.page, '.tile', '84.3 %');
    await reads(live.page, '#connection', /^live$/);
    await reads(live.page, '#token-button', 'Give token');
    expect(await live.page.evaluate(() => sessionStorage.length)).toBe(0);
    live.expectFaults(/401/);
    await giveToken(live.page, 'a secret');
    await reads(live.page, '#token-button', 'Token given');
    await reads(live.page, '#connection', /^live$/);
  });

  test('a token that was taken and is known no more is told so', async () => {
    await live.open();
    await giveToken(live.page, 'a secret');
    live.server.knownToken = 'another one';
    await live.page.reload();
    await reads(
      live.page,
      '#refused',
      'does not know the token that you gave: give another one, or forget it',
    );
    live.expectFaults(/401/);
  });

  test('where nobody answers a token is not taken', async () => {
    await live.open();
    await live.server.stop();
    await live.page.click('#token-button');
    await live.page.type('#token-field', 'a secret');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#token-fault', 'Nobody answers');
    await live.server.start();
    await live.page.keyboard.press('Enter');
    await live.page.waitForSelector('#token-dialog:not([open])');
    live.expectFaults(/ERR_/);
  });

  test('a URL that asks for what there is not says so, and leads back', async () => {
    await live.load('?window=7h');
    await reads(live.page, '#refused', 'there is no window 7h');
    await live.page.click('#refused-back');
    await reads(live.page, '#connection', 'live');
    live.expectFaults(/400/);
  });

  test('figures of one agent never stand under the name of another', async () => {
    await live.open(ofAgent);
    await reads(live.page, '[data-decision=approve]', 'Approve');
    await live.server.stop();
    await reads(live.page, '#connection', 'connection lost');
    await reads(live.page, '.tile', '84.3 %');
    await live.page.evaluate(() => document.querySelector<HTMLElement>('#back')?.click());
    await reads(live.page, 'h1', 'All agents');
    await reads(live.page, '#before-first', 'No figures yet: nobody answers.');
    expect(await texts(live.page, '.tile, [data-decision], #waiting, #flow li')).toEqual([]);
    expect(
      await live.page.$$eval('#windows a', (links) => links.map((link) => link.getAttribute('href'))),
    ).toEqual(['?window=5m', '?window=1h', '?window=24h']);
    await live.server.start();
    await reads(live.page, '#agents-lines', 'billing-copilot');
    expect(await texts(live.page, '#before-first')).toEqual([]);
    live.expectFaults(/ERR_/);
  });

  test('who may not look any more sees no figures any more', async () => {
    await live.open();
    live.server.token = 'a secret';
    await live.server.stop();
    await live.server.start();
    await reads(live.page, '#refused', 'needs a token');
    expect(await texts(live.page, '.tile, [data-decision], #waiting, #flow li, #before-first')).toEqual([]);
    live.expectFaults(/ERR_|401/);
  });

  test('a view that the page cannot show is no lost connection, and the next one is shown', async () => {
    await live.open();
    const shown = live.view;
    // @ts-expect-error what no server of this version sends
    live.show({ tiles: null });
    await reads(live.page, '#connection', 'this page cannot show what came: reload it');
    expect(await texts(live.page, '.tile, [data-decision]')).toEqual([]);
    expect(live.server.opened).toBe(1);
    expect(live.faults).toEqual([expect.stringContaining('TypeError')]);
    live.faults = [];
    live.show(shown);
    await reads(live.page, '#connection', /^live$/);
    await reads(live.page, '.tile', '84.3 %');
    expect([live.server.opened, live.server.readers]).toEqual([1, 1]);
  });

  test('a page of another version is loaded anew, and not again at once', async () => {
    await live.open();
    const isOld = async () => live.page.evaluate(() => document.body.dataset['old'] === 'true');
    const mark = async () => live.page.evaluate(() => (document.body.dataset['old'] = 'true'));
    await mark();
    const loaded = live.page.waitForNavigation();
    live.show({ version: '0.2.0' });
    await loaded;
    await reads(live.page, '#version', 'Plimsoll 0.2.0');
    expect(await isOld()).toBe(false);
    await mark();
    live.show({ version: '0.1.0' });
    await reads(live.page, '#version', 'Plimsoll 0.1.0');
    expect(await isOld()).toBe(true);
  });

  test('why a server does not answer stands there in its words, and it is asked again', async () => {
    live.server.refusal = { status: 503, body: { errors: ['50 pages are open: close one'] } };
    await live.load();
    await reads(live.page, '#connection', /^connection lost, trying again.*: 50 pages are open: close one$/);
    await reads(live.page, '#before-first', 'No figures yet: 50 pages are open: close one.');
    live.server.refusal = { status: 404, body: '<html><h1>default backend - 404</h1></html>' };
    await reads(live.page, '#before-first', 'No figures yet: the server answers 404.');
    live.server.refusal = undefined;
    await reads(live.page, '#connection', /^live$/);
    live.expectFaults(/404|503/);
  });

  test('the way back from a refusal asks again, also where nothing is chosen', async () => {
    live.server.refusal = { status: 400, body: { errors: ['not now'] } };
    await live.load();
    await reads(live.page, '#refused', 'not now');
    live.server.refusal = undefined;
    await live.page.click('#refused-back');
    await reads(live.page, '#connection', /^live$/);
    live.expectFaults(/400/);
  });

  test('a token that no request can carry is not taken', async () => {
    live.server.token = 'a secret';
    await live.load();
    await live.page.click('#token-button');
    await live.page.type('#token-field', '“a secret”');
    await live.page.keyboard.press('Enter');
    await reads(
      live.page,
      '#token-fault',
      'This cannot be a token: it has characters that no request can carry',
    );
    expect(await live.page.evaluate(() => sessionStorage.length)).toBe(0);
    await live.page.$eval('#token-field', (field) => field instanceof HTMLInputElement && field.select());
    await live.page.type('#token-field', 'a secret');
    await live.page.keyboard.press('Enter');
    await reads(live.page, '#connection', /^live$/);
    await live.page.click('#token-button');
    expect(await texts(live.page, '#token-fault')).toEqual([]);
    live.expectFaults(/401/);
  });

  test('a tab that nobody sees holds no connection', async () => {
    await live.open();
    expect(live.server.readers).toBe(1);
    const other = await live.browser.newPage();
    await other.bringToFront();
    await live.page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until('the connection to end', () => live.server.readers === 0);
    await live.page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { value: false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await until('the connection to be there', () => live.server.readers === 1);
    await other.close();
  });
});
