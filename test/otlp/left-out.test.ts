import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { leftOutSpans } from '../../src/otlp/left-out.ts';
import { SpanIndex } from '../../src/otlp/span-index.ts';
import { runs } from '../property-runs.ts';
import { keyTable, request, shuffled } from './arbitraries.ts';
import { decodeRequest, decodeWithUnknown, encodeRequest, type OracleRequest } from './oracle.ts';

const index = new SpanIndex(keyTable());

/** The request without those spans, resources and scopes that hold nothing `wanted`. */
function pruned({ resourceSpans = [], ...rest }: OracleRequest, wanted: (spanId: string) => boolean) {
  const resources = resourceSpans.flatMap(({ scopeSpans = [], ...outer }) => {
    const scopes = scopeSpans.flatMap(({ spans = [], ...inner }) => {
      const left = spans.filter(({ spanId }) => wanted(Buffer.from(spanId ?? []).toString('hex')));
      return left.length > 0 ? [{ ...inner, spans: left }] : [];
    });
    return scopes.length > 0 ? [{ ...outer, scopeSpans: scopes }] : [];
  });
  return resources.length > 0 ? { ...rest, resourceSpans: resources } : {};
}

test('what is left out is the rest, with all that stands around it, however it is encoded', () => {
  fc.assert(
    fc.property(
      request,
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      fc.nat({ max: 3 }),
      (one, numbers, modulo) => {
        const random = (): number => numbers.next().value ?? 0;
        const invalid = new Set<string>();
        const spoilt: OracleRequest = {
          resourceSpans: (one.resourceSpans ?? []).map((outer) => ({
            ...outer,
            scopeSpans: (outer.scopeSpans ?? []).map((inner) => ({
              ...inner,
              spans: (inner.spans ?? []).map((span) => {
                if (random() < 0.5) return span;
                invalid.add(Buffer.from(span.spanId ?? []).toString('hex'));
                return { ...span, traceId: Buffer.alloc(16) };
              }),
            })),
          })),
        };
        const bytes = shuffled(encodeRequest(spoilt), random);
        index.read(bytes);
        const rows = Array.from({ length: index.count }, (_, row) => row).filter(
          (row) => modulo > 0 && row % modulo === 0,
        );
        const chosen = new Set(
          rows.map((row) => {
            const at = index.spans.spanIdAt[row] ?? 0;
            return Buffer.from(bytes.subarray(at, at + 8)).toString('hex');
          }),
        );
        const left = leftOutSpans(index, rows);
        const isWanted = (id: string): boolean => invalid.has(id) || chosen.has(id);
        expect(decodeWithUnknown(left)).toEqual(pruned(decodeWithUnknown(bytes), isWanted));
        if (left.length > 0) index.read(left);
        else expect(invalid.size + chosen.size).toBe(0);
      },
    ),
    { numRuns: runs },
  );
});

test('a request whose spans are all valid leaves nothing out', () => {
  const span = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) };
  index.read(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
  expect(decodeRequest(leftOutSpans(index))).toEqual({});
});
