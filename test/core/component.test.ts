import { expect, test } from 'vitest';
import { startAll, stopAll, type Component } from '../../src/core/component.ts';

const deadline = new AbortController().signal;

function recorder(said: string[], name: string, faults: { start?: boolean; stop?: boolean } = {}): Component {
  const act = (verb: 'start' | 'stop') => () => {
    said.push(`${verb} ${name}`);
    return faults[verb] ? Promise.reject(new Error(`${name} cannot ${verb}`)) : Promise.resolve();
  };
  return { name, start: act('start'), stop: act('stop') };
}

test('sinks start before sources, and sources stop before sinks', async () => {
  const said: string[] = [];
  const flow = ['source', 'sink'].map((name) => recorder(said, name));
  await startAll(flow, deadline);
  await stopAll(flow, deadline);
  expect(said).toEqual(['start sink', 'start source', 'stop source', 'stop sink']);
});

test('a component that cannot start stops those that did and reports its own fault', async () => {
  const said: string[] = [];
  const flow = [
    recorder(said, 'source'),
    recorder(said, 'middle', { start: true }),
    recorder(said, 'sink', { stop: true }),
  ];
  await expect(startAll(flow, deadline)).rejects.toThrow('middle cannot start');
  expect(said).toEqual(['start sink', 'start middle', 'stop middle', 'stop sink']);
});

test('every component is stopped even when one fails, and the faults are reported together', async () => {
  const said: string[] = [];
  const flow = [recorder(said, 'source', { stop: true }), recorder(said, 'sink')];
  await expect(stopAll(flow, deadline)).rejects.toThrow('cannot stop cleanly: Error: source cannot stop');
  expect(said).toEqual(['stop source', 'stop sink']);
});
