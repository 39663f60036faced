import { afterEach, describe, expect, test } from 'vitest';
import { requestWith, Site } from './site.ts';

const sites: Site[] = [];
function newSite(): Site {
  const site = new Site();
  sites.push(site);
  return site;
}
afterEach(() => sites.splice(0).forEach((site) => site.remove()));

describe('a bad release of a policy that says auto', () => {
  test('is taken back once, and done when the release before meets its objective', async () => {
    const site = newSite();
    const executor = site.executor();
    expect(await executor.request(requestWith())).toMatchObject({ kind: 'accepted' });
    await executor.round();
    expect(site.target.orders).toMatchObject([{ from: 'v2', to: 'v1', target: 'refunds' }]);
    expect(site.journal.events).toEqual(['requested', 'executing', 'acted', 'done']);
    expect(site.pages).toEqual([]);
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'done', to: 'v1' }]);
  });
});
