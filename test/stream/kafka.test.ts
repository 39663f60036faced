import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Claim } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { KafkaStream } from '../../src/stream/kafka.ts';
import { holder } from '../contract/stream.ts';
import { recordOf } from '../contract/stream-records.ts';
import { createTopic, deleteTopic, resetOffsets } from '../kafka/admin.ts';
import { kafkaMissing, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { payloads } from './kafka-payloads.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const script = fileURLToPath(new URL('kafka-child.ts', import.meta.url));

async function claimOf(stream: KafkaStream, group: 'store' | 'assess', partition = 0) {
  const { consumer, claims } = holder(stream, group);
  await consumer.start();
  const claim = await until('a claim', () => claims[partition]);
  return { claim, claims, consumer };
}

describe.skipIf(kafkaMissing)('a topic of Apache Kafka', () => {
  const brokers = testCluster(1);

  async function started(changes: Partial<Parameters<typeof kafkaStream>[1]> = {}): Promise<KafkaStream> {
    const stream = kafkaStream(brokers(), { topic: newTopic(), ...changes });
    await stream.start();
    return stream;
  }

  test.each(['zstd', 'gzip', 'none'] as const)(
    'takes and gives back records packed with %s',
    async (compression) => {
      const stream = await started({ compression, lingerMs: 50 });
      const sent = Array.from({ length: 50 }, (_, n) => `${n} `.repeat(n * 100));
      await stream.consume(
        sent.map((text) => recordOf(text)),
        never,
      );
      expect(await payloads(stream, 0)).toEqual(sent);
      await stream.stop(soon());
    },
  );

  test('goes on reading within a batch, whatever offset and however little is asked for', async () => {
    const stream = await started({ lingerMs: 50 });
    await stream.consume(
      Array.from({ length: 30 }, (_, n) => recordOf(`${n}`)),
      never,
    );
    const { claim, consumer } = await claimOf(stream, 'store');
    for (const offset of [29, 0, 7, 8, 9, 3, 28]) {
      const [record] = await claim.read(offset, 1, 5000);
      expect(record?.offset).toBe(offset);
      expect(String(record?.payload)).toBe(`${offset}`);
    }
    expect(await claim.read(30, 1e6, 0)).toEqual([]);
    expect(await claim.read(31, 1e6, 50)).toEqual([]);
    await consumer.stop(soon());
    await stream.stop(soon());
  });

  test('shares the partitions of a group among its members, and gives all of them to one where one must have them', async () => {
    const topic = newTopic();
    const first = await started({ topic });
    const second = await started({ topic });
    const old = { store: holder(first, 'store'), assess: holder(first, 'assess') };
    const young = { store: holder(second, 'store'), assess: holder(second, 'assess') };
    await old.store.consumer.start();
    await old.assess.consumer.start();
    await until('all claims', () => [0, 1, 2].every((at) => old.store.claims[at] && old.assess.claims[at]));
    await young.store.consumer.start();
    await young.assess.consumer.start();
    await until(
      'shares',
      () => owned(young.store.claims).join() === '0,2' && owned(old.store.claims).join() === '1',
    );
    await until('the incumbent', () => owned(old.assess.claims).join() === '0,1,2');
    expect(owned(young.assess.claims)).toEqual([]);
    await until('the standby', () => young.assess.consumer.owned === 0);
    expect([young, old].map(({ store }) => store.consumer.owned)).toEqual([2, 1]);
    await old.assess.consumer.stop(soon());
    await until('the successor', () => owned(young.assess.claims).join() === '0,1,2');
    for (const stream of [first, second]) await stream.stop(soon());
  });

  test('a member held still for longer than its session has lost its partition, and cannot commit when it wakes', async () => {
    const topic = newTopic();
    const stream = await started({ topic, sessionMs: 2000 });
    const child = spawn(process.execPath, [script, 'own', topic, ...brokers()], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const said = listen(child);
    await until('the first owner', () => said().includes('owned'));
    child.kill('SIGSTOP');
    const { claim, consumer } = await claimOf(stream, 'store');
    expect(claim.committed).toBeUndefined();
    await claim.commit({ position: { offset: 3, index: 1 }, metadata: 'rightful' });
    child.kill('SIGCONT');
    child.stdin?.write('commit\n');
    await until('the end of the zombie', () => said().includes('OwnershipLost'));
    expect(said()).not.toContain('committed');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await consumer.stop(soon());
    const again = await claimOf(stream, 'store');
    expect(again.claim.committed).toEqual({ position: { offset: 3, index: 1 }, metadata: 'rightful' });
    await stream.stop(soon());
  });

  test('keeps the index of a position, and takes a commit of another tool for one between records', async () => {
    const topic = newTopic();
    const stream = await started({ topic });
    const first = await claimOf(stream, 'store');
    await first.claim.commit({ position: { offset: 5, index: 12 }, metadata: '9:text' });
    await first.consumer.stop(soon());
    const second = await claimOf(stream, 'store');
    expect(second.claim.committed).toEqual({ position: { offset: 5, index: 12 }, metadata: '9:text' });
    await second.consumer.stop(soon());
    await resetOffsets(brokers(), `${topic}-store`, topic, 2);
    const third = await claimOf(stream, 'store');
    expect(third.claim.committed).toEqual({ position: { offset: 2, index: 0 }, metadata: '' });
    await stream.stop(soon());
  });

  test('has another id once it is created anew, and a claim on the old one ends with a sentence', async () => {
    const topic = newTopic();
    const stream = await started({ topic });
    await stream.consume([recordOf('old')], never);
    const consumer = stream.consumer('store', async (claim, stopping) => {
      for (let next = 0; !stopping.aborted && claim.partition === 0;) {
        const records = await claim.read(next, 1e6, 100);
        next += records.length;
      }
    });
    await consumer.start();
    await deleteTopic(brokers(), topic);
    const anew = await until('a new topic', async () => started({ topic }));
    expect(anew.id).not.toBe(stream.id);
    const fault = await until('the fault', () => consumer.fault);
    expect(fault.message).toContain('was deleted and created anew while it was in use');
    for (const each of [stream, anew]) await each.stop(soon());
  });

  test('tells how far a group is behind, and takes that back when it loses the partition', async () => {
    const topic = newTopic();
    const telemetry = new Telemetry();
    const stream = await started({ topic, telemetry });
    await stream.consume([recordOf('a'), recordOf('b'), recordOf('c')], never);
    const { claim, consumer } = await claimOf(stream, 'store');
    await claim.read(0, 1e6, 5000);
    await claim.commit({ position: { offset: 2, index: 0 }, metadata: '' });
    const lag = `plimsoll_stream_lag_records{topic="${topic}",partition="0",group="${topic}-store"}`;
    expect(await telemetry.registry.metrics()).toContain(`${lag} 1\n`);
    expect(await telemetry.registry.metrics()).toContain(
      `plimsoll_stream_end_offset{topic="${topic}",partition="0"} 3\n`,
    );
    await consumer.stop(soon());
    expect(await telemetry.registry.metrics()).not.toContain(lag);
    await stream.stop(soon());
  });

  test.each([
    [
      'partitions',
      { partitions: 2 },
      {},
      'has 2 partitions and the configuration says 3: a trace stays on its partition, so set partitions: 2',
    ],
    ['cleanup', {}, { 'cleanup.policy': 'compact' }, 'set cleanup.policy=delete'],
    [
      'unclean elections',
      {},
      { 'unclean.leader.election.enable': 'true' },
      'set unclean.leader.election.enable=false',
    ],
    [
      'retention',
      {},
      { 'retention.ms': '1000' },
      'keeps records for 1000 ms and the configuration says 3600000',
    ],
    [
      'retention of bytes',
      {},
      { 'retention.bytes': '1000000' },
      'keeps the newest 1000000 bytes of a partition, whether or not older ones were read: set retention.bytes=-1',
    ],
    ['retention of offsets', {}, { 'retention.ms': '-1' }, 'raise offsets.retention.minutes'],
    [
      'record size',
      {},
      { 'max.message.bytes': '1000' },
      'takes records of 1000 bytes and the configuration says 1048576',
    ],
  ] as const)('is refused for its %s, with the fix', async (_, shape, configs, sentence) => {
    const topic = newTopic();
    const kept = { 'retention.ms': '3600000', ...configs };
    await createTopic(brokers(), topic, { partitions: 3, replicas: 1, ...shape, configs: kept });
    const stream = kafkaStream(brokers(), { topic, replication: 1 });
    await expect(stream.start()).rejects.toThrow(sentence);
    await expect(stream.start()).rejects.toThrow(`the topic ${topic}`);
    await stream.stop(soon());
  });

  test('is refused when there are not as many brokers as copies are wanted, or none at all', async () => {
    const tooMany = kafkaStream(brokers(), { topic: newTopic(), replication: 3 });
    await expect(tooMany.start()).rejects.toThrow('cannot be kept on 3 brokers: start more of them');
    const nowhere = kafkaStream(['127.0.0.1:1'], { topic: newTopic() });
    await expect(nowhere.start()).rejects.toThrow('no broker of 127.0.0.1:1 can be reached');
  });
});

describe.skipIf(kafkaMissing)('a topic on three brokers', () => {
  const brokers = testCluster(3);

  test('is refused when one broker alone may acknowledge, or too few have a copy', async () => {
    const lonely = newTopic();
    const configs = { 'retention.ms': '3600000', 'min.insync.replicas': '1' };
    await createTopic(brokers(), lonely, { partitions: 3, replicas: 3, configs });
    await expect(kafkaStream(brokers(), { topic: lonely }).start()).rejects.toThrow(
      'set min.insync.replicas=2',
    );
    const single = newTopic();
    await createTopic(brokers(), single, { partitions: 3, replicas: 1, configs });
    await expect(kafkaStream(brokers(), { topic: single }).start()).rejects.toThrow(
      'is kept on 1 brokers and the configuration says 3',
    );
  });
});

/** The partitions of claims that hold. */
function owned(claims: readonly (Claim | undefined)[]): number[] {
  return claims.flatMap((claim) => (claim && !claim.lost.aborted ? [claim.partition] : []));
}

function listen(child: ChildProcess): () => string {
  let said = '';
  child.stdout?.on('data', (text) => (said += String(text)));
  return () => said;
}
