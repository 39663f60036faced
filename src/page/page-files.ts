import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import type { Answer, Resource } from '../core/http-endpoint.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing but what this process serves is run or shown, nobody frames the page, and it sends its forms nowhere. */
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** What of the chart library is served. */
const libraryFiles = {
  'uPlot.esm.js': import.meta.resolve('uplot/dist/uPlot.esm.js'),
  'uPlot.min.css': import.meta.resolve('uplot/dist/uPlot.min.css'),
};

/**
 * The live page: `/`, and `/page/…` for each file of the folder `site` and of the chart library. They are read here, once,
 * and found by name, so no path leads elsewhere. They tell nothing, so anybody may read them.
 */
export function pageResources(): Readonly<Record<string, Resource>> {
  const site = new URL('site/', import.meta.url);
  const files = [
    ...readdirSync(site).map((name) => [name, new URL(name, site)] as const),
    ...Object.entries(libraryFiles).map(([name, url]) => [name, new URL(url)] as const),
  ];
  return Object.fromEntries(
    files.flatMap(([name, url]) => {
      const contentType = types[extname(name)];
      if (contentType === undefined) return [];
      const path = name === 'index.html' ? '/' : `/page/${name}`;
      return [[path, fileResource(readFileSync(url), contentType)]];
    }),
  );
}

/** A file that a browser keeps, and asks about each time. */
function fileResource(body: Uint8Array, contentType: string): Resource {
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  const headers = {
    etag,
    'cache-control': 'no-cache',
    'content-security-policy': policy,
    'referrer-policy': 'no-referrer',
  };
  const whole: Answer = { status: 200, contentType, body, headers };
  const same: Answer = { status: 304, contentType, body: '', headers };
  return {
    GET: async ({ headers: { 'if-none-match': known } }) => (known === etag ? same : whole),
  };
}
