import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { AttributeKey } from '../../src/otlp/attributes.ts';
import { keyFlag } from '../../src/otlp/key-table.ts';
import { partitioners } from '../../src/otlp/partition.ts';
import { Rewrite } from '../../src/otlp/rewrite.ts';
import { markKind } from '../../src/otlp/span-columns.ts';
import { SpanIndex } from '../../src/otlp/span-index.ts';
import { runs } from '../property-runs.ts';
import { keyTable, request, shuffled } from './arbitraries.ts';
import {
  decodeWithUnknown,
  encodeRequest,
  type OracleAttribute,
  type OracleRequest,
  type OracleSpan,
} from './oracle.ts';

const index = new SpanIndex(keyTable());
const again = new SpanIndex(keyTable());
const rewrite = new Rewrite();

const numbers = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));

/** A request as one encoder or another writes it. */
const bytesOf = fc.tuple(request, fc.boolean(), numbers).map(([wanted, asOther, stream]) => {
  const plain = encodeRequest(wanted);
  return asOther ? shuffled(plain, () => stream.next().value) : plain;
});

type Added =
  | { readonly kind: 'string'; readonly key: string; readonly value: string }
  | { readonly kind: 'term'; readonly key: string; readonly value: string }
  | { readonly kind: 'int'; readonly key: string; readonly value: number }
  | { readonly kind: 'double'; readonly key: string; readonly value: number }
  | { readonly kind: 'bool'; readonly key: string; readonly value: boolean };

const key = fc.oneof(
  fc.constantFrom('plimsoll.step', 'plimsoll.cost.usd'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 150 }),
);
const someText = fc.oneof(
  fc.string({ maxLength: 10 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ minLength: 30, maxLength: 20_000 }),
);
const added: fc.Arbitrary<Added> = fc.oneof(
  fc.record({ kind: fc.constant('string'), key, value: someText }),
  fc.record({ kind: fc.constant('term'), key, value: someText }),
  fc.record({
    kind: fc.constant('int'),
    key,
    value: fc.oneof(fc.nat(), fc.maxSafeInteger(), fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 32 - 1)),
  }),
  fc.record({ kind: fc.constant('double'), key, value: fc.double() }),
  fc.record({ kind: fc.constant('bool'), key, value: fc.boolean() }),
);
const additions = fc.infiniteStream(fc.array(added, { maxLength: 4 }));

function add(attribute: Added): void {
  const of = new AttributeKey(attribute.key);
  const { attributes } = rewrite;
  if (attribute.kind === 'term') attributes.append(of.term(attribute.value));
  else if (attribute.kind === 'string') attributes.string(of, attribute.value);
  else if (attribute.kind === 'int') attributes.int(of, attribute.value);
  else if (attribute.kind === 'double') attributes.double(of, attribute.value);
  else attributes.bool(of, attribute.value);
}

function expected(attribute: Added): OracleAttribute {
  switch (attribute.kind) {
    case 'string':
      return { key: attribute.key, value: { stringValue: attribute.value } };
    case 'term':
      return { key: attribute.key, value: { stringValue: attribute.value } };
    case 'int':
      return { key: attribute.key, value: { intValue: String(attribute.value) } };
    case 'double':
      return { key: attribute.key, value: { doubleValue: attribute.value } };
    case 'bool':
      return { key: attribute.key, value: { boolValue: attribute.value } };
    default:
      throw new Error('no such kind');
  }
}

/** The request without resources and scopes that have no spans, and without empty lists. */
function pruned(decoded: OracleRequest, keep: (span: OracleSpan) => boolean = () => true): OracleRequest {
  const resourceSpans = (decoded.resourceSpans ?? [])
    .map((resource) => ({
      ...resource,
      scopeSpans: (resource.scopeSpans ?? [])
        .map((scope) => ({ ...scope, spans: (scope.spans ?? []).filter(keep) }))
        .filter((scope) => scope.spans.length > 0),
    }))
    .filter((resource) => resource.scopeSpans.length > 0);
  return resourceSpans.length > 0 ? { ...decoded, resourceSpans } : {};
}

function spansOf(decoded: OracleRequest): OracleSpan[] {
  return (decoded.resourceSpans ?? []).flatMap((resource) =>
    (resource.scopeSpans ?? []).flatMap((scope) => scope.spans ?? []),
  );
}

test('appended attributes come behind those the sender wrote, and nothing else changes', () => {
  fc.assert(
    fc.property(bytesOf, additions, (bytes, perSpan) => {
      const wanted = pruned(decodeWithUnknown(bytes));
      index.read(bytes);
      rewrite.begin(index);
      for (const span of spansOf(wanted)) {
        const more = perSpan.next().value;
        for (const attribute of more) add(attribute);
        rewrite.endSpan();
        if (more.length > 0) span.attributes = [...(span.attributes ?? []), ...more.map(expected)];
      }
      const written = rewrite.finish(1);
      expect(written.length).toBe(index.count === 0 ? 0 : 1);
      for (const { payload, spans } of written) {
        expect(decodeWithUnknown(payload)).toEqual(wanted);
        expect(spans).toBe(index.count);
        expect(payload.buffer.byteLength - payload.byteOffset - payload.length).toBe(64);
      }
    }),
    { numRuns: runs },
  );
});

test('an appended attribute is whole at every length of its key and its text', () => {
  const bytes = encodeRequest({
    resourceSpans: [
      { scopeSpans: [{ spans: [{ traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1) }] }] },
    ],
  });
  const aroundOneByte = Array.from({ length: 30 }, (_, k) => 105 + k);
  for (const keyLength of [1, 7, 8, 60, 110, 127, 128, 200]) {
    for (const length of [0, 1, 40, 41, ...aroundOneByte, 20_000]) {
      const ofLength = 'k'.repeat(keyLength);
      const value = 'v'.repeat(length);
      index.read(bytes);
      rewrite.begin(index);
      add({ kind: 'int', key: ofLength, value: 7 });
      add({ kind: 'string', key: ofLength, value });
      add({ kind: 'double', key: ofLength, value: -0.5 });
      add({ kind: 'term', key: ofLength, value });
      rewrite.endSpan();
      const [span] = spansOf(decodeWithUnknown(rewrite.finish(1)[0]!.payload));
      expect(span?.attributes).toEqual(
        [{ intValue: '7' }, { stringValue: value }, { doubleValue: -0.5 }, { stringValue: value }].map(
          (member) => ({ key: ofLength, value: member }),
        ),
      );
    }
  }
});

test('a request split by partition holds every span once, in order, under its own resource and scope', () => {
  fc.assert(
    fc.property(
      bytesOf,
      fc.integer({ min: 1, max: 12 }),
      fc.option(fc.integer({ min: 1, max: 3000 }), { nil: Infinity }),
      (bytes, partitions, limitBytes) => {
        index.read(bytes);
        rewrite.begin(index);
        for (let row = 0; row < index.count; row++) rewrite.endSpan();
        const written = rewrite.finish(partitions, limitBytes);
        const whole = decodeWithUnknown(bytes);
        for (let partition = 0; partition < partitions; partition++) {
          const mine = written.filter((one) => one.partition === partition);
          const wanted = pruned(
            whole,
            (span) => partitioners.murmur2(span.traceId!, 0, partitions) === partition,
          );
          expect(mine.flatMap(({ payload }) => spansOf(decodeWithUnknown(payload)))).toEqual(spansOf(wanted));
          for (const { payload, spans } of mine) {
            const decoded = decodeWithUnknown(payload);
            expect(spansOf(decoded).length).toBe(spans);
            if (payload.length > limitBytes && spans > 1) {
              // What spans share is not repeated for a few of them.
              again.read(payload);
              let ofSpans = 0;
              for (let row = 0; row < spans; row++)
                ofSpans += again.spans.end[row]! - again.spans.start[row]!;
              expect(payload.length).toBeLessThanOrEqual(4 * (payload.length - ofSpans));
            }
            const held = new Set(spansOf(decoded).map((span) => JSON.stringify(span)));
            expect(decoded).toEqual(pruned(wanted, (span) => held.has(JSON.stringify(span))));
          }
        }
      },
    ),
    { numRuns: runs },
  );
});

test('no request is longer than the limit, and a span that does not fit would not, alone', () => {
  fc.assert(
    fc.property(
      bytesOf,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 30, max: 2000 }),
      fc.integer({ min: 1, max: 2000 }),
      (bytes, partitions, limitBytes, cutBytes) => {
        index.read(bytes);
        rewrite.begin(index, limitBytes);
        const fit = Array.from({ length: index.count }, () => {
          const fits = rewrite.fits();
          if (fits) rewrite.endSpan();
          else rewrite.omitSpan();
          return fits;
        });
        const written = rewrite.finish(partitions, cutBytes);
        for (const { payload } of written) expect(payload.length).toBeLessThanOrEqual(limitBytes);
        const spans = written.reduce((sum, one) => sum + one.spans, 0);
        expect(spans).toBe(fit.filter(Boolean).length);
        for (const [row, fits] of fit.entries()) {
          if (fits) continue;
          rewrite.begin(index);
          for (let other = 0; other < index.count; other++)
            if (other === row) rewrite.endSpan();
            else rewrite.omitSpan();
          const [alone] = rewrite.finish(1);
          expect(alone?.payload.length).toBeGreaterThan(limitBytes - 24); // headers are taken to be as long as they may be
        }
      },
    ),
    { numRuns: runs },
  );
});

test('spans that are left out are gone, with resources and scopes that had no others', () => {
  fc.assert(
    fc.property(bytesOf, fc.infiniteStream(fc.boolean()), (bytes, omitted) => {
      const whole = decodeWithUnknown(bytes);
      const kept = new Set<OracleSpan>();
      index.read(bytes);
      rewrite.begin(index);
      for (const span of spansOf(whole)) {
        if (omitted.next().value) {
          add({ kind: 'bool', key: 'of-an-omitted-span', value: true });
          rewrite.omitSpan();
        } else {
          kept.add(span);
          rewrite.endSpan();
        }
      }
      const [written] = rewrite.finish(1);
      expect(written ? decodeWithUnknown(written.payload) : {}).toEqual(
        pruned(whole, (span) => kept.has(span)),
      );
    }),
    { numRuns: runs },
  );
});

function isMarked({ key: name = '' }: OracleAttribute): boolean {
  return (
    name.startsWith('gen_ai.prompt.') ||
    ['input.value', 'exception.message', 'é'].includes(name) ||
    name.startsWith('plimsoll.')
  );
}

/** What marks of one span must be: by the oracle, in the order of the wire, when fields stand in order. */
function markedOf(span: OracleSpan): string[] {
  return [
    ...(span.attributes ?? []).filter(isMarked).map((attribute) => `span ${attribute.key}`),
    ...(span.events ?? []).flatMap((event) =>
      (event.attributes ?? []).filter(isMarked).map((attribute) => `event ${attribute.key}`),
    ),
    ...(span.links ?? []).flatMap((link) =>
      (link.attributes ?? []).filter(isMarked).map((attribute) => `event ${attribute.key}`),
    ),
    ...(span.status?.message ? ['status message'] : []),
  ].toSorted();
}

test('marks are exactly the content, own and foreign attributes and the status message', () => {
  fc.assert(
    fc.property(bytesOf, (bytes) => {
      index.read(bytes);
      const { marks, spans } = index;
      spansOf(decodeWithUnknown(bytes)).forEach((span, row) => {
        const found: string[] = [];
        for (let mark = spans.marksFrom[row]!; mark < spans.marksFrom[row + 1]!; mark++) {
          const name = index.bytes.toString('utf8', marks.keyAt[mark], marks.keyEnd[mark]);
          if (marks.kind[mark] === markKind.statusMessage)
            found.push(...(marks.sizeBytes[mark] === 0 ? [] : ['status message']));
          else found.push(`${marks.kind[mark] === markKind.eventAttribute ? 'event' : 'span'} ${name}`);
          const isForeign = name.startsWith('plimsoll.') && name !== 'plimsoll.agent';
          expect((marks.flags[mark]! & keyFlag.foreign) !== 0).toBe(isForeign);
          expect((marks.flags[mark]! & keyFlag.own) !== 0).toBe(name === 'plimsoll.agent');
          const { keys, bytes: read, view } = index;
          const keyBytes = marks.keyEnd[mark]! - marks.keyAt[mark]!;
          expect(marks.entry[mark]).toBe(keys.find(read, view, marks.keyAt[mark]!, keyBytes));
        }
        expect(found.toSorted()).toEqual(markedOf(span));
      });
    }),
    { numRuns: runs },
  );
});

test('dropping some marks removes exactly these and keeps all the rest', () => {
  fc.assert(
    fc.property(
      request,
      fc.infiniteStream(fc.boolean()),
      fc.array(added, { maxLength: 2 }),
      (made, choices, more) => {
        // Fields stand in order here, so that the oracle's order of attributes is that of the marks.
        const bytes = encodeRequest(made);
        const wanted = pruned(decodeWithUnknown(bytes));
        index.read(bytes);
        rewrite.begin(index);
        const { marks, spans } = index;
        spansOf(wanted).forEach((span, row) => {
          const all = [
            span.attributes ?? [],
            ...(span.events ?? []).map((event) => event.attributes ?? []),
            ...(span.links ?? []).map((link) => link.attributes ?? []),
          ].flat();
          const dropped = new Set<OracleAttribute>();
          let next = 0;
          for (let mark = spans.marksFrom[row]!; mark < spans.marksFrom[row + 1]!; mark++) {
            const isMessage = marks.kind[mark] === markKind.statusMessage;
            const name = index.bytes.toString('utf8', marks.keyAt[mark], marks.keyEnd[mark]);
            if (!isMessage) while ((all[next]!.key ?? '') !== name) next++;
            const attribute = isMessage ? undefined : all[next++];
            if (!choices.next().value) continue;
            rewrite.drop(mark);
            if (attribute) dropped.add(attribute);
            else delete span.status!.message;
          }
          for (const attribute of more) add(attribute);
          rewrite.endSpan();
          const without = (holder: { attributes?: OracleAttribute[] }, appended: OracleAttribute[]): void => {
            const left = [
              ...(holder.attributes ?? []).filter((attribute) => !dropped.has(attribute)),
              ...appended,
            ];
            if (left.length > 0) holder.attributes = left;
            else delete holder.attributes;
          };
          without(span, more.map(expected));
          for (const holder of [...(span.events ?? []), ...(span.links ?? [])]) without(holder, []);
        });
        const [written] = rewrite.finish(1);
        expect(written ? decodeWithUnknown(written.payload) : {}).toEqual(wanted);
      },
    ),
    { numRuns: runs },
  );
});

test('dropping some marks of resources and scopes removes exactly these from every request', () => {
  fc.assert(
    fc.property(
      bytesOf,
      fc.infiniteStream(fc.boolean()),
      fc.integer({ min: 1, max: 3 }),
      (bytes, choices, partitions) => {
        const whole = pruned(decodeWithUnknown(bytes));
        index.read(bytes);
        rewrite.begin(index);
        const { envelopeMarks: marks } = index;
        const dropped: string[] = [];
        const kept: string[] = [];
        for (let mark = 0; mark < marks.count; mark++) {
          const isDropped = choices.next().value;
          if (isDropped) rewrite.dropEnvelope(mark);
          const name = index.bytes.toString('utf8', marks.keyAt[mark], marks.keyEnd[mark]);
          const kind = marks.kind[mark] === markKind.resourceAttribute ? 'resource' : 'scope';
          (isDropped ? dropped : kept).push(`${kind} ${name}`);
        }
        expect([...dropped, ...kept].toSorted()).toEqual(markedOfEnvelopes(whole).toSorted());
        for (let row = 0; row < index.count; row++) rewrite.endSpan();
        const written = rewrite.finish(partitions).map(({ payload }) => decodeWithUnknown(payload));
        expect(written.flatMap(spansOf).length).toBe(spansOf(whole).length);
        const left = written.map((one) => markedOfEnvelopes(one).toSorted());
        if (partitions === 1) expect(left.flat()).toEqual(kept.toSorted());
        for (const one of left.flat()) expect(kept).toContain(one);
        expect(unmarked(written).filter((one) => !unmarked([whole]).includes(one))).toEqual([]);
      },
    ),
    { numRuns: runs },
  );
});

function rest({ attributes = [], ...others }: { attributes?: OracleAttribute[] } = {}): string {
  return JSON.stringify([others, attributes.filter((attribute) => !isMarked(attribute))]);
}

/** Resources and scopes without what can be dropped of them, as texts. */
function unmarked(requests: readonly OracleRequest[]): string[] {
  return requests.flatMap(({ resourceSpans = [] }) =>
    resourceSpans.flatMap(({ resource, scopeSpans = [] }) => [
      rest(resource),
      ...scopeSpans.map(({ scope }) => rest(scope)),
    ]),
  );
}

function names(kind: string, attributes: readonly OracleAttribute[] = []): string[] {
  return attributes.filter(isMarked).map(({ key: name = '' }) => `${kind} ${name}`);
}

function markedOfEnvelopes({ resourceSpans = [] }: OracleRequest): string[] {
  return resourceSpans.flatMap(({ resource, scopeSpans = [] }) => [
    ...names('resource', resource?.attributes),
    ...scopeSpans.flatMap(({ scope }) => names('scope', scope?.attributes)),
  ]);
}

test('a span that was not ended, and a mark of another span, are refused', () => {
  const attributes = [
    { key: 'input.value', value: { stringValue: 'x' } },
    { key: 'plimsoll.evil', value: {} },
  ];
  const one = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 1), attributes };
  index.read(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [one, one] }] }] }));
  rewrite.begin(index);
  rewrite.drop(1);
  expect(() => rewrite.drop(0)).toThrow('mark 0 is not of span 0, or was passed');
  expect(() => rewrite.drop(2)).toThrow('mark 2 is not of span 0, or was passed');
  rewrite.endSpan();
  expect(() => rewrite.finish(1)).toThrow('1 of 2 spans were ended: end each one');
  rewrite.endSpan();
  expect(() => rewrite.endSpan()).toThrow('no span is left');
  expect(rewrite.finish(1).length).toBe(1);
  expect(() => rewrite.endSpan()).toThrow('no span is left');
});
