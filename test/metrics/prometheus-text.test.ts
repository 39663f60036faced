import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { prometheusText } from '../../src/metrics/prometheus-text.ts';
import { ProcessMeter } from '../../src/metrics/process-families.ts';
import { call, kpisOf, published, run } from '../kpi/events.ts';
import { runs } from '../property-runs.ts';
import { requires } from '../requires.ts';

const noon = Date.UTC(2026, 10, 23, 12);

/** The KPIs of a few runs of two releases. */
function someKpis(): string {
  const kpis = kpisOf(1, { qualityTarget: () => 0.8 });
  const cost = { llm: 0.25, tool: 0, review: 0 };
  const scores = new Map([['helpfulness', 0.75]]);
  kpis.finished(run(noon, { outcome: 'success', evidence: 'human', costUsd: cost, scores }));
  kpis.finished(run(noon, { outcome: 'escalated', escalationReason: 'approval', costUsd: cost }));
  kpis.finished(run(noon - 400_000, { release: '1.5.0 "beta"\\', outcome: 'failure', priced: false }));
  kpis.toolCall(call(noon));
  kpis.toolCall(call(noon, { result: 'error', durationMs: 2000 }));
  kpis.toolCall(call(noon, { tool: 'refund', result: 'rejected' }));
  kpis.watermark.advance(0, noon, noon, noon);
  return prometheusText(published(kpis, noon));
}

test('the KPIs read like this', async () => {
  await expect(someKpis()).toMatchFileSnapshot('../golden/metrics.txt');
});

const promtool = requires('promtool', { version: '--version', from: 'prometheus' });

test.skipIf(promtool)('promtool finds nothing wrong with what is exported', async () => {
  const meter = new ProcessMeter();
  const text = someKpis() + prometheusText(meter.families()) + (await new Telemetry().registry.metrics());
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  expect(stdout + stderr).toBe('');
  expect(status).toBe(0);
});

test('the golden file is what promtool would parse: every line is a comment or a sample', () => {
  const lines = readFileSync(new URL('../golden/metrics.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  const samples = lines.filter((line) => !line.startsWith('#'));
  expect(parseSamples(lines.join('\n'))).toHaveLength(samples.length);
});

test('property: whatever a label says, it comes out as one line that reads back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.double(), (text, value) => {
      const family = {
        name: 'm',
        help: text,
        kind: 'gauge',
        samples: [{ labels: [['l', text]], value }],
      } as const;
      const lines = prometheusText([family]).split('\n');
      expect(lines).toHaveLength(4);
      const escaped = /^m\{l="(.*)"\} (\S+)$/s.exec(lines[2] ?? '');
      const unescaped = escaped?.[1]?.replaceAll(/\\(["\\n])/g, (_, char: string) =>
        char === 'n' ? '\n' : char,
      );
      expect(unescaped).toBe(text);
      expect(Number(escaped?.[2]?.replace('Inf', 'Infinity'))).toBe(Object.is(value, -0) ? 0 : value);
    }),
    { numRuns: runs },
  );
});
