import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { ApiPort, apiPortFault, type ApiOptions } from '../../src/api/api-port.ts';
import { Callers } from '../../src/core/callers.ts';
import { Secret } from '../../src/core/secret.ts';
import type { BookSettings, IncidentBook } from '../../src/incidents/incident-book.ts';
import { labelValue } from '../../src/semconv/label-value.ts';
import { bookOf, judgeAll, minuteMs, reading } from '../incidents/books.ts';
import { until } from '../until.ts';

const noon = Date.UTC(2026, 10, 26, 12);
const token = 'a-token-of-this-test';

interface Api {
  readonly port: number;
  readonly book: IncidentBook;
  readonly log: string[];
  isKept: boolean;
  committed: () => Promise<void>;
}

const callersOf = (...tokens: string[]): Callers =>
  new Callers(tokens.map((each) => ({ name: 'token', token: new Secret(each) })));

const started: ApiPort[] = [];

async function apiOf(
  over: Partial<Pick<ApiOptions, 'callers' | 'host' | 'files'>> = {},
  limits: Partial<BookSettings> = {},
): Promise<Api> {
  const { book } = bookOf(limits);
  const log: string[] = [];
  const api = { port: 0, book, log, isKept: true, committed: async () => {} };
  const port = new ApiPort({
    id: 'api',
    host: '127.0.0.1',
    port: 0,
    configPath: 'extensions::api::endpoint',
    callers: callersOf(token),
    resources: {},
    incidents: { book, isKept: () => api.isKept, committed: () => api.committed() },
    urls: () => [
      { what: 'OTLP gRPC', url: 'http://127.0.0.1:4317' },
      { what: 'API', url: 'http://127.0.0.1:8080' },
    ],
    clock: { nowMs: () => noon },
    log: pino({ level: 'warn' }, { write: (line: string) => void log.push(line) }),
    ...over,
  });
  await port.start();
  started.push(port);
  api.port = port.port;
  return api;
}

afterEach(async () => {
  for (const port of started.splice(0)) await port.stop(AbortSignal.timeout(1000));
});

const bearer = { authorization: `Bearer ${token}` };

interface Asked {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

async function ask({ port }: Api, path: string, init: RequestInit = {}): Promise<Asked> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  const body: Record<string, unknown> = JSON.parse(await response.text());
  return { status: response.status, body, headers: response.headers };
}

const post = (api: Api, body: unknown, headers: Record<string, string> = bearer): Promise<Asked> =>
  ask(api, '/api/v1/incidents', {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const report = {
  key: 'double-refund',
  agent: 'refund-agent',
  release: '1.4.0',
  environment: 'production',
  severity: 'sev1',
  owner: 'team-payments',
  title: 'A refund was paid twice',
  started: '2026-11-26T12:30:00+01:00',
};

describe('a report', () => {
  test('opens an incident, which is answered and listed', async () => {
    const api = await apiOf();
    const { status, body } = await post(api, report);
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[\w-]{20,}$/),
      key: 'double-refund',
      state: 'open',
      severity: 'sev1',
      title: 'A refund was paid twice',
      summary: '',
      owner: 'team-payments',
      agent: 'refund-agent',
      release: '1.4.0',
      environment: 'production',
      source: 'api',
      policy: '',
      policy_revision: '',
      kpi: '',
      started: '2026-11-26T11:30:00.000Z',
      detected: '2026-11-26T12:00:00.000Z',
      acknowledged: null,
      mitigated: null,
      resolved: null,
      resolution: null,
      repeats: 0,
    });
    expect((await ask(api, '/api/v1/incidents')).body).toEqual({ incidents: [body] });
  });

  test('that comes again is the same incident', async () => {
    const api = await apiOf();
    const first = await post(api, report);
    expect(await post(api, report)).toMatchObject({
      status: 200,
      body: { id: first.body['id'], repeats: 1 },
    });
  });

  test('needs no more than key, agent, severity and title', async () => {
    const { key, agent, severity, title } = report;
    expect(await post(await apiOf(), { key, agent, severity, title })).toMatchObject({
      status: 201,
      body: { release: 'unknown', environment: 'unknown', owner: '', started: '2026-11-26T12:00:00.000Z' },
    });
  });

  test('names agent, release and environment as the labels of their KPIs do', async () => {
    const long = 'x'.repeat(150);
    const told = {
      ...report,
      agent: 'overflow',
      release: `1.4\u202E${long}`,
      environment: 'prod\u2028uction',
    };
    const { body } = await post(await apiOf(), told);
    const [agent, release, environment] = [told.agent, told.release, told.environment].map(labelValue);
    expect(body).toMatchObject({ agent, release, environment });
    expect(body).toMatchObject({ agent: 'overflow (sent)', environment: 'prod uction' });
    expect(release).toHaveLength(128);
  });

  test('with the key of an incident of another release is refused', async () => {
    const api = await apiOf();
    await post(api, report);
    const { status, body } = await post(api, { ...report, release: '1.5.0' });
    expect(status).toBe(409);
    expect(body['errors']).toEqual([
      expect.stringMatching(
        /^the key is that of the incident [\w-]{20,}, of refund-agent 1\.4\.0 in production: use another one$/,
      ),
    ]);
  });

  test('beyond as many as may be reported is refused for now, also where policies have room', async () => {
    const api = await apiOf({}, { openLimit: 4, reportLimit: 3 });
    for (const key of ['a', 'b', 'c']) await post(api, { ...report, key });
    const { status, body, headers } = await post(api, { ...report, key: 'd' });
    expect([status, headers.get('retry-after')]).toEqual([503, '5']);
    expect(body['errors']).toEqual([
      '3 reported incidents are open, which is all that there may be: resolve some',
    ]);
  });
});

describe('a change', () => {
  test('by key or id takes an incident on, and a repeated one changes nothing', async () => {
    const api = await apiOf();
    const { body } = await post(api, report);
    const { id, key } = body;
    for (const [of, state] of [
      [{ key }, 'acknowledged'],
      [{ id }, 'acknowledged'],
      [{ id }, 'mitigated'],
      [{ key }, 'resolved'],
      [{ key }, 'resolved'],
    ] as const)
      expect(await post(api, { ...of, state })).toMatchObject({ status: 200, body: { id, state } });
    expect((await ask(api, '/api/v1/incidents')).body).toEqual({ incidents: [] });
    const { body: all } = await ask(api, '/api/v1/incidents?state=all');
    expect(all).toMatchObject({
      incidents: [{ id, resolution: 'api', resolved: '2026-11-26T12:00:00.000Z' }],
    });
    const late = await post(api, { id, state: 'acknowledged' });
    expect(late).toMatchObject({ status: 409 });
    expect(late.body['errors']).toEqual([`the incident ${String(id)} is resolved: open it again`]);
    expect(await post(api, report)).toMatchObject({
      status: 200,
      body: { id, state: 'acknowledged', repeats: 1 },
    });
  });

  test('of an incident that a policy opened is one, too', async () => {
    const api = await apiOf();
    api.book.observe([reading({ holdMs: 0 })], noon - minuteMs, judgeAll);
    const key = 'policy/refund-agent/cost_usd_per_run/refund-agent/1.4.0/production';
    expect(await post(api, { key, state: 'acknowledged' })).toMatchObject({
      status: 200,
      body: { state: 'acknowledged', policy: 'refund-agent', policy_revision: '0123456789ab' },
    });
  });

  test('of what nobody knows is refused', async () => {
    expect(await post(await apiOf(), { id: 'x', state: 'resolved' })).toMatchObject({
      status: 404,
      body: {
        errors: ['there is no such incident: it was never opened, or was resolved more than a day ago'],
      },
    });
  });
});

describe('what is no request is refused with what is wrong', () => {
  test.each([
    ['nothing', '', 'the body must be a JSON object: /api/v1/incidents/schema says which'],
    ['no JSON', '{"key": ', 'the body must be a JSON object: /api/v1/incidents/schema says which'],
    ['a list', '[]', 'the body must be a JSON object: /api/v1/incidents/schema says which'],
    [
      'an unknown state',
      { state: 'closed' },
      'state: must be one of open, acknowledged, mitigated, resolved',
    ],
    ['no agent', { ...report, agent: undefined }, 'agent: is missing: set it'],
    ['another severity', { ...report, severity: 'P1' }, 'severity: must be one of sev1, sev2, sev3, sev4'],
    [
      'an unknown key',
      { ...report, tilte: 'x' },
      'the body: unknown key tilte: remove it or correct its spelling',
    ],
    ['an empty title', { ...report, title: '' }, 'title: is empty: write what happened, in a few words'],
    ['a long title', { ...report, title: 'x'.repeat(201) }, 'title: must have 200 characters or less'],
    ['a title of two lines', { ...report, title: 'a\nb' }, 'title: must be one line of text'],
    ['half a character', '{"key":"\\ud800"}', 'key: must be one line of text'],
    ['a number for text', { ...report, agent: 7 }, 'agent: must be text'],
    [
      'a time of a clock that was not set',
      { ...report, started: '1970-01-01T00:00:00Z' },
      'started: is before 2000: write when it began, or leave it out',
    ],
    ['no time', { ...report, started: 'today' }, 'started: must be a time such as 2026-11-26T12:00:00Z'],
    [
      "the key of a policy's incident",
      { ...report, key: 'policy/x' },
      'key: must not begin with policy/: such keys are those of policies',
    ],
    ['a change of nothing', { state: 'resolved' }, 'the body: must have either id or key'],
    ['a change of two', { state: 'resolved', id: 'a', key: 'b' }, 'the body: must have either id or key'],
  ])('%s', async (_, body, sentence) => {
    const api = await apiOf();
    const { status, body: said } = await post(api, body);
    expect(status).toBe(400);
    expect(said['errors']).toContain(sentence);
    const keys = [said['errors']].flat().map((error) => String(error).split(':')[0]);
    expect(keys).toEqual([...new Set(keys)]); // one sentence on each
    expect([...api.book.incidents]).toEqual([]);
  });

  test('a state to list that is none', async () => {
    const api = await apiOf();
    for (const states of ['state=open', 'state=', 'state=all&state=resolved'])
      expect(await ask(api, `/api/v1/incidents?${states}`)).toMatchObject({
        status: 400,
        body: { errors: ['state: must be all, or be left out for the incidents that are open'] },
      });
  });

  test('a body that is too large, and the connection is closed', async () => {
    const api = await apiOf();
    const { status, body, headers } = await post(api, { ...report, summary: 'x'.repeat(1 << 16) });
    expect([status, headers.get('connection')]).toEqual([413, 'close']);
    expect(body['errors']).toEqual(['the body is larger than 65536 bytes: send less']);
  });

  test('a method that is none', async () => {
    const { port } = await apiOf();
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/incidents`, { method: 'DELETE' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
    expect(await response.text()).toBe('only GET and POST /api/v1/incidents are served here\n');
  });
});

describe('the token', () => {
  test.each([
    ['is not shown', {}, 'no token: send the header "authorization: Bearer <token>"'],
    [
      'is another',
      { authorization: 'Bearer b' },
      'an unknown token: send the header "authorization: Bearer <token>"',
    ],
    [
      'is no bearer',
      { authorization: `Basic ${token}` },
      'an unknown token: send the header "authorization: Bearer <token>"',
    ],
  ])('refuses writing when it %s', async (_, headers, sentence) => {
    const api = await apiOf();
    const { status, body, headers: said } = await post(api, report, headers);
    expect([status, said.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(body['errors']).toEqual([sentence]);
    expect([...api.book.incidents]).toEqual([]);
  });

  test('that nobody configured lets nobody write, and that says how', async () => {
    const api = await apiOf({ callers: callersOf() });
    const { status, body } = await post(api, report);
    expect(status).toBe(403);
    expect(body['errors']).toEqual([
      'nobody may write, because no token is configured: set extensions::api::token, in config/plimsoll.yaml by the environment variable PLIMSOLL_API_TOKEN',
    ]);
    expect((await ask(api, '/api/v1/incidents')).status).toBe(200);
  });

  test('is needed to read where others than this machine can', async () => {
    const api = await apiOf({ host: '0.0.0.0' });
    expect((await ask(api, '/api/v1/incidents')).status).toBe(401);
    expect((await ask(api, '/')).status).toBe(401);
    expect((await ask(api, '/api/v1/incidents', { headers: bearer })).status).toBe(200);
  });

  test('is asked for again where another one is shown, also to read', async () => {
    for (const [callers, sentence] of [
      [callersOf(token), 'an unknown token: send the header "authorization: Bearer <token>"'],
      [callersOf(), 'an unknown token: none is configured, so leave it out'],
    ] as const) {
      const api = await apiOf({ callers });
      const { status, body, headers } = await ask(api, '/api/v1/incidents', {
        headers: { authorization: 'Bearer b' },
      });
      expect([status, headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
      expect(body['errors']).toEqual([sentence]);
      expect((await ask(api, '/api/v1/incidents')).status).toBe(200);
    }
  });

  test('must be there to bind beyond this machine', async () => {
    const sentence =
      '0.0.0.0 can be reached from other machines and everybody there could read every incident: set a token, or bind 127.0.0.1';
    expect(apiPortFault({ host: '0.0.0.0', callers: callersOf() })).toBe(sentence);
    expect(apiPortFault({ host: '0.0.0.0', callers: callersOf('x') })).toBeUndefined();
    await expect(apiOf({ host: '0.0.0.0', callers: callersOf() })).rejects.toThrow(sentence);
  });
});

test('a web page of another origin can read nothing', async () => {
  const { port } = await apiOf();
  for (const headers of ['Host: evil.example', `Host: localhost:${port}\r\nOrigin: http://evil.example`]) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`GET /api/v1/incidents HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);
    expect(await text(socket)).toContain('403 Forbidden');
  }
});

test('a web page of another origin writes nothing with the password that a browser adds by itself', async () => {
  const api = await apiOf({ host: '0.0.0.0' });
  const own = `127.0.0.1:${api.port}`;
  const basic = `Basic ${Buffer.from(`ana:${token}`).toString('base64')}`;
  const foreign = ['Origin: http://evil.example', 'Origin: null', 'Sec-Fetch-Site: cross-site'];
  for (const [authorization, origin, status] of [
    ...foreign.map((each) => [basic, each, '403 Forbidden'] as const),
    [basic, `Origin: http://${own}`, '201 Created'],
    [basic, 'Sec-Fetch-Site: same-origin', '200 OK'],
    ...foreign.map((each) => [bearer.authorization, each, '200 OK'] as const),
  ] as const) {
    const said = JSON.stringify(report);
    const socket = connect(api.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST /api/v1/incidents HTTP/1.1\r\nHost: ${own}\r\nAuthorization: ${authorization}\r\n${origin}\r\nContent-Length: ${said.length}\r\nConnection: close\r\n\r\n${said}`,
    );
    expect([authorization, origin, (await text(socket)).split('\r\n')[0]]).toEqual([
      authorization,
      origin,
      `HTTP/1.1 ${status}`,
    ]);
  }
});

test('the files of the page are read when it starts, and no sooner', async () => {
  let reads = 0;
  const files = () => {
    reads++;
    return {
      '/page/a.js': { GET: async () => ({ status: 200, contentType: 'text/javascript', body: '"a"' }) },
    };
  };
  const parts = { id: 'api', host: '127.0.0.1', port: 0, configPath: 'extensions::api::endpoint' };
  const incidents = { book: bookOf({}).book, isKept: () => true, committed: async () => {} };
  const log = pino({ level: 'silent' });
  const clock = { nowMs: () => noon };
  const wired = new ApiPort({
    ...parts,
    callers: callersOf(),
    resources: {},
    incidents,
    urls: () => [],
    clock,
    log,
    files,
  });
  await wired.stop(AbortSignal.timeout(1000));
  expect(reads).toBe(0);
  const { port } = await apiOf({ files });
  expect(reads).toBe(1);
  expect(await (await fetch(`http://127.0.0.1:${port}/page/a.js`)).text()).toBe('"a"');
});

describe('a write', () => {
  test('is answered only when it survives the process', async () => {
    const api = await apiOf();
    const { promise, resolve } = Promise.withResolvers<void>();
    api.committed = () => promise;
    let isAnswered = false;
    const answer = post(api, report).then((asked) => {
      isAnswered = true;
      return asked;
    });
    await until('the incident to be open', () => [...api.book.incidents].length > 0);
    expect((await ask(api, '/api/v1/incidents')).status).toBe(200);
    expect(isAnswered).toBe(false);
    resolve();
    expect((await answer).status).toBe(201);
  });

  test('that may not survive says so, and can be repeated', async () => {
    const api = await apiOf();
    api.committed = () => Promise.reject(new Error('another member assesses now'));
    const { status, body } = await post(api, report);
    expect(status).toBe(503);
    expect(body['errors']).toEqual([
      'nobody knows whether this was kept: send it again, to where it is kept now',
    ]);
    expect(api.log.join('')).toContain('another member assesses now');
    api.committed = async () => {};
    expect((await post(api, report)).status).toBe(200);
  });

  test('to a process that stands by is refused, and so is reading there', async () => {
    const api = await apiOf();
    api.isKept = false;
    for (const asked of [await post(api, report), await ask(api, '/api/v1/incidents')]) {
      expect(asked.status).toBe(503);
      expect(asked.body['errors']).toEqual(['this process stands by: ask the one that assesses']);
    }
    expect([...api.book.incidents]).toEqual([]);
  });

  test('whose sender hangs up leaves no trace', async () => {
    const api = await apiOf();
    const socket = connect(api.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST /api/v1/incidents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000\r\n\r\n{`,
    );
    await ask(api, '/api/v1/incidents');
    socket.destroy();
    await ask(api, '/api/v1/incidents');
    await started.splice(0)[0]?.stop(AbortSignal.timeout(5000));
    expect(api.log).toEqual([]);
    expect([...api.book.incidents]).toEqual([]);
  });
});

test('GET / lists what the process serves', async () => {
  const { port } = await apiOf();
  const response = await fetch(`http://127.0.0.1:${port}/`);
  expect(await response.text()).toBe('OTLP gRPC  http://127.0.0.1:4317\nAPI        http://127.0.0.1:8080\n');
});

test('the JSON Schema of what is posted is served', async () => {
  const { body } = await ask(await apiOf(), '/api/v1/incidents/schema');
  expect(body).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    anyOf: [{ required: ['key', 'agent', 'severity', 'title'] }, { required: ['state'] }],
  });
});

test.each([
  ['the token as the password of any user', `anybody:${token}`, 201],
  ['a password with a colon', `anybody:a:${token}`, 401],
  ['a wrong password', 'anybody:wrong', 401],
  ['the token as the user', `${token}:`, 401],
  ['no password', token, 401],
])(
  'who only knows a URL, which becomes Basic credentials, and shows %s is answered with %i',
  async (_, pair, status) => {
    const authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    const brief = { key: 'k', agent: 'a', severity: 'sev3', title: 't' };
    expect((await post(await apiOf(), brief, { authorization })).status).toBe(status);
  },
);
