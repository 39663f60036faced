import { describe, expect, test } from 'vitest';
import { OwnershipLost, type Claim, type StreamConsumer } from '../../src/core/stream.ts';
import { Telemetry } from '../../src/core/telemetry.ts';
import type { KafkaStream } from '../../src/stream/kafka.ts';
import { whenAborted } from '../../src/stream/when-aborted.ts';
import { holder } from '../contract/stream.ts';
import { recordOf } from '../contract/stream-records.ts';
import { createTopic, deleteTopic, membersOf } from '../kafka/admin.ts';
import { requestKeys } from '../kafka/proxy.ts';
import { kafkaMissing, ownBrokerMissing, proxiedBroker, testCluster } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';

const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const commitTo = (offset: number, metadata: string) => ({ position: { offset, index: 0 }, metadata });

/** A member of the group `store` that keeps every claim it is given. */
async function memberOf(stream: KafkaStream): Promise<{ consumer: StreamConsumer; claims: Claim[] }> {
  const claims: Claim[] = [];
  const consumer = stream.consumer('store', async (claim, stopping) => {
    claims.push(claim);
    await whenAborted(AbortSignal.any([claim.lost, stopping]));
  });
  await consumer.start();
  return { consumer, claims };
}

function joins(telemetry: Telemetry, group: string): Promise<number> {
  const line = new RegExp(`^plimsoll_stream_joins_total\\{.*group="${group}"\\} (\\d+)$`, 'm');
  return telemetry.registry.metrics().then((text) => Number(line.exec(text)?.[1] ?? 0));
}

describe.skipIf(ownBrokerMissing())('a member whose coordinator is slow or silent', () => {
  const broker = proxiedBroker();

  test('leaves no commit behind that could be taken after its next claim has asked what was committed', async () => {
    const { addresses, proxy } = broker();
    const topic = newTopic();
    const options = { topic, partitions: 2, sessionMs: 10_500 };
    const leader = kafkaStream(addresses, options);
    const follower = kafkaStream(addresses, options);
    for (const stream of [leader, follower]) await stream.start();
    const old = await memberOf(leader);
    await until('the leader', () => old.claims.length === 2);
    const [leaderId = 'none'] = await membersOf(addresses, `${topic}-store`);
    const { claims, consumer } = await memberOf(follower);
    const first = await until('a claim', () => claims[0]);
    // The follower's heartbeats arrive, and it never hears so; then its commit is stuck on the way.
    const before = proxy.seen(requestKeys.heartbeat);
    let silenced = 0;
    proxy.silence(requestKeys.heartbeat, (request) => {
      const isOurs = !request.includes(leaderId);
      if (isOurs) silenced++;
      return isOurs;
    });
    await until('a heartbeat', () => silenced > 0 && proxy.seen(requestKeys.heartbeat) > before);
    proxy.hold(requestKeys.offsetCommit);
    const late = first.commit(commitTo(7, 'late'));
    await expect(late).rejects.toBeInstanceOf(OwnershipLost);
    proxy.swallow(requestKeys.heartbeat, 0);
    const { partition } = first;
    const second = await until('the next claim', () =>
      [...claims.slice(1), ...old.claims.slice(2)].find(
        (claim) => claim.partition === partition && !claim.lost.aborted,
      ),
    );
    expect(second.committed).toBeUndefined();
    proxy.release(requestKeys.offsetCommit);
    for (const each of [consumer, old.consumer]) await each.stop(soon());
    const third = await memberOf(leader);
    const owner = await until('the last claim', () =>
      third.claims.find((claim) => claim.partition === partition),
    );
    expect(owner.committed).toBeUndefined();
    for (const stream of [leader, follower]) await stream.stop(soon());
  }, 120_000);

  test('keeps its partitions while a commit takes longer than a session', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic(), sessionMs: 2000 });
    await stream.start();
    const { claims, consumer } = await memberOf(stream);
    const claim = await until('a claim', () => claims[0]);
    proxy.hold(requestKeys.offsetCommit);
    const before = proxy.seen(requestKeys.heartbeat);
    const commit = claim.commit(commitTo(1, 'slow'));
    await until('two sessions', () => proxy.seen(requestKeys.heartbeat) > before + 20); // ten in a session
    proxy.release(requestKeys.offsetCommit);
    await commit;
    expect(claim.lost.aborted).toBe(false);
    await consumer.stop(soon());
    await stream.stop(soon());
  });

  test('keeps its partitions while the commits of all of them are slow, one after another', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic() });
    await stream.start();
    const { claims, consumer } = await memberOf(stream);
    await until('the claims', () => claims.length === 3);
    proxy.slow(requestKeys.offsetCommit, 3500); // each in time, and no two of them together
    try {
      await Promise.all(claims.map(async (claim) => claim.commit(commitTo(1, 'slow'))));
    } finally {
      proxy.slow(requestKeys.offsetCommit, 0);
    }
    expect(claims.map(({ lost }) => lost.aborted)).toEqual([false, false, false]);
    await consumer.stop(soon());
    await stream.stop(soon());
  });

  test('begins no work when it stops while it asks what was committed', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic() });
    await stream.start();
    proxy.hold(requestKeys.offsetFetch);
    const { claims, consumer } = await memberOf(stream);
    await until('the question', () => proxy.held(requestKeys.offsetFetch) > 0);
    const stopped = consumer.stop(soon());
    proxy.release(requestKeys.offsetFetch);
    await stopped;
    expect(claims).toEqual([]);
    await stream.stop(soon());
  });

  test('is told that it lost its partitions by the end of its session, whatever it waits for', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic(), sessionMs: 1000 });
    await stream.start();
    const { claims, consumer } = await memberOf(stream);
    const claim = await until('a claim', () => claims[0]);
    proxy.hold(requestKeys.heartbeat);
    await until('the loss', () => claim.lost.aborted, 6000); // an answer is waited for ten seconds or more otherwise
    proxy.release(requestKeys.heartbeat);
    await until('a new claim', () => claims.at(-1)?.lost.aborted === false);
    await consumer.stop(soon());
    await stream.stop(soon());
  });

  test('begins no work once it is to stop, however far it has come with joining', async () => {
    const { addresses, proxy } = broker();
    const stream = kafkaStream(addresses, { topic: newTopic() });
    await stream.start();
    proxy.hold(requestKeys.offsetFetch);
    const { claims, consumer } = await memberOf(stream);
    await until('the last question before the work', () => proxy.held(requestKeys.offsetFetch) > 0);
    const stopped = consumer.stop(soon());
    proxy.release(requestKeys.offsetFetch);
    await stopped;
    expect(claims).toEqual([]);
    await stream.stop(soon());
  });

  test('tells of a backlog that grows while its worker hangs, and nothing of partitions of others', async () => {
    const { addresses } = broker();
    const topic = newTopic();
    const [telemetry, standbyTelemetry] = [new Telemetry(), new Telemetry()];
    const stream = kafkaStream(addresses, { topic, telemetry });
    const standby = kafkaStream(addresses, { topic, telemetry: standbyTelemetry });
    const writer = kafkaStream(addresses, { topic });
    for (const each of [stream, standby, writer]) await each.start();
    const consumer = stream.consumer('assess', async (claim, stopping) => {
      await claim.bounds();
      await whenAborted(stopping); // it reads nothing
    });
    await consumer.start();
    await until('the owner', () => consumer.owned === 3);
    const second = holder(standby, 'assess').consumer;
    await second.start();
    await until('the standby', () => second.owned === 0);
    await writer.consume([recordOf('a'), recordOf('b'), recordOf('c')], never);
    const lag = `plimsoll_stream_lag_records{topic="${topic}",partition="0",group="${topic}-assess"}`;
    await until('the backlog', async () => (await telemetry.registry.metrics()).includes(`${lag} 3\n`));
    expect(await standbyTelemetry.registry.metrics()).not.toContain(lag);
    for (const each of [consumer, second]) await each.stop(soon());
    for (const each of [stream, standby, writer]) await each.stop(soon());
  });
});

describe.skipIf(kafkaMissing)('members with a name of their own', () => {
  const brokers = testCluster(1);

  test('come back within a session without anybody else noticing, and know what they committed', async () => {
    const topic = newTopic();
    const telemetry = new Telemetry();
    const named = (instanceId: string) =>
      kafkaStream(brokers(), { topic, instanceId, telemetry, sessionMs: 20_000 });
    const [other, stream] = [named('other'), named('one')];
    for (const each of [other, stream]) await each.start();
    const others = await memberOf(other);
    await until('all partitions', () => others.consumer.owned === 3);
    const before = await memberOf(stream);
    await until('shares', () => (others.consumer.owned ?? 0) + (before.consumer.owned ?? 0) === 3);
    const claim = await until('a claim', () => before.claims[0]);
    await claim.commit(commitTo(5, 'mine'));
    await stream.stop(soon());
    const joined = await joins(telemetry, `${topic}-store`);
    const [held] = others.claims.filter(({ lost }) => !lost.aborted);
    const again = named('one');
    await again.start();
    const after = await memberOf(again);
    const back = await until('the same partition', () =>
      after.claims.find(({ partition }) => partition === claim.partition),
    );
    expect(back.committed).toEqual(commitTo(5, 'mine'));
    expect(after.consumer.owned).toBe(
      before.claims.filter((each) => each.partition !== held?.partition).length,
    );
    await back.commit(commitTo(6, 'again'));
    expect(held?.lost.aborted).toBe(false);
    expect(await joins(telemetry, `${topic}-store`)).toBe(joined + 1);
    for (const each of [other, again]) await each.stop(soon());
  });

  test('are refused a name that another process has taken, and whoever had it before says so and commits nothing', async () => {
    const topic = newTopic();
    const twins = [0, 1].map(() => kafkaStream(brokers(), { topic, instanceId: 'one', sessionMs: 6000 }));
    const [first, second] = twins;
    if (!first || !second) throw new Error('no twins');
    for (const each of twins) await each.start();
    const old = await memberOf(first);
    const claim = await until('a claim', () => old.claims.find(({ partition }) => partition === 0));
    const young = await memberOf(second);
    const taken = await until('its claim', () => young.claims.find(({ partition }) => partition === 0));
    await expect(claim.commit(commitTo(1, 'zombie'))).rejects.toBeInstanceOf(OwnershipLost);
    const fault = await until('the fault', () => old.consumer.fault);
    expect(fault.message).toContain(`as one: give each an instance_id of its own`);
    await taken.commit(commitTo(2, 'rightful'));
    expect(taken.lost.aborted).toBe(false);
    expect(young.consumer.fault).toBeUndefined();
    for (const each of twins) await each.stop(soon());
  });
});

describe.skipIf(kafkaMissing)('a consumer group', () => {
  const brokers = testCluster(1);

  test('that does not take its member makes that unhealthy, with what the coordinator said', async () => {
    const stream = kafkaStream(brokers(), { topic: newTopic(), sessionMs: 100 });
    await stream.start();
    const { consumer } = await memberOf(stream);
    const sentence = /the consumer group .* cannot be joined: .*INVALID_SESSION_TIMEOUT/;
    await until('the fault', () => sentence.test(consumer.fault?.message ?? ''));
    await stream.stop(soon());
  });

  test('knows nothing of a topic that was created anew, whatever was committed to the old one, and however late', async () => {
    const topic = newTopic();
    const stream = kafkaStream(brokers(), { topic });
    await stream.start();
    const { claims, consumer } = await memberOf(stream);
    const claim = await until('a claim', () => claims.find(({ partition }) => partition === 0));
    await deleteTopic(brokers(), topic);
    const configs = { 'retention.ms': '3600000' };
    await until('a new topic', async () => {
      await createTopic(brokers(), topic, { partitions: 3, replicas: 1, configs });
      return true;
    });
    const anew = kafkaStream(brokers(), { topic });
    await anew.start();
    await claim.commit(commitTo(7, 'of the old topic'));
    await consumer.stop(soon());
    await stream.stop(soon());
    const member = await memberOf(anew);
    const next = await until('a claim', () => member.claims.find(({ partition }) => partition === 0));
    expect(next.committed).toBeUndefined();
    await anew.stop(soon());
  });
});
