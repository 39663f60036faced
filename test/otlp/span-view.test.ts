import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { SpanIndex } from '../../src/otlp/span-index.ts';
import { SpanView } from '../../src/otlp/span-view.ts';
import { runs } from '../property-runs.ts';
import { field, keyTable, request, shuffled, sources } from './arbitraries.ts';
import {
  decodeRequest,
  encodeRequest,
  type OracleAttribute,
  type OracleRequest,
  type OracleResourceSpans,
  type OracleSpan,
  type OracleValue,
} from './oracle.ts';

const index = new SpanIndex(keyTable());
const view = new SpanView(index);

interface Placed {
  readonly span: OracleSpan;
  readonly resource: OracleResourceSpans;
  readonly scope: unknown;
}

function spansOf(decoded: OracleRequest): Placed[] {
  return (decoded.resourceSpans ?? []).flatMap((resource) =>
    (resource.scopeSpans ?? []).flatMap((scope) =>
      (scope.spans ?? []).map((span) => ({ span, resource, scope })),
    ),
  );
}

/** The value that must win a field: the first in priority, then the first that stands, that is not empty. */
function winner(placed: Placed, of: number): OracleValue | undefined {
  for (const source of sources.filter((candidate) => candidate.field === of)) {
    const attributes =
      source.place === 'span' ? placed.span.attributes : placed.resource.resource?.attributes;
    const found = attributes?.find(
      (attribute) => (attribute.key ?? '') === source.key && !isEmpty(attribute),
    );
    if (found) return found.value;
  }
  return undefined;
}

function isEmpty({ value }: OracleAttribute): boolean {
  if (!value) return true;
  if (value.stringValue !== undefined) return value.stringValue === '';
  if (value.bytesValue !== undefined) return value.bytesValue.length === 0;
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).length === 0;
  if (value.kvlistValue !== undefined) return (value.kvlistValue.values ?? []).length === 0;
  return value.boolValue === undefined && value.intValue === undefined && value.doubleValue === undefined;
}

function textOf(value: OracleValue | undefined): string | undefined {
  if (value?.arrayValue) return value.arrayValue.values?.[0]?.stringValue || undefined;
  return (
    value?.stringValue ?? value?.intValue ?? value?.doubleValue?.toString() ?? value?.boolValue?.toString()
  );
}

function numberOf(value: OracleValue | undefined): number | undefined {
  const text = value?.stringValue?.trim() || undefined;
  const number = Number(text ?? value?.intValue ?? value?.doubleValue ?? NaN);
  return number >= 0 && number < Infinity ? number : undefined;
}

function boolOf(value: OracleValue | undefined): boolean | undefined {
  const text = value?.stringValue?.toLowerCase();
  return value?.boolValue ?? (text === 'true' ? true : text === 'false' ? false : undefined);
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const isZero = (bytes: Uint8Array | undefined): boolean => /^0*$/.test(hex(bytes));

function expectSame(placed: Placed): void {
  const { span } = placed;
  expect(view.traceIdHex()).toBe(hex(span.traceId));
  expect(view.spanIdHex()).toBe(hex(span.spanId));
  expect(view.parentSpanIdHex()).toBe(isZero(span.parentSpanId) ? '' : hex(span.parentSpanId));
  expect(view.name()).toBe(span.name ?? '');
  expect(view.kind).toBe(span.kind ?? 0);
  expect(view.statusCode).toBe(span.status?.code ?? 0);
  expect(view.statusMessage()).toBe(span.status?.message ?? '');
  expect(view.startUnixNano()).toBe(BigInt(span.startTimeUnixNano ?? 0));
  expect(view.endUnixNano()).toBe(BigInt(span.endTimeUnixNano ?? 0));
  expect(view.startMs).toBe(Number(view.startUnixNano()) / 1e6);
  expect(view.endMs).toBe(Number(view.endUnixNano()) / 1e6);
  const exception = span.events?.findLast((event) => event.name === 'exception');
  const ofException = (key: string) =>
    textOf(exception?.attributes?.find((attribute) => attribute.key === key && !isEmpty(attribute))?.value);
  expect(view.exceptionType()).toBe(ofException('exception.type'));
  expect(view.exceptionMessage()).toBe(ofException('exception.message'));
  for (const of of Object.values(field)) {
    const value = winner(placed, of);
    expect(view.has(of)).toBe(value !== undefined);
    expect(view.string(of)).toBe(textOf(value));
    expect(view.number(of)).toBe(numberOf(value));
    expect(view.bool(of)).toBe(boolOf(value));
  }
}

test('a view says of every span what protobufjs says, whatever the encoder and with fields nobody knows', () => {
  fc.assert(
    fc.property(
      request,
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (wanted, numbers) => {
        const plain = encodeRequest(wanted);
        const random = (): number => numbers.next().value;
        for (const bytes of [plain, shuffled(plain, random)]) {
          const expected = spansOf(decodeRequest(bytes));
          index.read(bytes);
          expect(index.rejectedCount).toBe(0);
          expect(index.count).toBe(expected.length);
          const resources = [...new Set(expected.map((placed) => placed.resource))];
          const scopes = [...new Set(expected.map((placed) => placed.scope))];
          expected.forEach((placed, row) => {
            view.at(row);
            expectSame(placed);
            expect(view.resource).toBe(resources.indexOf(placed.resource));
            expect(view.scope).toBe(scopes.indexOf(placed.scope));
          });
        }
      },
    ),
    { numRuns: runs },
  );
});

test('a number is read whole at every width of its varint', () => {
  const { key, field: of } = sources.find(({ place }) => place === 'span')!;
  for (let bits = 0n; bits < 64n; bits++) {
    for (const value of [2n ** bits - 1n, 2n ** bits]) {
      const intValue = String(BigInt.asIntN(64, value));
      const attributes = [{ key, value: { intValue } }];
      const span = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), attributes };
      index.read(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }));
      const number = Number(intValue);
      expect(view.at(0).number(of)).toBe(number < 0 ? undefined : number);
    }
  }
});
