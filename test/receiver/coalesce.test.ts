import { describe, expect, it } from 'vitest';
import { Coalescer } from '../../src/receiver/coalesce.ts';

const windowMs = 120_000;

function coalescer(limit = 1000) {
  const clock = { ms: 1_790_000_000_000, nowMs: () => clock.ms };
  let work = 0;
  const memory = new Coalescer<number>({ windowMs, limit, clock });
  const run = (body: Uint8Array) => memory.run('protobuf', body, () => Promise.resolve(++work));
  return { clock, memory, run, worked: () => work };
}

describe.each([10, 100_000])('a body of %i bytes', (length) => {
  const body = (fill: number): Buffer => Buffer.alloc(length, fill);

  it('seen again is joined to the first answer, in flight or done', async () => {
    const { run, worked } = coalescer();
    const first = run(body(1));
    const second = run(body(1));
    expect([first.joined, second.joined]).toEqual([false, true]);
    expect(await second.answer).toBe(await first.answer);
    expect(run(body(1)).joined).toBe(true);
    expect(worked()).toBe(1);
  });

  it('is told apart from one that differs in any single bit, or in length', () => {
    const { run } = coalescer(100_000);
    run(body(0));
    for (let index = 0; index < Math.min(length, 2000); index++) {
      const other = body(0);
      other[(index * 7919) % length]! ^= 1 << (index % 8);
      expect(run(other).joined).toBe(false);
    }
    expect(run(Buffer.alloc(length + 1)).joined).toBe(false);
    expect(run(body(0)).joined).toBe(true);
  });

  it('is known for the window and forgotten after two', () => {
    const { clock, run } = coalescer();
    run(body(1));
    clock.ms += windowMs - 1;
    expect(run(body(1)).joined).toBe(true);
    clock.ms += windowMs / 2;
    run(body(2));
    clock.ms += windowMs - 1;
    expect(run(body(2)).joined).toBe(true);
    clock.ms += 2 * windowMs;
    expect(run(body(1)).joined).toBe(false);
  });

  it('is forgotten at once when its work fails, so that a repeat is tried again', async () => {
    const { memory } = coalescer();
    const failed = memory.run('protobuf', body(1), () => Promise.reject(new Error('no room')));
    const joined = memory.run('protobuf', body(1), () => Promise.resolve(1));
    await expect(failed.answer).rejects.toThrow('no room');
    await expect(joined.answer).rejects.toThrow('no room');
    const again = memory.run('protobuf', body(1), () => Promise.resolve(2));
    expect(again.joined).toBe(false);
    expect(await again.answer).toBe(2);
  });

  it('is not remembered without a window', () => {
    const memory = new Coalescer<number>({ windowMs: 0, limit: 10, clock: { nowMs: () => 0 } });
    expect(memory.run('protobuf', body(1), () => Promise.resolve(1)).joined).toBe(false);
    expect(memory.run('protobuf', body(1), () => Promise.resolve(1)).joined).toBe(false);
  });
});

it('tells apart the same bytes read in another encoding', () => {
  const memory = new Coalescer<number>({ windowMs, limit: 10, clock: { nowMs: () => 0 } });
  expect(memory.run('protobuf', Buffer.of(), () => Promise.resolve(1)).joined).toBe(false);
  expect(memory.run('json', Buffer.of(), () => Promise.resolve(2)).joined).toBe(false);
});

it('forgets the oldest bodies beyond its limit', () => {
  const { run } = coalescer(10);
  for (let index = 0; index < 11; index++) run(Buffer.of(index));
  expect(run(Buffer.of(10)).joined).toBe(true);
  expect(run(Buffer.of(0)).joined).toBe(false);
});
