import type { Registry } from 'prom-client';
import type { Family, Labels, Sample } from '../kpi/family.ts';

/** The metrics of a registry, which has counters, gauges and histograms, as they are now. */
export async function registryFamilies(registry: Registry): Promise<readonly Family[]> {
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, help, type, values }) => {
    const kind = kinds.find((known) => known === String(type)); // its types call a text a number
    if (kind === undefined) throw new Error(`${name} is of a kind that /metrics does not know: ${type}`);
    return { name, help, kind, samples: values.map((value) => sampleOf(name, value)) };
  });
}

const kinds: readonly Family['kind'][] = ['counter', 'gauge', 'histogram'];
const suffixes = ['_bucket', '_sum', '_count'] as const;

interface RegistryValue {
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
  readonly value: number;
  /** Of a part of a histogram: the name with its suffix. */
  readonly metricName?: string;
}

function sampleOf(name: string, { labels, value, metricName = name }: RegistryValue): Sample {
  const suffix = suffixes.find((one) => metricName === name + one);
  const pairs: Labels = Object.entries(labels).map(([key, text]) => [key, String(text)]);
  return suffix === undefined ? { labels: pairs, value } : { suffix, labels: pairs, value };
}
