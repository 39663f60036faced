import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { HttpEndpoint } from '../../src/core/http-endpoint.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { Family } from '../../src/kpi/family.ts';
import { FlowMeter } from '../../src/page/flow-meter.ts';
import { liveResource } from '../../src/page/live-resource.ts';
import type { LiveView } from '../../src/page/live-view.ts';
import { LiveViews } from '../../src/page/live-views.ts';
import { call, kpisOf, published, run } from '../kpi/events.ts';
import { HandClock } from '../stream/embedded-place.ts';
import { until } from '../until.ts';
import { noon, windows } from './moments.ts';

interface Site {
  readonly port: number;
  readonly endpoint: HttpEndpoint;
  readonly views: LiveViews;
  readonly clock: HandClock;
  readonly log: string[];
  families: readonly Family[];
  isActive: boolean;
  /** How often somebody looked. */
  looks: number;
}

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

function familiesOf(count: number): readonly Family[] {
  const kpis = kpisOf();
  for (let i = 0; i < count; i++) kpis.finished(run(noon));
  kpis.toolCall(call(noon));
  kpis.watermark.advance(0, noon, noon, noon);
  return published(kpis, noon);
}

async function siteOf(): Promise<Site> {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const clock = new HandClock(noon);
  const views = new LiveViews({
    version: '0.0.0',
    windows,
    standings: () => (site.isActive ? [] : undefined),
    kpis: () => {
      site.looks++;
      return site.families;
    },
    incidents: () => [],
    rollbacks: () => ({ attempts: [], stopReason: undefined, fault: undefined }),
    objectiveOf: () => null,
    flow: new FlowMeter(new Telemetry(), []),
    clock,
    log,
  });
  const here = { host: '127.0.0.1', port: 0, configPath: 'extensions::api::endpoint' };
  const endpoint = new HttpEndpoint('api', here, { '/live': liveResource(views) }, log);
  await views.start();
  await endpoint.start();
  ends.push(
    () => views.stop(),
    () => endpoint.stop(AbortSignal.timeout(1000)),
  );
  const { port } = endpoint;
  const site: Site = { port, endpoint, views, clock, log: lines, families: [], isActive: true, looks: 0 };
  return site;
}

async function ask(
  { port }: Site,
  { query = '', method = 'GET', headers = {} }: { query?: string; method?: string; headers?: object } = {},
): Promise<IncomingMessage> {
  const sent = request({
    host: '127.0.0.1',
    port,
    path: `/live${query}`,
    method,
    headers: { ...headers },
    agent: false,
  }).end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (!response) throw new Error('there is no response');
  response.on('error', () => undefined); // cut, which some tests want
  return response;
}

const events = { accept: 'text/event-stream' };

/** A reader of the events, and the views that it got. */
async function reader(site: Site, query = '', headers: object = {}) {
  const response = await ask(site, { query, headers: { ...events, ...headers } });
  expect(response.statusCode).toBe(200);
  const views: LiveView[] = [];
  let said = '';
  const body = response.headers['content-encoding'] === 'gzip' ? response.pipe(createGunzip()) : response;
  body.setEncoding('utf8').on('data', (more: string) => {
    said += more;
    const whole = said.split('\n\n');
    said = whole.pop() ?? '';
    for (const event of whole)
      if (event.startsWith('event: view\ndata: ')) views.push(JSON.parse(event.slice(18)));
  });
  return { response, views, runs: () => views.at(-1)?.tiles[0]?.denominator };
}

test('who asks gets a view, and a sentence where the question is wrong', async () => {
  const site = await siteOf();
  site.families = familiesOf(3);
  const view = await json(await ask(site, { query: '?agent=refund&environment=production' }));
  expect(view).toMatchObject({ window: '1h', chosen: { agent: 'refund' }, isActive: true });
  for (const [query, sentence] of [
    ['?window=2h', 'window: must be one of 5m, 1h'],
    ['?agent=a', 'environment: is missing: name the environment of the agent that is meant'],
    ['?environment=a', 'agent: is missing: name the agent that is meant in the environment'],
  ] as const) {
    const response = await ask(site, { query });
    expect(response.statusCode).toBe(400);
    expect(await json(response)).toEqual({ errors: [sentence] });
  }
});

test.each(['identity', 'gzip'])('who follows gets each change, %s', async (coding) => {
  const site = await siteOf();
  site.families = familiesOf(3);
  const { views, runs } = await reader(site, '', { 'accept-encoding': coding });
  await until('the first view', () => runs() === 3);
  site.families = familiesOf(4);
  site.clock.advance(2000);
  await until('the next view', () => runs() === 4);
  expect(views).toHaveLength(2);
});

test('all who follow the same share one look and one view', async () => {
  const site = await siteOf();
  const readers = await Promise.all(Array.from({ length: 50 }, () => reader(site)));
  await until('all first views', () => readers.every(({ views }) => views.length === 1));
  expect(site.looks).toBe(1);
  site.families = familiesOf(5);
  site.clock.advance(2000);
  await until('all next views', () => readers.every(({ runs }) => runs() === 5));
  expect(site.looks).toBe(2);
});

test('the 51st reader is refused with a sentence, until one goes', async () => {
  const site = await siteOf();
  const readers = await Promise.all(Array.from({ length: 50 }, () => reader(site)));
  const refused = await ask(site, { headers: events });
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '5']);
  expect(await text(refused)).toContain('50 pages are open');
  expect((await ask(site)).statusCode, 'asking once is no following').toBe(200);
  readers[0]?.response.destroy();
  await until('somebody to have gone', () => site.views.readers === 49);
  await reader(site);
  expect(site.views.readers).toBe(50);
});

test('who only wants the head follows nothing', async () => {
  const site = await siteOf();
  const response = await ask(site, { method: 'HEAD', headers: events });
  expect(response.headers['content-type']).toBe('text/event-stream');
  expect(await text(response)).toBe('');
  expect(site.views.readers).toBe(0);
});

test('readers that go leave nothing behind, and the log is silent', async () => {
  const site = await siteOf();
  for (let round = 0; round < 5; round++) {
    const readers = await Promise.all(Array.from({ length: 20 }, () => reader(site, '?window=5m')));
    for (const [i, { response, views }] of readers.entries()) {
      if (i % 2 === 0) await until('a view', () => views.length > 0);
      response.destroy();
    }
    await until('all to have gone', () => site.views.readers === 0);
  }
  expect(site.log).toEqual([]);
});

test('stopping ends all streams whole, at once', async () => {
  const site = await siteOf();
  const zipped = await reader(site, '', { 'accept-encoding': 'gzip' });
  const plain = await reader(site);
  await until('views', () => zipped.views.length + plain.views.length === 2);
  const endings = [once(zipped.response, 'end'), once(plain.response, 'end')];
  const never = new AbortController();
  await site.endpoint.stop(never.signal);
  await Promise.all(endings);
  expect(site.views.readers).toBe(0);
  expect(site.log).toEqual([]);
});

test('stopping does not wait for a reader that takes nothing', async () => {
  const site = await siteOf();
  const socket = connect(site.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /live HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n');
  await until('a reader', () => site.views.readers === 1);
  socket.pause();
  await site.endpoint.stop(new AbortController().signal);
  expect(site.views.readers).toBe(0);
  socket.destroy();
});

test('a process that stands by says so, and shows what there is when it takes over', async () => {
  const site = await siteOf();
  site.isActive = false;
  const { views, runs } = await reader(site);
  await until('a view', () => views[0]?.isActive === false);
  site.isActive = true;
  site.families = familiesOf(2);
  site.clock.advance(10_000);
  await until('the figures', () => runs() === 2);
  await until('a point of the trends', () => views.at(-1)?.trendTimesMs.length === 1);
});

test('a fault while looking is told to the log, and the next look shows what there is', async () => {
  const site = await siteOf();
  const { views, runs } = await reader(site);
  await until('a view', () => views.length === 1);
  Object.defineProperty(site, 'families', {
    configurable: true,
    get: () => {
      throw new Error('planted');
    },
  });
  site.clock.advance(2000);
  await until('the log to say so', () => site.log.some((line) => line.includes('planted')));
  Object.defineProperty(site, 'families', { value: familiesOf(6) });
  site.clock.advance(2000);
  await until('the next view', () => runs() === 6);
});
