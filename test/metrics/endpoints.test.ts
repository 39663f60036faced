import { createServer, request } from 'node:http';
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import type { Component } from '../../src/core/component.ts';
import { createLog } from '../../src/core/log.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { Health, type Probe } from '../../src/metrics/health.ts';
import { call, kpisOf, published, run } from '../kpi/events.ts';

const log = createLog('silent');
const noon = Date.UTC(2026, 10, 23, 12);
const here = { host: '127.0.0.1', port: 0, configPath: 'service::telemetry::metrics::endpoint' };
const started: Component[] = [];

async function start<T extends Component>(component: T): Promise<T> {
  await component.start();
  started.push(component);
  return component;
}

afterEach(async () => {
  for (const component of started.splice(0)) await component.stop(AbortSignal.timeout(1000));
});

/** Status, headers and raw body, without the client's own decompression. */
async function ask(port: number, path: string, method = 'GET', headers = {}) {
  const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end();
  const [response] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

async function servedKpis(): Promise<Exposition> {
  const kpis = kpisOf();
  kpis.finished(run(noon));
  kpis.toolCall(call(noon));
  kpis.watermark.advance(0, noon, noon, noon);
  return start(new Exposition(here, { telemetry: new Telemetry(), kpis: () => published(kpis, noon), log }));
}

function planted(): never {
  throw new Error('planted');
}

describe('GET /metrics', () => {
  test('shows the KPIs, the pipeline’s own metrics and this process’s', async () => {
    const { port } = await servedKpis();
    const { status, headers, body } = await ask(port, '/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = body.toString();
    expect(text).toMatch(/^plimsoll_kpi_run_success_ratio\{agent="refund",.*window="5m"\} 1$/m);
    expect(text).toMatch(/^# TYPE plimsoll_assess_spans_total counter$/m);
    expect(text).toMatch(/^plimsoll_process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^plimsoll_process_event_loop_lag_seconds\{stat="p99"\} [\d.e-]+$/m);
  });

  test('is compressed for who asks for it, and only then', async () => {
    const { port } = await servedKpis();
    const zipped = await ask(port, '/metrics', 'GET', { 'accept-encoding': 'br;q=1, gzip;q=0.8' });
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(zipped.body).toString()).toContain('plimsoll_kpi_active 1');
    for (const codings of ['gzip;q=0', 'identity', '*;q=0']) {
      const plain = await ask(port, '/metrics', 'GET', { 'accept-encoding': codings });
      expect(plain.headers['content-encoding']).toBeUndefined();
    }
  });

  test('answers other paths and methods with what would work', async () => {
    const { port } = await servedKpis();
    expect(await ask(port, '/')).toMatchObject({ status: 404 });
    const posted = await ask(port, '/metrics?x=1', 'POST');
    expect(posted).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(posted.body.toString()).toBe('only GET /metrics is served here\n');
    const head = await ask(port, '/metrics', 'HEAD');
    expect(head.status).toBe(200);
    expect(head.body).toHaveLength(0);
  });

  test('is an error, not an empty page, when the KPIs cannot be computed', async () => {
    const { port } = await start(new Exposition(here, { telemetry: new Telemetry(), kpis: planted, log }));
    expect(await ask(port, '/metrics')).toMatchObject({ status: 500 });
  });
});

test('a port in use is one sentence that names the address, the config key and the fix', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const exposition = new Exposition({ ...here, port }, { telemetry: new Telemetry(), kpis: () => [], log });
  await expect(exposition.start()).rejects.toThrow(
    `service::telemetry::metrics::endpoint: 127.0.0.1:${port} is already in use: stop the other program or choose another port`,
  );
  await exposition.stop(AbortSignal.timeout(1000));
  other.close();
});

async function answer(port: number) {
  const { status, body } = await ask(port, '/');
  return { status, said: JSON.parse(body.toString()) };
}

describe('GET / for health', () => {
  const state = { flowing: true, reason: '' };
  let nowMs = noon;
  const probes: readonly Probe[] = [
    { name: 'stream', check: () => state },
    { name: 'store', check: () => ({ flowing: true, reason: '' }) },
  ];

  async function health(): Promise<Health> {
    return start(
      new Health({ ...here, configPath: 'extensions::health_check::endpoint' }, probes, {
        clock: { nowMs: () => nowMs },
        log,
      }),
    );
  }

  test('is 503 until everything has started, and again once the process stops', async () => {
    const one = await health();
    expect(await answer(one.port)).toMatchObject({ status: 503, said: { status: 'starting' } });
    one.started();
    expect(await answer(one.port)).toMatchObject({ status: 200, said: { status: 'ready' } });
    one.stopping();
    expect(await answer(one.port)).toMatchObject({ status: 503, said: { status: 'stopping' } });
  });

  test('names what does not flow, since when and why', async () => {
    const one = await health();
    one.started();
    await answer(one.port);
    state.flowing = false;
    state.reason = 'ClickHouse does not answer';
    nowMs = noon + 1000;
    await answer(one.port);
    nowMs = noon + 9000;
    const { status, said } = await answer(one.port);
    expect(status).toBe(503);
    expect(said).toEqual({
      status: 'stalled',
      components: [
        {
          component: 'stream',
          state: 'stalled',
          since: '2026-11-23T12:00:01.000Z',
          reason: 'ClickHouse does not answer',
        },
        { component: 'store', state: 'flowing', since: '2026-11-23T12:00:00.000Z', reason: '' },
      ],
    });
  });

  test('tells the log what goes on not flowing, once, and that it flows again', async () => {
    const lines: unknown[] = [];
    const told = pino(
      { base: null, timestamp: false },
      { write: (line: string) => lines.push(JSON.parse(line)) },
    );
    const one = await start(new Health(here, probes, { clock: { nowMs: () => nowMs }, log: told }));
    one.started();
    state.flowing = true;
    const observe = (afterMs: number): void => {
      nowMs += afterMs;
      one.observe();
    };
    observe(0);
    state.flowing = false;
    state.reason = 'Kafka does not answer';
    for (const afterMs of [0, 9000]) observe(afterMs);
    expect(lines).toEqual([]); // a moment is nothing to speak of
    for (const afterMs of [1000, 60_000, 60_000]) observe(afterMs);
    state.flowing = true;
    for (const afterMs of [1000, 1000]) observe(afterMs);
    expect(lines).toEqual([
      { level: 40, component: 'stream', reason: 'Kafka does not answer', msg: 'does not flow' },
      { level: 30, component: 'stream', msg: 'flows again' },
    ]);
  });

  test('stops before it was started, and twice', async () => {
    const one = new Health(here, probes, { clock: { nowMs: () => nowMs }, log });
    await one.stop(AbortSignal.timeout(1000));
    await one.start();
    await one.stop(AbortSignal.timeout(1000));
    await one.stop(AbortSignal.timeout(1000));
  });
});
