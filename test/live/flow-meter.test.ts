import { expect, test } from 'vitest';
import { Telemetry } from '../../src/core/telemetry.ts';
import { assessHops, FlowMeter, ingestHops, storeHops } from '../../src/page/flow-meter.ts';
import { noon } from './moments.ts';

const receiver = { receiver: 'otlp', transport: 'grpc' };

function meterOf() {
  const telemetry = new Telemetry();
  const place = { fault: undefined as string | undefined };
  const meter = new FlowMeter(telemetry, [
    ...ingestHops(() => place.fault),
    ...storeHops('store', 'replay', () => undefined),
    ...assessHops('assess', () => undefined),
  ]);
  const stage = async (name: string, atMs: number) =>
    (await meter.read(atMs)).find((each) => each.stage === name);
  return { telemetry, place, meter, stage };
}

test('what came is what was acknowledged and what was refused, spans and log records together', async () => {
  const { telemetry, meter } = meterOf();
  telemetry.count('plimsoll_receiver_accepted_spans_total', 10, receiver);
  telemetry.count('plimsoll_receiver_accepted_log_records_total', 5, { ...receiver, transport: 'http' });
  telemetry.count('plimsoll_receiver_refused_spans_total', 3, receiver);
  telemetry.count('plimsoll_receiver_rejected_spans_total', 1, { ...receiver, reason: 'invalid' });
  const totals = (await meter.read(noon)).slice(0, 3).map(({ stage, total }) => [stage, total]);
  expect(totals).toEqual([
    ['received', 19],
    ['refused', 4],
    ['on the stream', 15],
  ]);
});

test('a rate is over the last ten seconds, however often it is read', async () => {
  const { telemetry, stage } = meterOf();
  await stage('assessed', noon);
  let last = 0;
  for (let i = 1; i <= 30; i++) {
    telemetry.count('plimsoll_assess_spans_total', i <= 15 ? 100 : 10, {});
    last = (await stage('assessed', noon + i * 1000))?.perSecond ?? 0;
  }
  expect(last).toBe(10);
});

test('a rate is since the first reading while there is none that is ten seconds old', async () => {
  const { telemetry, stage } = meterOf();
  expect((await stage('assessed', noon))?.perSecond).toBe(0);
  telemetry.count('plimsoll_assess_spans_total', 50, {});
  expect((await stage('assessed', noon + 2000))?.perSecond).toBe(25);
});

test('what waits is the lag of the group on all partitions, and unknown where nobody tells it', async () => {
  const { telemetry, stage } = meterOf();
  expect((await stage('stored', noon))?.backlog).toBeNull();
  for (const partition of ['0', '1'])
    telemetry.set('plimsoll_stream_lag_records', 7, { topic: 'otlp_spans', partition, group: 'store' });
  telemetry.set('plimsoll_stream_lag_records', 1, { topic: 'otlp_spans', partition: '0', group: 'assess' });
  expect((await stage('stored', noon + 1))?.backlog).toEqual({ amount: 14, unit: 'records' });
  expect((await stage('received', noon + 2))?.backlog).toBeNull();
});

test('what does not flow says why', async () => {
  const { place, stage } = meterOf();
  expect((await stage('on the stream', noon))?.fault).toBeNull();
  place.fault = 'the disk is full';
  expect((await stage('on the stream', noon + 1))?.fault).toBe('the disk is full');
});
