import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { trafficRequests, type TrafficRequest } from '../../src/rehearsal/traffic-requests.ts';
import { readTraffic, type Traffic } from '../../src/rehearsal/traffic.ts';
import { decodeRequest } from '../otlp/oracle.ts';
import { plainTraffic, startMs, trafficOf } from './traffics.ts';

function faultsOf(changes: object): readonly string[] {
  const read = readTraffic(stringify({ ...plainTraffic, ...changes }));
  return 'faults' in read ? read.faults : [];
}

const requestsOf = (traffic: Traffic, from = startMs): readonly TrafficRequest[] => [
  ...trafficRequests(traffic, from),
];

/** One span of a request, as protobufjs reads it. */
interface Sent {
  readonly release: string;
  readonly sentMs: number;
  readonly run: string;
  readonly id: string;
  readonly isRoot: boolean;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isFailed: boolean;
  readonly keys: readonly string[];
}

function spansOf(requests: readonly TrafficRequest[]): readonly Sent[] {
  return requests.flatMap(({ timeMs, release, payload }) =>
    (decodeRequest(payload).resourceSpans ?? []).flatMap(({ scopeSpans }) =>
      (scopeSpans ?? []).flatMap(({ spans }) =>
        (spans ?? []).map((span) => ({
          release,
          sentMs: timeMs,
          run: Buffer.from(span.traceId ?? []).toString('hex'),
          id: Buffer.from(span.spanId ?? []).toString('hex'),
          isRoot: span.parentSpanId === undefined,
          name: span.name ?? '',
          startMs: Number(span.startTimeUnixNano) / 1e6,
          endMs: Number(span.endTimeUnixNano) / 1e6,
          isFailed: span.status?.code === 2,
          keys: (span.attributes ?? []).map(({ key }) => key ?? ''),
        })),
      ),
    ),
  );
}

/** The spans of each run. */
function runsOf(spans: readonly Sent[]): readonly (readonly Sent[])[] {
  const runs = new Map<string, Sent[]>();
  for (const span of spans) runs.set(span.run, [...(runs.get(span.run) ?? []), span]);
  return [...runs.values()];
}

const known = ({ id, run, endMs }: Sent) => ({ id, run, endMs });
const share = (part: number, whole: number): number => part / whole;

const rootsOf = (spans: readonly Sent[]): readonly Sent[] => spans.filter(({ isRoot }) => isRoot);

const chance = fc.double({ min: 0, max: 1, noNaN: true });
const behaviours = fc.record({
  seconds: fc.integer({ min: 1, max: 90 }),
  tool_failure: chance,
  gives_up: chance,
  retry: chance,
  run_failure: chance,
  escalation: chance,
  hang: chance,
});
const descriptions = fc
  .record({
    minutes: fc.integer({ min: 1, max: 4 }),
    seed: fc.nat(),
    export_seconds: fc.constantFrom(1, 5, 17),
    releases: fc.array(behaviours, { minLength: 1, maxLength: 3 }),
    rate: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ releases, rate, ...rest }) =>
    trafficOf({
      ...rest,
      releases: releases.map((one, i) => ({ ...one, release: `1.${i}.0`, runs_per_minute: rate })),
    }),
  );

test('traffic is the same whenever it is made of the same description and time, and other with another seed', () => {
  const traffic = trafficOf({ releases: [{ release: 'a', runs_per_minute: 9, tool_failure: 0.5 }] });
  expect(requestsOf(traffic)).toEqual(requestsOf(traffic));
  const other = spansOf(requestsOf({ ...traffic, seed: 8 }));
  const ids = new Set(spansOf(requestsOf(traffic)).map(({ run }) => run));
  expect(other.filter(({ run }) => ids.has(run))).toEqual([]);
  const later = spansOf(requestsOf(traffic, startMs + 60_000));
  expect(later.filter(({ run }) => ids.has(run))).toEqual([]);
});

test('what one release does changes nothing of another', () => {
  const healthy = { release: '1.4.0', runs_per_minute: 30, tool_failure: 0.1, escalation: 0.1 };
  const alone = spansOf(requestsOf(trafficOf({ releases: [healthy] })));
  const beside = spansOf(
    requestsOf(trafficOf({ releases: [healthy, { release: '1.5.0', runs_per_minute: 7 }] })),
  );
  expect(beside.filter(({ release }) => release === '1.4.0').map(known)).toEqual(alone.map(known));
});

test('requests come in the order of their time, hold what has ended by then, and no span twice', () => {
  fc.assert(
    fc.property(descriptions, (traffic) => {
      const requests = requestsOf(traffic);
      const times = requests.map(({ timeMs }) => timeMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const spans = spansOf(requests);
      expect(spans.filter(({ sentMs, endMs }) => endMs > sentMs)).toEqual([]);
      const lateMs = 1000 * traffic.export_seconds;
      expect(spans.filter(({ sentMs, endMs }) => endMs < sentMs - lateMs - 1)).toEqual([]);
      expect(new Set(spans.map(({ run, id }) => run + id)).size).toBe(spans.length);
      expect(requests.map((one) => one.spans)).toEqual(requests.map((one) => spansOf([one]).length));
    }),
    { numRuns: 20 },
  );
});

test('every run is one agent span around its calls, which is sent last, or never when the run hangs', () => {
  fc.assert(
    fc.property(descriptions, (traffic) => {
      const hangs = new Map(traffic.releases.map(({ release, hang }) => [release, hang]));
      for (const run of runsOf(spansOf(requestsOf(traffic)))) {
        const [root] = rootsOf(run);
        const hang = hangs.get(run[0]!.release)!;
        if (!root) expect(hang).toBeGreaterThan(0);
        else {
          expect(run.at(-1)).toBe(root);
          expect(root.startMs).toBe(Math.min(...run.map((span) => span.startMs)));
          expect(root.endMs).toBe(Math.max(...run.map((span) => span.endMs)));
          expect(rootsOf(run)).toEqual([root]);
        }
      }
    }),
    { numRuns: 20 },
  );
});

test('a run that takes longer than an export is open for its duration: its first calls arrive before its end', () => {
  const runs = runsOf(
    spansOf(requestsOf(trafficOf({ releases: [{ release: 'a', runs_per_minute: 20, seconds: 60 }] }))),
  );
  const waits = runs.map((run) => run.at(-1)!.sentMs - run[0]!.sentMs);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(10_000);
});

test('chances are those of the description', () => {
  const traffic = trafficOf({
    minutes: 60,
    releases: [
      { release: 'tools', runs_per_minute: 40, tool_failure: 0.3, gives_up: 0 },
      { release: 'runs', runs_per_minute: 40, run_failure: 0.2 },
      { release: 'human', runs_per_minute: 40, escalation: 0.1 },
      { release: 'hangs', runs_per_minute: 40, hang: 0.25 },
    ],
  });
  const spans = spansOf(requestsOf(traffic));
  const of = (release: string): readonly Sent[] => spans.filter((span) => span.release === release);
  const calls = of('tools').filter(({ name }) => name.startsWith('execute_tool'));
  expect(share(calls.filter(({ isFailed }) => isFailed).length, calls.length)).toBeCloseTo(0.3, 1.3);
  expect(rootsOf(of('tools')).filter(({ isFailed }) => isFailed)).toEqual([]);
  const failures = rootsOf(of('runs')).filter(({ isFailed }) => isFailed).length;
  expect(Math.abs(share(failures, rootsOf(of('runs')).length) - 0.2)).toBeLessThan(0.03);
  const asked = of('human').filter(({ keys }) => keys.includes('plimsoll.escalation.reason')).length;
  expect(Math.abs(share(asked, rootsOf(of('human')).length) - 0.1)).toBeLessThan(0.03);
  const begun = runsOf(of('hangs')).length;
  expect(Math.abs(share(begun - rootsOf(of('hangs')).length, begun) - 0.25)).toBeLessThan(0.03);
  expect(Math.abs(begun / 2400 - 1)).toBeLessThan(0.08);
});

test('a release begins, changes and ends when it is said, and an outage is of all of them', () => {
  const traffic = trafficOf({
    minutes: 60,
    releases: [
      { release: 'old', runs_per_minute: 60, seconds: 1, until: 40 },
      {
        release: 'new',
        runs_per_minute: 60,
        seconds: 1,
        from: 10,
        after: [
          { minute: 30, run_failure: 1 },
          { minute: 35, run_failure: 0, runs_per_minute: 6 },
        ],
      },
    ],
    outage: { from: 20, until: 25, tool_failure: 1, gives_up: 1 },
  });
  const roots = rootsOf(spansOf(requestsOf(traffic)));
  const failed = (release: string, from: number, until: number): readonly boolean[] =>
    roots
      .filter((root) => root.release === release)
      .filter((root) => root.startMs >= startMs + from * 60_000 && root.startMs < startMs + until * 60_000)
      .map(({ isFailed }) => isFailed);
  expect(failed('new', 0, 10)).toEqual([]);
  expect(failed('old', 40, 61)).toEqual([]);
  expect(new Set(failed('old', 0, 20))).toEqual(new Set([false]));
  expect(new Set(failed('old', 20, 25))).toEqual(new Set([true]));
  expect(new Set(failed('new', 20, 25))).toEqual(new Set([true]));
  expect(new Set(failed('new', 25, 30))).toEqual(new Set([false]));
  expect(new Set(failed('new', 30, 35))).toEqual(new Set([true]));
  expect(new Set(failed('new', 35, 60))).toEqual(new Set([false]));
  expect(failed('new', 35, 60).length).toBeLessThan(failed('new', 30, 35).length);
});

test('runs of a session follow each other', () => {
  const traffic = trafficOf({ runs_per_session: 3, releases: [{ release: 'a', runs_per_minute: 30 }] });
  const sessions = requestsOf(traffic).flatMap(({ payload }) =>
    (decodeRequest(payload).resourceSpans ?? []).flatMap(({ scopeSpans }) =>
      (scopeSpans ?? []).flatMap(({ spans }) =>
        (spans ?? []).flatMap(({ attributes }) =>
          (attributes ?? [])
            .filter(({ key }) => key === 'session.id')
            .map(({ value }) => value?.stringValue ?? ''),
        ),
      ),
    ),
  );
  const counts = Map.groupBy(sessions, (session) => session)
    .values()
    .map(({ length }) => length)
    .toArray();
  expect(counts.filter((count) => count !== 3).length).toBeLessThanOrEqual(1);
  expect(counts.length).toBeGreaterThan(100);
});

test.each([
  [{ minutes: undefined }, 'minutes: is missing: set it'],
  [
    { sped: 1 },
    'the traffic: unknown key sped: remove it or correct its spelling; known are agent, environment',
  ],
  [{ releases: [] }, 'releases: must list 1 or more'],
  [
    { releases: [{ release: 'a', runs_per_minute: 1, tool_failure: 5 }] },
    'releases::0::tool_failure: must be a chance from 0 to 1',
  ],
  [
    { releases: [{ release: 'a', runs_per_minute: 1, tool_failure: '5 %' }] },
    'releases::0::tool_failure: must be a chance from 0 to 1',
  ],
  [
    { releases: [{ release: 'a', runs_per_minute: 1, from: 5, until: 5 }] },
    'releases::0::until: must be after 5, when the release begins',
  ],
  [
    {
      releases: [
        { release: 'a', runs_per_minute: 1 },
        { release: 'a', runs_per_minute: 2 },
      ],
    },
    'releases::1::release: a stands here twice: join the two',
  ],
  [
    { releases: [{ release: 'a', runs_per_minute: 1, after: [{ minute: 5 }, { minute: 4 }] }] },
    'releases::0::after: must be in order of its minutes: sort it',
  ],
  [{ outage: { from: 9, until: 3 } }, 'outage::until: must be after 9, when it begins'],
])('%j is one sentence', (changes, sentence) => {
  const [fault, ...others] = faultsOf(changes);
  expect(others).toEqual([]);
  expect(fault).toContain(sentence);
});

test('a file that is no YAML is named by its place', () => {
  expect(readTraffic('agent: [')).toEqual({ faults: [expect.stringMatching(/^1:9: not valid YAML: /)] });
});
