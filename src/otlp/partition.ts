/** How a trace id becomes a partition. */
export type Partitioner = 'murmur2' | 'fnv1a';

/**
 * The partition, 0 to `partitions - 1`, that a producer would choose for a record whose key is the trace id at
 * `traceIdAt` as 32 lower-case hex digits, which is the key that the Collector's Kafka exporter gives a record with
 * `partition_traces_by_id`.
 */
export type PartitionOf = (bytes: Uint8Array, traceIdAt: number, partitions: number) => number;

/**
 * - `murmur2`: as Kafka's Java client, toPositive(murmur2(key)) % partitions
 *   (org.apache.kafka.clients.producer.internals.BuiltInPartitioner), and as the Collector with the hasher `murmur2`;
 * - `fnv1a`: as the Collector by default (hasher `sarama_compat`), the absolute value of the signed remainder of the
 *   32-bit FNV-1a hash (SaramaCompatHasher of github.com/twmb/franz-go).
 */
export const partitioners: Readonly<Record<Partitioner, PartitionOf>> = {
  murmur2: murmur2Partition,
  fnv1a: fnv1aPartition,
};

/** The two lower-case hex digits of each byte, as a little-endian 16-bit number. */
const hexPair = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0'), 'latin1').readUInt16LE(),
);

const murmurSeed = 0x9747b28c;
const murmurFactor = 0x5bd1e995;

function murmur2Partition(bytes: Uint8Array, traceIdAt: number, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = murmurSeed ^ 32;
  for (let offset = traceIdAt; offset < traceIdAt + 16; offset += 2) {
    const word = hexPair[bytes[offset]!]! | (hexPair[bytes[offset + 1]!]! << 16);
    const mixed = Math.imul(word, murmurFactor);
    hash = Math.imul(hash, murmurFactor) ^ Math.imul(mixed ^ (mixed >>> 24), murmurFactor);
  }
  hash = Math.imul(hash ^ (hash >>> 13), murmurFactor);
  hash ^= hash >>> 15;
  return (hash & 0x7fffffff) % partitions;
}

const fnvBasis = 0x811c9dc5;
const fnvPrime = 0x01000193;

function fnv1aPartition(bytes: Uint8Array, traceIdAt: number, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = fnvBasis;
  for (let offset = traceIdAt; offset < traceIdAt + 16; offset++) {
    const digits = hexPair[bytes[offset]!]!;
    hash = Math.imul(hash ^ (digits & 0xff), fnvPrime);
    hash = Math.imul(hash ^ (digits >>> 8), fnvPrime);
  }
  return Math.abs(hash % partitions);
}
