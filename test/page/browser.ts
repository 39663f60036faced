import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { requires } from '../requires.ts';
import { until } from '../until.ts';

/** Why no browser can be started here; undefined where one can. */
export const missing = requires('/usr/bin/chromium', { version: '--version', from: 'chromium' });

/** Starts Chromium without a window. As root it runs without its sandbox. */
export async function startBrowser(): Promise<Browser> {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    args: [...args, '--enable-precise-memory-info'],
  });
}

/** How a page is looked at. */
export interface Look {
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
}

/** Opens `url` in a tab of its own; `faults` gets what the browser complains about, such as a broken content security policy. */
export async function openPage(
  browser: Browser,
  url: string,
  faults: string[],
  { width = 1440, scheme = 'light' }: Look = {},
): Promise<Page> {
  const page = await browser.newPage();
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warn') faults.push(message.text());
  });
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(url);
  return page;
}

/** What somebody reads in all elements that match `selector`, without what is hidden. */
export async function texts(page: Page, selector: string): Promise<readonly string[]> {
  return page.$$eval(selector, (found) =>
    found
      .filter((each) => each instanceof HTMLElement && each.checkVisibility())
      .map((each) => (each instanceof HTMLElement ? each.innerText.replaceAll(/\s+/g, ' ').trim() : '')),
  );
}

/** Resolves when what somebody reads in `selector` has `wanted` in it. */
export async function reads(page: Page, selector: string, wanted: string | RegExp): Promise<void> {
  let last = '';
  const isThere = async (): Promise<boolean> => {
    last = (await texts(page, selector)).join(' | ');
    return typeof wanted === 'string' ? last.includes(wanted) : wanted.test(last);
  };
  await until(`${selector} to read ${String(wanted)}`, isThere).catch((error: unknown) => {
    throw new Error(`${selector} reads ${JSON.stringify(last)}, and not ${String(wanted)}`, { cause: error });
  });
}

/** Presses Tab until the element that has the focus matches `selector`; how often that was. */
export async function tabTo(page: Page, selector: string): Promise<number> {
  for (let presses = 1; presses <= 60; presses++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector))
      return presses;
  }
  throw new Error(`the focus does not come to ${selector} by Tab`);
}

/** What the element that has the focus reads. */
export async function focused(page: Page): Promise<string> {
  return page.evaluate(() =>
    document.activeElement instanceof HTMLElement ? document.activeElement.innerText : '',
  );
}

/** Types `token` where it is asked for, and waits until it is taken. */
export async function typeToken(page: Page, token: string): Promise<void> {
  await page.type('#token-field', token);
  await page.keyboard.press('Enter');
  await page.waitForSelector('#token-dialog:not([open])');
}

/** Gives `token` as somebody does who looks at the page, and waits until it shows a view by it. */
export async function giveToken(page: Page, token: string): Promise<void> {
  await page.click('#token-button');
  await typeToken(page, token);
  await page.waitForSelector('main[aria-busy=false]');
}
