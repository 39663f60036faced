import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSamples } from '../../src/cli/demo-table.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import { prometheusText } from '../../src/metrics/prometheus-text.ts';
import { registryFamilies } from '../../src/metrics/registry-families.ts';
import { ProcessMeter } from '../../src/metrics/process-families.ts';
import { runs } from '../property-runs.ts';
import { requires } from '../requires.ts';
import { someKpis } from './some-kpis.ts';

test('the KPIs read like this', async () => {
  await expect(prometheusText(someKpis())).toMatchFileSnapshot('../golden/metrics.txt');
});

const promtool = requires('promtool', { version: '--version', from: 'prometheus' });

test.skipIf(promtool)('promtool finds nothing wrong with what is exported', async () => {
  const meter = new ProcessMeter();
  const { registry } = new Telemetry();
  const shown = [...someKpis(), ...meter.families(), ...(await registryFamilies(registry))];
  const withoutSeries = (await registryFamilies(registry)).filter(({ samples }) => samples.length === 0);
  const described = withoutSeries.map(
    ({ name, help, kind }) => `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`,
  );
  const text = prometheusText(shown) + described.join('');
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
