import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { HttpEndpoint } from '../../src/core/http-endpoint.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { Incident } from '../../src/incidents/incident.ts';
import type { Family } from '../../src/kpi/family.ts';
import { FlowMeter } from '../../src/page/flow-meter.ts';
import { liveResource } from '../../src/page/live-resource.ts';
import type { LiveView } from '../../src/page/live-view.ts';
import { LiveViews } from '../../src/page/live-views.ts';
import { call, kpisOf, published, run } from '../kpi/events.ts';
import { HandClock } from '../stream/embedded-place.ts';
import { until } from '../until.ts';
import { incident, noon, windows } from './moments.ts';

interface Site {
  readonly port: number;
  readonly endpoint: HttpEndpoint;
  readonly views: LiveViews;
  readonly clock: HandClock;
  readonly log: string[];
  families: readonly Family[];
  isActive: boolean;
  /** Whether it assesses, though it may not be sure of it. */
  isAssessing: boolean;
  /** What a look costs at least. */
  costMs: number;
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

/** A page that shows `families` and `incidents`, and was looked at once. */
async function siteOf(families: readonly Family[] = [], incidents: readonly Incident[] = []): Promise<Site> {
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
  const clock = new HandClock(noon);
  const views = new LiveViews({
    version: '0.0.0',
    windows,
    standings: () => (site.isActive ? [] : undefined),
    isAssessing: () => site.isAssessing,
    kpis: () => {
      site.looks++;
      const before = process.threadCpuUsage();
      while (process.threadCpuUsage(before).user < site.costMs * 1000);
      return site.families;
    },
    incidents: () => incidents,
    rollbacks: () => ({ attempts: [], stopReason: undefined, fault: undefined }),
    objectiveOf: () => null,
    hasPolicies: () => true,
    flow: new FlowMeter(new Telemetry(), []),
    clock,
    log,
  });
  const here = { host: '127.0.0.1', port: 0, configPath: 'extensions::api::endpoint' };
  const endpoint = new HttpEndpoint('api', here, { '/live': liveResource(views) }, log);
  await endpoint.start();
  const { port } = endpoint;
  const site: Site = {
    port,
    endpoint,
    views,
    clock,
    log: lines,
    families,
    isActive: true,
    isAssessing: true,
    costMs: 0,
    looks: 0,
  };
  ends.push(
    () => views.stop(),
    () => endpoint.stop(AbortSignal.timeout(1000)),
  );
  await views.start();
  await until('the first look', () => views.trendBytes > 0);
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

/** So long after a look there is another one, and a point of the trends. */
const later = 10_000;

test('who asks gets a view, and a sentence where the question is wrong', async () => {
  const site = await siteOf(familiesOf(3));
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
  const site = await siteOf(familiesOf(3));
  const { views, runs } = await reader(site, '', { 'accept-encoding': coding });
  await until('the first view', () => runs() === 3);
  site.families = familiesOf(4);
  site.clock.advance(later);
  await until('the next view', () => runs() === 4);
  expect(views).toHaveLength(2);
});

test('all who follow the same share one look and one view', async () => {
  const site = await siteOf();
  const readers = await Promise.all(Array.from({ length: 50 }, () => reader(site)));
  await until('all first views', () => readers.every(({ views }) => views.length > 0));
  expect(site.looks).toBe(1);
  site.families = familiesOf(5);
  site.clock.advance(later);
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

test('readers that ask over one connection are counted as they are admitted', async () => {
  const site = await siteOf();
  const socket = connect(site.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume();
  socket.write('GET /live HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n'.repeat(60));
  await until('readers', () => site.views.readers > 0);
  expect((await ask(site, { headers: events })).statusCode).toBe(503);
  expect(site.views.readers).toBe(50);
  socket.destroy();
  await until('all to have gone', () => site.views.readers === 0);
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
  await until('views', () => zipped.views.length > 0 && plain.views.length > 0);
  const endings = [once(zipped.response, 'end'), once(plain.response, 'end')];
  const never = new AbortController();
  await site.endpoint.stop(never.signal);
  await Promise.all(endings);
  expect(site.views.readers).toBe(0);
  expect(site.log).toEqual([]);
});

/** More than a system buffers. */
const large: Incident = { ...incident, title: 'x'.repeat(32 * 1024 * 1024) };

test('stopping does not wait for a reader that takes nothing', { timeout: 9000 }, async () => {
  const site = await siteOf([], [large]);
  const socket = connect(site.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /live HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n');
  await new Promise((resolve) => void socket.once('data', () => resolve(socket.pause())));
  expect(site.views.readers).toBe(1);
  await site.endpoint.stop(new AbortController().signal);
  expect(site.views.readers).toBe(0);
  socket.destroy();
});

test('a process that stands by says so, and shows what there is when it takes over', async () => {
  const site = await siteOf();
  site.isActive = false;
  site.isAssessing = false;
  site.clock.advance(later);
  const { views, runs } = await reader(site);
  await until('a view', () => views[0]?.isActive === false);
  await until('the trends to be forgotten', () => site.views.trendBytes === 0);
  site.isActive = true;
  site.isAssessing = true;
  site.families = familiesOf(2);
  site.clock.advance(later);
  await until('the figures', () => runs() === 2);
  await until('a point of the trends', () => views.at(-1)?.trendTimesMs.length === 1);
});

test('a moment of doubt who assesses is a gap in the trends, and not their end', async () => {
  const site = await siteOf(familiesOf(2));
  const { views } = await reader(site);
  await until('a view', () => views.length > 0);
  site.isActive = false;
  site.clock.advance(later);
  await until('the doubt', () => views.at(-1)?.isActive === false);
  site.isActive = true;
  site.clock.advance(later);
  await until('figures again', () => views.at(-1)?.isActive === true);
  expect(views.at(-1)?.tiles[0]?.trend).toEqual([1, null, 1]);
});

test('a clock that is set back goes on with the trends', async () => {
  const site = await siteOf();
  const { views } = await reader(site);
  site.clock.advance(-3_600_000);
  await until('a point', () => views.at(-1)?.trendTimesMs[0] === noon - 3_600_000);
});

test('what a look finds is new for as long as its share of the time allows', async () => {
  const site = await siteOf();
  const choice = { window: '1h', place: null };
  site.costMs = 200;
  site.clock.advance(later);
  await site.views.view(choice);
  const { looks } = site;
  site.clock.advance(3900);
  await site.views.view(choice);
  expect(site.looks).toBe(looks);
  site.clock.advance(later - 3900);
  await site.views.view(choice);
  expect(site.looks).toBe(looks + 1);
});

test('a fault while looking is told to the log, and the next look shows what there is', async () => {
  const site = await siteOf();
  const { views, runs } = await reader(site);
  await until('a view', () => views.length > 0);
  Object.defineProperty(site, 'families', {
    configurable: true,
    get: () => {
      throw new Error('planted');
    },
  });
  site.clock.advance(later);
  await until('the log to say so', () => site.log.some((line) => line.includes('planted')));
  Object.defineProperty(site, 'families', { value: familiesOf(6) });
  site.clock.advance(later);
  await until('the next view', () => runs() === 6);
});
