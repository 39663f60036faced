import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { LiveView } from '../../src/page/live-view.ts';
import { encodeRequest } from '../otlp/oracle.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

const token = 'a-token-of-this-test';
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

async function started(over: object = {}): Promise<Program> {
  const place = new Place(stringify(over));
  ends.push(async () => place.remove());
  const program = await Program.start(place);
  ends.push(() => program.kill('SIGKILL'));
  return program;
}

const liveOf = (program: Program, query = ''): string => `${program.url('page, API')}/api/v1/live${query}`;
const events = { accept: 'text/event-stream' };

/** Follows the live view as the page does; what it said, and whether the stream ended. */
async function follow(program: Program, query = '') {
  const response = await fetch(liveOf(program, query), { headers: events });
  if (!response.body) throw new Error('there is no body');
  const followed = { status: response.status, views: [] as LiveView[], isOver: false };
  const read = async (body: ReadableStream<Uint8Array>): Promise<void> => {
    let said = '';
    for await (const text of body.pipeThrough(new TextDecoderStream())) {
      const whole = (said + text).split('\n\n');
      said = whole.pop() ?? '';
      for (const event of whole)
        if (event.startsWith('event: view\ndata: ')) followed.views.push(JSON.parse(event.slice(18)));
    }
  };
  void read(response.body)
    .catch(() => undefined)
    .finally(() => (followed.isOver = true));
  return followed;
}

/** Sends runs of the agent `refund` that end now. */
async function send(program: Program, release: string, outcomes: readonly ('ok' | 'error')[]): Promise<void> {
  const now = Date.now();
  const spans = outcomes.map((outcome) => ({
    traceId: randomBytes(16),
    spanId: randomBytes(8),
    name: 'invoke_agent refund',
    kind: 1,
    startTimeUnixNano: `${now - 50}000000`,
    endTimeUnixNano: `${now}000000`,
    attributes: [
      { key: 'gen_ai.operation.name', value: { stringValue: 'invoke_agent' } },
      { key: 'gen_ai.agent.name', value: { stringValue: 'refund' } },
    ],
    ...(outcome === 'error' && { status: { code: 2 } }),
  }));
  const resource = {
    attributes: [
      { key: 'service.version', value: { stringValue: release } },
      { key: 'deployment.environment.name', value: { stringValue: 'production' } },
    ],
  };
  const response = await fetch(`${program.url('OTLP HTTP')}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  });
  expect(response.status).toBe(200);
}

describe('the live page of a real pipeline', () => {
  test('shows runs within seconds, by agent and release, and what flowed', async () => {
    const program = await started();
    const all = await follow(program);
    const one = await follow(program, '?window=5m&agent=refund&environment=production');
    await until('the first views', () => all.views.length > 0 && one.views.length > 0);
    expect(all.views[0]).toMatchObject({
      isActive: true,
      hasPolicies: false,
      window: '1h',
      windows: ['5m', '1h', '24h'],
    });
    await send(program, '1.4.0', ['ok', 'ok', 'ok', 'error']);
    await send(program, '1.5.0', ['error']);
    const lines = await until('both releases', () => {
      const releases = one.views.at(-1)?.releases ?? [];
      return releases.length === 2 && releases;
    });
    expect(lines.map(({ release, runs, success }) => [release, runs, success])).toEqual([
      ['1.4.0', 4, 0.75],
      ['1.5.0', 1, 0],
    ]);
    const view = await until('all runs of all agents', () =>
      all.views.find(({ tiles }) => tiles[0]?.denominator === 5),
    );
    expect(view.tiles[0]).toMatchObject({ kpi: 'run_success', numerator: 3, value: 0.6 });
    expect(view.agents).toMatchObject([{ agent: 'refund', runs: 5, releases: 2 }]);
    const stored = await until('the flow to be told', () => {
      const totals = new Map(all.views.at(-1)?.flow.map(({ stage, total }) => [stage, total]));
      return totals.get('stored') === 5 && totals;
    });
    expect(Object.fromEntries(stored)).toEqual({
      received: 5,
      refused: 0,
      'on the stream': 5,
      stored: 5,
      'dead letters': 0,
      assessed: 5,
    });
  });

  test('is for browsers, and a list of URLs for others', async () => {
    const program = await started();
    const list = await fetch(`${program.url('page, API')}/`);
    expect(await list.text()).toContain(program.url('metrics'));
    const page = await fetch(`${program.url('page, API')}/`, { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('vary')).toBe('accept');
  });

  test('ends with the program, which does not wait for pages that are open, read or not', async () => {
    const program = await started({ service: { drain_timeout: '10m' } });
    const open = await Promise.all(Array.from({ length: 5 }, () => follow(program)));
    await until('views', () => open.every(({ views }) => views.length > 0));
    const { hostname, port } = new URL(program.url('page, API'));
    const idle = connect(Number(port), hostname).pause();
    idle.on('error', () => undefined);
    idle.write('GET /api/v1/live HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n');
    const { code, stderr } = await program.kill('SIGTERM');
    idle.destroy();
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/"level":[456]0/);
    await until('the streams to have ended', () => open.every(({ isOver }) => isOver));
  });

  test('is shown to no foreign page', async () => {
    const program = await started({ extensions: { api: { token } } });
    for (const headers of [{ origin: 'https://example.com' }, { 'sec-fetch-site': 'cross-site' }] as const) {
      const refused = await fetch(liveOf(program), { headers: { ...events, ...headers } });
      expect(refused.status).toBe(403);
      await refused.text();
    }
    const own = await fetch(liveOf(program), { headers: { 'sec-fetch-site': 'same-origin' } });
    expect(own.status).toBe(200);
  });

  test('where other machines reach it, is empty for who shows no token', async () => {
    const program = await started({ extensions: { api: { token, endpoint: '0.0.0.0:0' } } });
    expect((await fetch(liveOf(program), { headers: events })).status).toBe(401);
    const page = await fetch(`${program.url('page, API')}/`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
    expect((await fetch(`${program.url('page, API')}/`)).status).toBe(401);
    const shown = await fetch(liveOf(program), { headers: { authorization: `Bearer ${token}` } });
    expect(await shown.json()).toMatchObject({ isActive: true });
  });
});
