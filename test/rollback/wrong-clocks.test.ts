import { Writable } from 'node:stream';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HandClock } from '../stream/embedded-place.ts';
import { dayMs, hourMs, minuteMs, noon, planWith, requestWith, Site } from './site.ts';

let site: Site;
beforeEach(() => {
  site = new Site();
});
afterEach(() => site.remove());

/** One more process, whose clock is off by so much; it only asks. */
const asking = (offMs: number) =>
  site.executor({ clock: new HandClock(noon + offMs), isActing: () => false });

async function bad(executor: ReturnType<Site['executor']>, release: string): Promise<string | undefined> {
  site.target.release = release;
  await executor.request(requestWith({ release }));
  for (let rounds = 0; rounds < 3; rounds++) await executor.round();
  return executor.status(undefined).attempts.at(-1)?.state;
}

/** The process that was ahead went as far as it could, and another one has its place. */
async function afterOneAhead(): Promise<ReturnType<Site['executor']>> {
  await bad(site.executor({ clock: new HandClock(noon + 365 * dayMs) }), 'v2');
  const next = site.executor();
  await next.round();
  return next;
}

describe('after an event of a process whose clock was a year ahead', () => {
  beforeEach(async () => {
    await asking(365 * dayMs).decisions.stopAll('ana', 'an audit');
    await asking(0).decisions.resume('ana');
  });

  test('events have their own times again', async () => {
    await bad(site.executor(), 'v2');
    const times = site.journal.records.map(
      ({ payload }) => JSON.parse(Buffer.from(payload).toString()).timeMs,
    );
    expect(times).toEqual([noon + 365 * dayMs, ...times.slice(1).map(() => noon)]);
  });

  test('a target cools down and is acted on again', async () => {
    const executor = site.executor();
    expect(await bad(executor, 'v2')).toBe('done');
    site.clock.advance(29 * minuteMs);
    expect(await bad(executor, 'v3')).toBe('refused');
    site.clock.advance(2 * minuteMs);
    expect(await bad(executor, 'v3')).toBe('done');
  });

  test('a rollback that does not help fails in time', async () => {
    site.figures.clear();
    const executor = site.executor();
    expect(await bad(executor, 'v2')).toBe('verifying');
    site.clock.advance(20 * minuteMs);
    await executor.round();
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'failed' }]);
  });
});

describe('of an attempt that a process acted on whose clock was a year ahead', () => {
  test('the target cools down from when the next one read of it', async () => {
    const executor = await afterOneAhead();
    expect(await bad(executor, 'v3')).toBe('refused');
    site.clock.advance(31 * minuteMs);
    expect(await bad(executor, 'v3')).toBe('done');
  });

  test('the cap of a day counts it for a day', async () => {
    site.plan = planWith({ perDay: 1 });
    const executor = await afterOneAhead();
    site.clock.advance(dayMs);
    expect(await bad(executor, 'v3')).toBe('done');
  });

  test('the verification ends', async () => {
    site.figures.clear();
    const executor = await afterOneAhead();
    site.clock.advance(20 * minuteMs);
    await executor.round();
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'failed' }]);
  });

  test('the approval expires, and its ticket is good until then for every process', async () => {
    site.plan = planWith({ mode: 'approve' });
    const executor = await afterOneAhead();
    const ticket = executor.status('ana').attempts[0]?.ticket ?? '';
    site.clock.advance(10 * minuteMs);
    const other = site.executor();
    await other.round();
    expect(other.status('ana').attempts[0]?.ticket).toBe(ticket);
    site.clock.advance(50 * minuteMs);
    await executor.round();
    expect(executor.status(undefined).attempts).toMatchObject([{ state: 'expired' }]);
  });
});

test('an act of a process whose clock was behind is not older than what was before it', async () => {
  await asking(0).decisions.stopAll('ana', 'an audit');
  await asking(0).decisions.resume('ana');
  await bad(site.executor({ clock: new HandClock(noon - 365 * dayMs) }), 'v2');
  expect(await bad(site.executor(), 'v3')).toBe('refused');
});

test.each([
  { aheadMs: 30_000, says: 0 },
  { aheadMs: hourMs, says: 1 },
])(
  'who reads events that are $aheadMs ms ahead says $says times that a clock is wrong',
  async ({ aheadMs, says }) => {
    const ahead = asking(aheadMs);
    await ahead.decisions.stopAll('ana', 'an audit');
    await ahead.decisions.resume('ana');
    let lines = '';
    const sink = new Writable({
      write: (chunk, _, done) => {
        lines += String(chunk);
        done();
      },
    });
    await site.executor({ log: pino({ level: 'error' }, sink) }).round();
    expect(lines.split('the clock of a machine is or was wrong')).toHaveLength(1 + says);
  },
);
