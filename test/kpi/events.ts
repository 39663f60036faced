import type { KpiRun, KpiToolCall } from '../../src/kpi/facts.ts';
import type { Family } from '../../src/kpi/family.ts';
import { Kpis, type KpiSettings } from '../../src/kpi/kpis.ts';

export const settings: KpiSettings = {
  windowsMs: [300_000, 3_600_000],
  latenessMs: 120_000,
  idleAfterMs: 1000,
  maxSeries: 10_000,
  expireAfterMs: 86_400_000,
};

/** A run of release 1.4.0 that completed at `closedMs`, free of charge. */
export function run(closedMs: number, given: Partial<KpiRun> = {}): KpiRun {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    agent: 'refund',
    release: '1.4.0',
    environment: 'production',
    startMs: closedMs - 2000,
    endMs: closedMs,
    closedMs,
    outcome: 'completed',
    evidence: 'none',
    escalationReason: undefined,
    escalationRequests: [],
    peakRequests: [],
    costUsd: { llm: 0, tool: 0, review: 0 },
    peakUsd: given.costUsd ?? { llm: 0, tool: 0, review: 0 },
    priced: true,
    reviewSeconds: 0,
    scores: new Map(),
    behindMs: 0,
    ...given,
  };
}

/** A call of `get_order` that took 0.1 s and ended well at `endMs`. */
export function call(endMs: number, given: Partial<KpiToolCall> = {}): KpiToolCall {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    agent: 'refund',
    release: '1.4.0',
    environment: 'production',
    tool: 'get_order',
    result: 'ok',
    attempts: 1,
    endMs,
    durationMs: 100,
    behindMs: 0,
    ...given,
  };
}

/** KPIs that read partitions 0 … n-1 from the start of the stream and have caught up. */
export function kpisOf(partitions = 1, given: Partial<KpiSettings> = {}): Kpis {
  const kpis = new Kpis({ ...settings, ...given });
  for (let partition = 0; partition < partitions; partition++) {
    kpis.watermark.claim(partition);
    kpis.watermark.cover(partition, Number.NEGATIVE_INFINITY);
    kpis.watermark.catchUp(partition);
  }
  return kpis;
}

/** All KPIs at `nowMs` as they are when what was counted until then is durable. */
export function published(kpis: Kpis, nowMs: number): readonly Family[] {
  kpis.sweep(nowMs);
  kpis.publish(kpis.save([], nowMs));
  return kpis.families(nowMs, true);
}

/** Every sample as `name{label="value",…}` → value. */
export function flat(families: readonly Family[]): Map<string, number> {
  return new Map(
    families.flatMap(({ name, samples }) =>
      samples.map((sample) => {
        const { suffix = '', labels } = sample;
        const pairs = labels.map(([key, text]) => `${key}="${text}"`).join(',');
        return [`${name}${suffix}{${pairs}}`, sample.value] as const;
      }),
    ),
  );
}

/** The value of the only series of `name` whose labels include all of `labels`; undefined when there is none. */
export function value(
  families: readonly Family[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const samples = families
    .filter((family) => family.name === name)
    .flatMap((family) => family.samples)
    .filter((sample) =>
      Object.entries(labels).every(([key, text]) => sample.labels.some(([k, v]) => k === key && v === text)),
    );
  if (samples.length > 1)
    throw new Error(`${samples.length} series of ${name} fit ${JSON.stringify(labels)}`);
  return samples[0]?.value;
}
