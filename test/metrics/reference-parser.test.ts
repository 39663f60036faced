import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { Telemetry } from '../../src/core/telemetry.ts';
import { createLog } from '../../src/core/log.ts';
import type { Family } from '../../src/kpi/family.ts';
import { Exposition } from '../../src/metrics/exposition.ts';
import { openMetricsText } from '../../src/metrics/open-metrics-text.ts';
import { parserLock, python } from '../frameworks/packages.ts';
import { runs } from '../property-runs.ts';
import { anyFamilies } from './arbitrary-families.ts';
import { someKpis } from './some-kpis.ts';

interface Parsed {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly help: string;
  readonly samples: readonly {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    /** As Python writes a float. */
    readonly value: string;
    readonly exemplar: {
      readonly labels: Readonly<Record<string, string>>;
      readonly value: number;
      readonly timestamp: number;
    } | null;
  }[];
}

let program: string;
beforeAll(async () => {
  program = await python(parserLock);
}, 300_000);

/** What the reference parser, in Python, makes of each document: its families, or why it refuses them all. */
function parse(documents: readonly string[]): readonly (readonly Parsed[] | string)[] {
  const script = fileURLToPath(new URL('parse.py', import.meta.url));
  const { status, stdout, stderr } = spawnSync(program, [script], {
    input: JSON.stringify(documents),
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function floatOf(text: string): number {
  return Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'));
}

/** What a reader should find of a family. */
function expected({ name, help, kind, samples }: Family): unknown {
  const family = kind === 'counter' ? name.slice(0, -'_total'.length) : name;
  return {
    name: family,
    type: kind,
    unit: ['seconds', 'bytes', 'ratio', 'usd'].find((unit) => family.endsWith(`_${unit}`)) ?? '',
    help,
    samples: samples.map(({ suffix = kind === 'counter' ? '_total' : '', labels, value, exemplar }) => ({
      name: family + suffix,
      labels: Object.fromEntries(
        labels.map(([key, text]) => [key, key === 'le' && /^\d+$/.test(text) ? `${text}.0` : text]),
      ),
      value: Object.is(value, -0) ? 0 : value,
      exemplar:
        exemplar === undefined || kind === 'gauge' || suffix === '_sum' || suffix === '_count'
          ? null
          : {
              labels: { trace_id: exemplar.traceId },
              value: Object.is(exemplar.value, -0) ? 0 : exemplar.value,
              timestamp: exemplar.timeMs / 1000,
            },
    })),
  };
}

test('property: the reference parser reads every document as it was meant', () => {
  const documents = fc.sample(anyFamilies, runs);
  const parsed = parse(documents.map(openMetricsText));
  for (const [n, families] of documents.entries()) {
    const said = parsed[n];
    const read =
      typeof said === 'string' || said === undefined
        ? said
        : said.map((family) => ({
            ...family,
            samples: family.samples.map((sample) => ({ ...sample, value: floatOf(sample.value) })),
          }));
    expect(read).toEqual(families.filter(({ samples }) => samples.length > 0).map(expected));
  }
});

test('it accepts /metrics as it is served, the pipeline’s own metrics and this process’s included', async () => {
  const telemetry = new Telemetry();
  telemetry.count('plimsoll_receiver_accepted_spans_total', 3, { receiver: 'otlp', transport: 'grpc' });
  telemetry.observe('plimsoll_store_insert_duration_seconds', 0.7, {});
  telemetry.set('plimsoll_store_state', 1, { partition: '0', state: 'flowing' });
  const exposition = new Exposition(
    { host: '127.0.0.1', port: 0, configPath: 'service::telemetry::metrics::endpoint' },
    { telemetry, kpis: someKpis, log: createLog('silent') },
  );
  await exposition.start();
  const response = await fetch(`http://127.0.0.1:${exposition.port}/metrics`, {
    headers: { accept: 'application/openmetrics-text; version=1.0.0' },
  });
  const text = await response.text();
  await exposition.stop(AbortSignal.timeout(1000));
  expect(response.headers.get('content-type')).toBe(
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  );
  const [families = ''] = parse([text]);
  if (typeof families === 'string') throw new Error(families);
  const names = families.map(({ name, type }) => `${type} ${name}`);
  for (const name of [
    'counter plimsoll_runs',
    'gauge plimsoll_kpi_run_success_ratio',
    'histogram plimsoll_run_duration_seconds',
    'counter plimsoll_receiver_accepted_spans',
    'histogram plimsoll_store_insert_duration_seconds',
    'counter plimsoll_process_cpu_seconds',
  ])
    expect(names).toContain(name);
  const plain = text.split('\n');
  expect(plain.filter((line) => line.startsWith('# EOF'))).toEqual(['# EOF']);
});

test.each([
  ['a second end', (text: string) => `${text}# EOF\n`],
  ['no end', (text: string) => text.replace('# EOF\n', '')],
  ['a family twice', (text: string) => text.replace('# EOF\n', text)],
])('it would refuse %s', (_, spoil) => {
  const text = openMetricsText(someKpis());
  const [sound, spoiled] = parse([text, spoil(text)]);
  expect(typeof sound).toBe('object');
  expect(typeof spoiled).toBe('string');
});
