import * as fc from 'fast-check';
import type { Family, Labels, Sample } from '../../src/kpi/family.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', ' ', '#', '{', '}', ',', '='), maxLength: 8 }),
);
const anyCount = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e300, noNaN: true }));

const anyExemplar = fc.option(
  fc.record({
    traceId: fc.constantFrom('0af7651916cd43dd8448eb211c80319c', 'ffffffffffffffffffffffffffffffff'),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    timeMs: fc.nat({ max: 4e12 }),
  }),
  { nil: undefined },
);

/** Different sets of labels, each a series. */
const anySeries = fc
  .uniqueArray(fc.tuple(anyText, anyText), { maxLength: 4, selector: ([a, b]) => JSON.stringify([a, b]) })
  .map((all) =>
    all.map(([agent, tool]): Labels => [
      ['agent', agent],
      ['tool', tool],
    ]),
  );

const withExemplar = (sample: Sample, exemplar: Sample['exemplar']): Sample =>
  exemplar === undefined ? sample : { ...sample, exemplar };

const anyHelp = anyText.map((text) => `Help ${text}`);

const anyValued = (kind: 'counter' | 'gauge', anyValue: fc.Arbitrary<number>) =>
  fc
    .record({ help: anyHelp, series: anySeries, values: fc.infiniteStream(fc.tuple(anyValue, anyExemplar)) })
    .map(({ help, series, values }) => ({
      help,
      kind,
      samples: series.map((labels) => {
        const [value, exemplar] = values.next().value ?? [0, undefined];
        return withExemplar({ labels, value }, exemplar);
      }),
    }));

const bounds = ['0.005', '1', '2.5', '60', '+Inf'];
const anyHistogram = fc
  .record({
    help: anyHelp,
    series: anySeries,
    counts: fc.infiniteStream(fc.nat(1000)),
    exemplar: anyExemplar,
  })
  .map(({ help, series, counts, exemplar }) => ({
    help,
    kind: 'histogram' as const,
    samples: series.flatMap((labels) => {
      let count = 0;
      const buckets = bounds.map((bound): Sample => {
        count += counts.next().value ?? 0;
        return withExemplar(
          { suffix: '_bucket', labels: [...labels, ['le', bound]], value: count },
          exemplar,
        );
      });
      return [
        ...buckets,
        withExemplar({ suffix: '_sum', labels, value: count / 3 }, exemplar),
        { suffix: '_count' as const, labels, value: count },
      ];
    }),
  }));

/** Families with different names, with and without a unit, and any labels, help and exemplars. */
export const anyFamilies: fc.Arbitrary<readonly Family[]> = fc
  .array(fc.oneof(anyValued('counter', anyCount), anyValued('gauge', fc.double()), anyHistogram), {
    maxLength: 4,
  })
  .map((all) =>
    all.map((family, n) => {
      const unit = ['_seconds', '', '_usd', '_ratio', '_bytes'][n % 5] ?? '';
      return { ...family, name: `plimsoll_m${n}${unit}${family.kind === 'counter' ? '_total' : ''}` };
    }),
  );
