import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { LiveView } from '../../src/page/live-view.ts';
import { openPage, startBrowser, type Look } from './browser.ts';
import { madeUpView, viewOfAgent } from './made-up-view.ts';
import { ViewServer } from './view-server.ts';

/** What chooses the agent that a made-up view is about. */
export const ofAgent = '?agent=refund-agent&environment=production';

/** The live page in Chromium, of a server of its own for each test. */
export class LivePage {
  /** What the server shows; of an agent, where one is chosen, what `viewOfAgent` makes of it. */
  view: LiveView = madeUpView(3);
  /** What the browser complains about; a test that expects something empties it. */
  faults: string[] = [];
  server = this.#server();
  #browser: Browser | undefined;
  #page: Page | undefined;

  /** What was opened last. */
  get page(): Page {
    if (!this.#page) throw new Error('no page was opened');
    return this.#page;
  }

  get browser(): Browser {
    if (!this.#browser) throw new Error('no browser was started');
    return this.#browser;
  }

  /** Opens the page, whatever the server answers. */
  async load(query = '', look: Look = {}): Promise<Page> {
    this.#page = await openPage(this.browser, `${this.server.url}/${query}`, this.faults, look);
    return this.#page;
  }

  /** Opens the page, and resolves when it shows a view. */
  async open(query = '', look: Look = {}): Promise<Page> {
    const page = await this.load(query, look);
    await page.waitForSelector('#flow li');
    return page;
  }

  /** Shows every reader the view with what is `over` it. */
  show(over: Partial<LiveView>): void {
    this.view = { ...this.view, ...over };
    this.server.push();
  }

  /** Forgets what the browser complained about that is as it was meant. */
  expectFaults(expected: RegExp): void {
    this.faults = this.faults.filter((fault) => !expected.test(fault));
  }

  async start(): Promise<void> {
    this.#browser = await startBrowser();
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
  }

  async begin(): Promise<void> {
    this.view = madeUpView(3);
    this.faults = [];
    this.server = this.#server();
    await this.server.start();
  }

  async end(): Promise<void> {
    await this.#page?.close();
    await this.server.stop();
  }

  #server(): ViewServer {
    return new ViewServer((query) => {
      const [agent, environment] = [query.get('agent'), query.get('environment')];
      const shown = { ...this.view, window: query.get('window') ?? this.view.window };
      return agent !== null && environment !== null ? viewOfAgent(shown, agent, environment) : shown;
    });
  }
}

/** The live page of each test of a `describe`; what the browser complains about fails the test. */
export function useLivePage(): LivePage {
  const live = new LivePage();
  beforeAll(async () => live.start());
  afterAll(async () => live.stop());
  beforeEach(async () => live.begin());
  afterEach(async () => {
    await live.end();
    expect(live.faults).toEqual([]);
  });
  return live;
}
