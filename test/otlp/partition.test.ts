import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { partitioners, type Partitioner } from '../../src/otlp/partition.ts';

/** Where clients sent a record whose key is the trace id, by the number of partitions. */
interface Golden extends Readonly<Record<Partitioner, Readonly<Record<string, number>>>> {
  readonly traceId: string;
}

/**
 * `murmur2`: BuiltInPartitioner.partitionForKey of kafka-clients 4.3.1; `fnv1a`: kgo.SaramaCompatHasher of franz-go
 * 1.22.2, which a Collector 0.165 has by default.
 */
const golden: readonly Golden[] = JSON.parse(
  readFileSync(new URL('../golden/partitions.json', import.meta.url), 'utf8'),
);

test.each(['murmur2', 'fnv1a'] as const)('%s sends a trace where other clients do', (name) => {
  for (const { traceId, [name]: wanted } of golden) {
    const bytes = Buffer.concat([Buffer.alloc(5, 7), Buffer.from(traceId, 'hex')]);
    for (const [partitions, partition] of Object.entries(wanted))
      expect([traceId, partitioners[name](bytes, 5, Number(partitions))]).toEqual([traceId, partition]);
  }
});

test.each(['murmur2', 'fnv1a'] as const)('%s spreads traces evenly, and one partition takes all', (name) => {
  const partitions = 12;
  const traces = Array.from({ length: partitions * 1000 }, () => crypto.getRandomValues(new Uint8Array(16)));
  const counts = Array.from({ length: partitions }, () => 0);
  for (const id of traces) counts[partitioners[name](id, 0, partitions)]!++;
  for (const count of counts) expect(count).toBeGreaterThan(800);
  for (const id of traces) expect(partitioners[name](id, 0, 1)).toBe(0);
});
