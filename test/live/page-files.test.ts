import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HttpEndpoint } from '../../src/core/http-endpoint.ts';
import { createLog } from '../../src/core/log.ts';
import { pageResources } from '../../src/page/page-files.ts';

const here = { host: '127.0.0.1', port: 0, configPath: 'extensions::api::endpoint' };
const endpoint = new HttpEndpoint('page', here, pageResources(), createLog('silent'));

beforeAll(() => endpoint.start());
afterAll(() => endpoint.stop(AbortSignal.timeout(1000)));

const ask = async (path: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${endpoint.port}${path}`, { headers });

const site = readdirSync(new URL('../../src/page/site/', import.meta.url));
const shared = site.filter((name) => name !== 'index.html');

describe('the files of the page', () => {
  test.each(['/', '/page/uPlot.esm.js', '/page/uPlot.min.css', ...shared.map((name) => `/page/${name}`)])(
    '%s is served with what keeps it from doing harm',
    async (path) => {
      const response = await ask(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'self';/);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect((await response.bytes()).length).toBeGreaterThan(0);
    },
  );

  test('everything that the page names is served, as what it is', async () => {
    const html = await (await ask('/')).text();
    const named = [...html.matchAll(/(?:src|href)="(\/[^"#]*)"/g)].map(([, path = '']) => path);
    expect(named.length).toBeGreaterThan(2);
    for (const path of named) {
      const response = await ask(path);
      expect([path, response.status]).toEqual([path, 200]);
      const type = response.headers.get('content-type') ?? '';
      if (path.endsWith('.js')) expect(type).toBe('text/javascript; charset=utf-8');
      if (path.endsWith('.css')) expect(type).toBe('text/css; charset=utf-8');
    }
  });

  test('no path leads out of them', async () => {
    for (const path of [
      '/page/',
      '/page/index.html',
      '/page/..%2flive-view.ts',
      '/page/%2e%2e/live-view.ts',
      '/page/....//live-view.ts',
      '/page/main.js%00.html',
    ]) {
      const response = await ask(path);
      expect([path, response.status]).toEqual([path, 404]);
    }
  });

  test('a browser that has a file gets it once more only when it changed', async () => {
    const first = await ask('/page/main.js');
    const etag = first.headers.get('etag') ?? '';
    await first.bytes();
    const again = await ask('/page/main.js', { 'if-none-match': etag });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect((await ask('/page/main.js', { 'if-none-match': '"another"' })).status).toBe(200);
  });
});
