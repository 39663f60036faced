import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { prefersOpenMetrics } from '../../src/metrics/accepted-format.ts';
import { runs } from '../property-runs.ts';

test.each([
  [
    'Prometheus 2.42',
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
  ],
  [
    'Prometheus 3',
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
  ],
  ['somebody who knows nothing else', 'application/openmetrics-text'],
  ['somebody who writes it otherwise', 'Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8'],
  ['somebody who would take text, too', 'text/plain;q=0.9, application/openmetrics-text'],
  ['somebody who wants anything but text', 'text/plain;q=0, */*'],
  ['a list with quotes in it', 'text/html;x="a,\\"b;q=1", application/openmetrics-text;version=1.0.0'],
])('%s gets OpenMetrics', (_, accept) => {
  expect(prefersOpenMetrics(accept)).toBe(true);
});

test.each([
  ['somebody who does not say', undefined],
  ['curl', '*/*'],
  ['a browser', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['somebody who knows neither', 'application/json'],
  ['somebody who says nothing', ''],
  ['somebody who would rather have text', 'application/openmetrics-text;q=0.5, text/plain'],
  ['somebody who has no wish', 'application/openmetrics-text, text/plain'],
  ['somebody who takes any text', 'application/openmetrics-text;q=0.2, text/*;q=0.3'],
  ['somebody who refuses it', 'application/openmetrics-text;q=0, */*'],
  ['somebody who knows an older version alone', 'application/openmetrics-text;version=0.0.1, */*;q=0.1'],
  [
    'somebody who wants Prometheus’ protocol buffers',
    'application/vnd.google.protobuf;encoding=delimited, text/plain;version=0.0.4;q=0.5',
  ],
  ['somebody whose weight is none', 'application/openmetrics-text;q=high, text/plain;q=0.1'],
])('%s gets the Prometheus text format', (_, accept) => {
  expect(prefersOpenMetrics(accept)).toBe(false);
});

test('property: any header is answered, and a greater weight is always the one that decides', () => {
  const weight = fc.integer({ min: 0, max: 1000 }).map((n) => n / 1000);
  fc.assert(
    fc.property(fc.string(), weight, weight, (text, q, other) => {
      expect(typeof prefersOpenMetrics(text)).toBe('boolean');
      const ranges = [`application/openmetrics-text;version=1.0.0;q=${q}`, `text/plain;q=${other}`];
      expect(prefersOpenMetrics(ranges.join(', '))).toBe(q > other);
      expect(prefersOpenMetrics(ranges.toReversed().join(','))).toBe(q > other);
    }),
    { numRuns: runs },
  );
});
