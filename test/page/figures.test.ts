import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eValueText } from '../../src/judge/e-value.ts';
import { EventText } from '../../src/page/site/event-text.js';
import {
  ago,
  amountOf,
  asked,
  duration,
  evidence,
  figure,
  points,
  rate,
  ratio,
  seconds,
  usd,
} from '../../src/page/site/figures.js';
import { runs } from '../property-runs.ts';

const plain = (text: string): string => text.replaceAll('\u202f', ' ');

describe('figures read as people write them', () => {
  test('shares, money and time', () => {
    const written = [ratio(0.912), ratio(1), ratio(0), usd(0.0123), usd(1234.5), usd(0), usd(-0.5), seconds(0.042), seconds(12.44), seconds(600)]; // prettier-ignore
    expect(written.map(plain)).toEqual(['91.2 %', '100.0 %', '0.0 %', '$0.0123', '$1,234.50', '$0.00', '−$0.500', '42 ms', '12.4 s', '10.0 min']); // prettier-ignore
    expect([figure(0.00048, 'incidents'), figure(12, 'incidents'), figure(null, 'USD')]).toEqual([
      '0.00048',
      '12',
      '–',
    ]);
    expect([asked(0.9, 'ratio'), asked(0.925, 'ratio'), asked(0.05, 'USD')].map(plain)).toEqual([
      '90 %',
      '92.5 %',
      '$0.05',
    ]);
    expect([points(-0.123), points(0.02), points(0)].map(plain)).toEqual([
      '−12.3 points',
      '+2.0 points',
      '±0.0 points',
    ]);
    expect([rate(0), rate(0.04), rate(3.21), rate(412.4), rate(1_284_000)].map(plain)).toEqual(['0 /s', '< 0.1 /s', '3.2 /s', '412 /s', '1.3M /s']); // prettier-ignore
  });

  test('amounts and ages', () => {
    expect([amountOf(1, 'runs'), amountOf(412, 'runs'), amountOf(1, 'successes')]).toEqual([
      '1 run',
      '412 runs',
      '1 success',
    ]);
    const nowMs = 1e12;
    expect([0, 90_000, 3.6e6 * 3, -9e9].map((agoMs) => ago(nowMs - agoMs, nowMs))).toEqual(['just now', '1 min ago', '3 h ago', 'just now']); // prettier-ignore
    expect(duration(3.6e6 * 72)).toBe('3 days');
    const logs = [Math.log(100), 0, 7.62, Math.log(999_999), 40, 800, -9];
    expect(logs.map(evidence)).toEqual(['100', '1', '2,040', '10^6', '10^17', '10^347', 'nearly 0']);
  });

  test('evidence is written as the reason of the verdict beside it has it', () => {
    fc.assert(
      fc.property(fc.double({ min: -10, max: 1000, noNaN: true }), (log) => {
        expect(evidence(log)).toBe(eValueText(log));
      }),
      { numRuns: runs },
    );
  });

  test('what is not all is never written as all, and what is not nothing never as nothing', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (value) => {
        const text = plain(ratio(value));
        expect(text === '100.0 %').toBe(value === 1);
        expect(text === '0.0 %').toBe(value === 0);
        expect(Math.abs(Number.parseFloat(text) / 100 - value)).toBeLessThanOrEqual(0.0011);
      }),
      { numRuns: runs },
    );
  });

  test('money keeps three digits that mean something', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (value) => {
        const read = Number(usd(value).replaceAll(/[$,]/g, ''));
        expect(Math.abs(read - value) / value).toBeLessThanOrEqual(0.0051);
      }),
      { numRuns: runs },
    );
  });
});

test('server-sent events are the same in whatever pieces they come', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n]/g, ''));
  const events = fc.array(
    fc.record({ name: fc.constantFrom('view', 'other'), data: fc.array(line, { minLength: 1 }) }),
  );
  const end = fc.constantFrom('\n', '\r', '\r\n');
  fc.assert(
    fc.property(events, end, fc.array(fc.nat(12)), (sent, eol, cuts) => {
      const text = sent
        .map(({ name, data }) =>
          [`: a comment`, `event: ${name}`, ...data.map((each) => `data: ${each}`), '', ''].join(eol),
        )
        .join('');
      const reader = new EventText();
      const read = [];
      let from = 0;
      for (const cut of cuts) read.push(...reader.push(text.slice(from, (from += cut))));
      read.push(...reader.push(text.slice(from)), ...reader.push(eol === '\r' ? ':' : ''));
      expect(read).toEqual(sent.map(({ name, data }) => ({ name, data: data.join('\n') })));
    }),
    { numRuns: runs },
  );
});
