import { randomBytes } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { existsSync, readFileSync } from 'node:fs';
import { GrpcLoad } from '../../bench/grpc-load.ts';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { ClickHouseServer } from '../clickhouse/server.ts';
import { CounterWatch } from '../counter-watch.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { freshRequest, spansPerRequest } from './fresh-request.ts';
import { Place, plimsoll, Program } from './program.ts';
import { leavesQuery, RunLedger, runsQuery, type StoredRun } from './run-ledger.ts';

/** The one of `assessors` that exports the KPIs, if one does. */
async function activeOf(assessors: readonly Program[]): Promise<{ readonly index: number } | undefined> {
  for (const [index, assess] of assessors.entries())
    if (/^plimsoll_kpi_active 1$/m.test(await assess.metrics())) return { index };
  return undefined;
}

describe.skipIf(kafkaMissing)('the roles as processes around Apache Kafka', () => {
  const brokers = testCluster(1);
  const places: Place[] = [];
  const running = new Set<Program>();
  afterAll(async () => {
    await Promise.all([...running].map(async (program) => program.kill('SIGKILL')));
    for (const place of places) place.remove();
  });

  const placeOptions = (topic: string) => ({
    brokers: brokers(),
    topic,
    dead_letter_topic: `${topic}-dlq`,
    runs_topic: `${topic}-runs`,
    state_topic: `${topic}-state`,
    rollback_topic: `${topic}-rollbacks`,
    replication: 1,
    partitions: 3,
    session_timeout: '6s',
    groups: { store: `${topic}-store`, assess: `${topic}-assess`, runs: `${topic}-runs` },
  });

  function placeOf(config: string, topic: string, over: object = {}): Place {
    const kafka = placeOptions(topic);
    const place = new Place(JSON.stringify({ connectors: { kafka }, ...over }), config);
    places.push(place);
    return place;
  }

  async function start(place: Place): Promise<Program> {
    const program = await Program.start(place);
    running.add(program);
    return program;
  }

  async function kill(program: Program, signal: NodeJS.Signals) {
    running.delete(program);
    return program.kill(signal);
  }

  test('every acknowledged span has one row and is assessed, though store and ingest are killed', async () => {
    const topic = `e2e-${randomBytes(4).toString('hex')}`;
    const clickhouse = { url: '', username: '', password: '', database: '' }; // embedded, whatever the environment names
    const sql = { exporters: { clickhouse }, service: { extensions: ['health_check', 'sql'] } };
    const [ingestPlace, storePlace] = [placeOf('ingest.yaml', topic), placeOf('store.yaml', topic, sql)];
    let ingest = await start(ingestPlace);
    let store = await start(storePlace);
    const assess = await start(placeOf('assess.yaml', topic));
    const acknowledged = new Set<string>();
    let load = new GrpcLoad(ingest.url('OTLP gRPC'), 1);
    for (let n = 0; n < 150; n++) {
      const { request, ids } = freshRequest();
      const sent = load.send(request).catch(() => undefined); // the kill: nobody knows what became of it
      if (n === 50) {
        await kill(store, 'SIGKILL');
        store = await start(storePlace);
      }
      if (n === 100) {
        await kill(ingest, 'SIGKILL');
        ingest = await start(ingestPlace);
        load = new GrpcLoad(ingest.url('OTLP gRPC'), 1);
      }
      if ((await sent) === 0) for (const id of ids) acknowledged.add(id);
    }
    expect(acknowledged.size).toBeGreaterThan(100 * spansPerRequest);

    const rows = await until('a row of every acknowledged span', async () => {
      const found = await store.query<{ SpanId: string }>('SELECT SpanId FROM otel_traces');
      const ids = new Set(found.map(({ SpanId }) => SpanId));
      return acknowledged.isSubsetOf(ids) && found.map(({ SpanId }) => SpanId);
    });
    expect(new Set(rows).size).toBe(rows.length);
    await until('every span to be assessed', async () => {
      const [, count] = /^plimsoll_assess_spans_total (\d+)$/m.exec(await assess.metrics()) ?? [];
      return Number(count) >= rows.length;
    });
    for (const program of [ingest, store, assess]) {
      await until('health', async () => (await fetch(program.url('health'))).status === 200);
      expect((await kill(program, 'SIGTERM')).code).toBe(0);
    }
  });

  test('every run has one row with what its spans add up to and is counted once, though assess and store are killed', async () => {
    const topic = `e2e-${randomBytes(4).toString('hex')}`;
    const clickhouse = { url: '', username: '', password: '', database: '', flush_interval: '100ms' };
    const sql = { exporters: { clickhouse }, service: { extensions: ['health_check', 'sql'] } };
    const storePlace = placeOf('store.yaml', topic, sql);
    const runs = { processors: { runs: { idle_timeout: '3s' } } };
    const assessPlaces = [placeOf('assess.yaml', topic, runs), placeOf('assess.yaml', topic, runs)];
    const ingest = await start(placeOf('ingest.yaml', topic));
    let store = await start(storePlace);
    const assessors = await Promise.all(assessPlaces.map(start));
    const ledger = new RunLedger();
    const watched = new AbortController();
    const watch = new CounterWatch(
      [0, 1].map((n) => async () => parseSamples(await assessors[n]!.metrics())),
    );
    const watching = watch.look(watched.signal);
    const load = new GrpcLoad(ingest.url('OTLP gRPC'), 1);
    for (let n = 0; n < 120; n++) {
      const sent = ledger.sendRound(async (request) => (await load.send(request)) === 0);
      if (n % 30 === 20) {
        const active = await until('one to assess', async () => activeOf(assessors), 60_000);
        await kill(assessors[active.index]!, 'SIGKILL');
        const other = assessors[1 - active.index]!;
        if (n === 20) await until('the other one to take over', async () => activeOf([other]), 60_000);
        assessors[active.index] = await start(assessPlaces[active.index]!);
      }
      if (n === 50) {
        await kill(store, 'SIGKILL');
        store = await start(storePlace);
      }
      expect(await sent).toBe(true);
    }
    load.close();
    const rows = await until(
      'a row of every run that has spans',
      async () => {
        const stored = await store.query<StoredRun>(runsQuery);
        const leaves = await store.query<StoredRun>(leavesQuery);
        return JSON.stringify(stored) === JSON.stringify(leaves) && stored;
      },
      60_000,
    );
    expect(ledger.acknowledged.size).toBeGreaterThan(2000);
    await until(
      'every run and its call to be counted once',
      () =>
        watch.total('plimsoll_runs_total') === rows.length &&
        watch.total('plimsoll_tool_calls_total') === rows.length,
      60_000,
    );
    watched.abort();
    await watching;
    expect(watch.fallen).toEqual([]);
    expect(watch.takeovers).toBeGreaterThan(0);
    process.stderr.write(
      `${rows.length} runs counted by ${1 + watch.takeovers} owners; nobody exported counters for ${Math.round(watch.longestGapMs)} ms at most\n`,
    );
    expect(ledger.compare(rows)).toEqual({ lost: 0, doubled: 0, wrong: 0 });
    for (const program of [ingest, store, ...assessors]) {
      await until('health', async () => (await fetch(program.url('health'))).status === 200);
      expect((await kill(program, 'SIGTERM')).code).toBe(0);
    }
  }, 180_000);

  test('two stores and a ClickHouse server: every acknowledged span has one row, though all three are killed', async () => {
    const topic = `e2e-${randomBytes(4).toString('hex')}`;
    const clickhouse = await ClickHouseServer.start();
    try {
      const byDefault = { username: '', password: '', database: '' };
      const server = {
        exporters: { clickhouse: { url: clickhouse.url, ...byDefault, flush_interval: '100ms' } },
      };
      const storePlaces = [placeOf('store.yaml', topic, server), placeOf('store.yaml', topic, server)];
      const ingest = await start(placeOf('ingest.yaml', topic));
      const stores = await Promise.all(storePlaces.map(start));
      const acknowledged = new Set<string>();
      const load = new GrpcLoad(ingest.url('OTLP gRPC'), 1);
      for (let n = 0; n < 150; n++) {
        const { request, ids } = freshRequest();
        const sent = load.send(request);
        if (n % 50 === 20) await clickhouse.restart();
        const [place, store] = [storePlaces[n % 2], stores[n % 2]];
        if (n % 50 === 40 && place && store) {
          await kill(store, 'SIGKILL');
          stores[n % 2] = await start(place);
        }
        if ((await sent) === 0) for (const id of ids) acknowledged.add(id);
      }
      expect(acknowledged.size).toBe(150 * spansPerRequest);
      const rows = await until('a row of every acknowledged span', async () => {
        const found = await clickhouse.query<{ SpanId: string }>('SELECT SpanId FROM otel_traces');
        return acknowledged.isSubsetOf(new Set(found.map(({ SpanId }) => SpanId))) && found;
      });
      expect(rows).toHaveLength(acknowledged.size);
      for (const store of stores) {
        await until('health', async () => (await fetch(store.url('health'))).status === 200);
        expect(readFileSync(`/proc/${store.pid}/maps`, 'utf8')).not.toContain('chdb');
        expect((await kill(store, 'SIGTERM')).code).toBe(0);
      }
      for (const place of storePlaces) expect(existsSync(place.dataDirectory)).toBe(false);
    } finally {
      await clickhouse.stop();
    }
  });

  test('validate --probe says how topics are and what is wrong with them, and makes none', async () => {
    const topic = `e2e-${randomBytes(4).toString('hex')}`;
    const place = placeOf('ingest.yaml', topic);
    for (const _ of ['before', 'after'])
      expect(await plimsoll('validate', '--probe', ...place.words)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(
          new RegExp(
            `topic ${topic} on \\S+ is missing and will be created: fine\ntopic ${topic}-runs on \\S+ is missing and will be created: fine\ntopic ${topic}-dlq on \\S+ is missing and will be created: fine\n$`,
          ),
        ),
        stderr: '',
      });
    await kill(await start(place), 'SIGTERM');
    expect((await plimsoll('validate', '--probe', ...place.words)).stdout).toContain(
      `topic ${topic} on ${brokers().join()} has partitions: 3, copies of each: 1: fine`,
    );
    const kafka = {
      ...placeOptions(topic),
      partitions: 5,
      retention: { age: '4d' },
      replication: 9,
      dead_letter_topic: `${topic}-other`,
      runs_topic: `${topic}-other-runs`,
    };
    place.configure(JSON.stringify({ connectors: { kafka } }));
    const { code, stderr } = await plimsoll('validate', '--probe', ...place.words);
    expect([code, ...stderr.split('\n')]).toEqual([
      1,
      expect.stringMatching(/^plimsoll: the topic \S+ has 3 partitions and the configuration says 5: /),
      expect.stringMatching(/^plimsoll: the topic \S+ is kept on 1 brokers and the configuration says 9: /),
      expect.stringMatching(/^plimsoll: the topic \S+ acknowledges a record that one broker alone has /),
      expect.stringMatching(
        /^plimsoll: the topic \S+ keeps records for \d+ ms and the configuration says \d+: /,
      ),
      expect.stringMatching(/^plimsoll: the topic \S+-other-runs cannot be kept on 9 brokers/),
      expect.stringMatching(/^plimsoll: the topic \S+-other cannot be kept on 9 brokers: start more of them/),
      '',
    ]);
    place.configure(JSON.stringify({ connectors: { kafka: { ...kafka, brokers: '127.0.0.1:1' } } }));
    expect(await plimsoll('validate', '--probe', ...place.words)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('plimsoll: no broker of 127.0.0.1:1 can be reached'),
    });
  });
});
