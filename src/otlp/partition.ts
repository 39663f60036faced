const seed = 0x9747b28c;
const factor = 0x5bd1e995;

/** The two lower-case hex digits of each byte, as a little-endian 16-bit number. */
const hexPair = Uint16Array.from({ length: 256 }, (_, byte) =>
  Buffer.from(byte.toString(16).padStart(2, '0'), 'latin1').readUInt16LE(),
);

/**
 * The partition, 0 to `partitions - 1`, a Java producer would choose for a record whose key is the 32-digit
 * lower-case hex trace id, which is the key of the Collector's Kafka exporter with `partition_traces_by_id`:
 * toPositive(murmur2(key)) % partitions (org.apache.kafka.clients.producer.internals.BuiltInPartitioner).
 */
export function partitionOf(bytes: Uint8Array, traceIdAt: number, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = seed ^ 32;
  for (let offset = traceIdAt; offset < traceIdAt + 16; offset += 2) {
    const word = hexPair[bytes[offset]!]! | (hexPair[bytes[offset + 1]!]! << 16);
    const mixed = Math.imul(word, factor);
    hash = Math.imul(hash, factor) ^ Math.imul(mixed ^ (mixed >>> 24), factor);
  }
  hash = Math.imul(hash ^ (hash >>> 13), factor);
  hash ^= hash >>> 15;
  return (hash & 0x7fffffff) % partitions;
}
