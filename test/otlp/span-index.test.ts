import * as fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { Rewrite } from '../../src/otlp/rewrite.ts';
import { limitSpans, SpanIndex } from '../../src/otlp/span-index.ts';
import { SpanView } from '../../src/otlp/span-view.ts';
import { runs } from '../property-runs.ts';
import { field, keyTable, request, shuffled } from './arbitraries.ts';
import {
  decodeRequest,
  encodeRequest,
  encodeSpan,
  requestType,
  type OracleSpan,
  type OracleValue,
} from './oracle.ts';

const index = new SpanIndex(keyTable());
const view = new SpanView(index);
const rewrite = new Rewrite();
const ids = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2) };

/** A ScopeSpans request around spans that are already bytes. */
function requestOf(...spans: Uint8Array[]): Uint8Array {
  const scope = protobuf.Writer.create();
  for (const span of spans) scope.uint32(0x12).bytes(span);
  const resource = protobuf.Writer.create().uint32(0x12).bytes(scope.finish());
  return protobuf.Writer.create().uint32(0x0a).bytes(resource.finish()).finish();
}

function oneSpan(span: OracleSpan): Uint8Array {
  return requestOf(encodeSpan(span));
}

/** A valid request with the last byte of `text` made one that UTF-8 has not there. */
function spoiled(text: string): Uint8Array {
  const bytes = Buffer.from(
    encodeRequest({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'résumé', value: { stringValue: 'née' } }] },
          scopeSpans: [{ scope: { name: 'ô' }, spans: [ids] }],
        },
      ],
    }),
  );
  const at = bytes.indexOf(text);
  bytes[at + Buffer.byteLength(text) - 1] = 0x41;
  return bytes;
}

/** Content with a length that goes on, but whose first two bytes, if they were all of it, would say its size. */
function disguised(content: Uint8Array): Buffer {
  const low = (content.length % 128) + 128;
  return Buffer.concat([Buffer.from([low, (content.length - low) / 128 + 1]), content]);
}

function readFailure(bytes: Uint8Array): Failure {
  try {
    index.read(bytes);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('the request was read');
}

/** `bytes` as the middle of a larger buffer whose other bytes would be taken for more of the request. */
function amidst(bytes: Uint8Array, canary: number): Uint8Array {
  const around = new Uint8Array(bytes.length + 128).fill(canary);
  around.set(bytes, 64);
  return around.subarray(64, 64 + bytes.length);
}

/** Everything that can be read of an index, as one text; a Failure as its message. */
function everything(bytes: Uint8Array): string {
  const said: unknown[] = [];
  try {
    index.read(bytes);
  } catch (error) {
    if (error instanceof Failure && error.kind === 'invalid') return error.message;
    throw error;
  }
  for (let row = 0; row < index.count; row++) {
    view.at(row);
    said.push(
      view.traceIdHex(),
      view.spanIdHex(),
      view.parentSpanIdHex(),
      view.name(),
      view.kind,
      view.statusCode,
    );
    said.push(
      view.statusMessage(),
      String(view.startUnixNano()),
      String(view.endUnixNano()),
      view.exceptionType(),
      view.exceptionMessage(),
    );
    for (const of of Object.values(field))
      said.push(view.source(of), view.string(of), view.number(of), view.bool(of));
  }
  rewrite.begin(index);
  for (let row = 0; row < index.count; row++) {
    for (let mark = index.spans.marksFrom[row]!; mark < index.spans.marksFrom[row + 1]!; mark++)
      rewrite.drop(mark);
    rewrite.endSpan();
  }
  for (const { payload } of rewrite.finish(3)) said.push(payload.toString('hex'));
  return JSON.stringify([said, [...index.rejections]]);
}

const mutation = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('set', 'cut', 'insert', 'remove'),
  byte: fc.nat(255),
});

function mutated(
  bytes: Uint8Array,
  mutations: readonly { at: number; kind: string; byte: number }[],
): Uint8Array {
  let out = Buffer.from(bytes);
  for (const { at, kind, byte } of mutations) {
    const offset = out.length === 0 ? 0 : at % out.length;
    if (kind === 'set' && out.length > 0) out[offset] = byte;
    else if (kind === 'cut') out = out.subarray(0, offset);
    else if (kind === 'insert')
      out = Buffer.concat([out.subarray(0, offset), Buffer.from([byte]), out.subarray(offset)]);
    else if (kind === 'remove') out = Buffer.concat([out.subarray(0, offset), out.subarray(offset + 1)]);
  }
  return out;
}

const numbers = fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }));
const hostile = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => requestOf(bytes)),
  fc
    .tuple(request, numbers, fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([made, stream, mutations]) =>
      mutated(
        shuffled(encodeRequest(made), () => stream.next().value),
        mutations,
      ),
    ),
);

describe('hostile bytes', () => {
  test('are refused as invalid or read, and what stands around them is never read', () => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        const exact = everything(Uint8Array.from(bytes));
        for (const canary of [0x00, 0x0a, 0x4a, 0x80, 0xff])
          expect(everything(amidst(bytes, canary))).toBe(exact);
      }),
      { numRuns: runs },
    );
  });

  test('that pass can be read by a strict decoder', () => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        try {
          index.read(bytes);
        } catch {
          return;
        }
        rewrite.begin(index);
        for (let row = 0; row < index.count; row++) rewrite.endSpan();
        for (const { payload } of rewrite.finish(1)) requestType.decode(payload);
      }),
      { numRuns: runs },
    );
  });
});

describe('a request', () => {
  test('without anything in it is valid and has no spans', () => {
    index.read(new Uint8Array(0));
    expect(index.count).toBe(0);
    expect(index.rejectedCount).toBe(0);
    index.read(encodeRequest({ resourceSpans: [{ scopeSpans: [{}, {}] }, {}] }));
    expect(index.count).toBe(0);
    expect(index.looksLikeLogs).toBe(false);
  });

  test('whose frame is broken is invalid as a whole, and says where', () => {
    const whole = oneSpan(ids);
    for (let length = 1; length < whole.length; length++) {
      const failure = readFailure(whole.subarray(0, length));
      expect(failure.kind).toBe('invalid');
      expect(failure.message).toMatch(/at byte \d+/);
      expect(index.count).toBe(0);
    }
  });

  test('larger than an offset can say is invalid', () => {
    expect(readFailure(new Uint8Array(2 ** 26)).message).toBe(
      'the request of 67108864 bytes is larger than 67108863',
    );
  });

  test('of more spans than an index has room for is refused, and what may be done is said', () => {
    const span = encodeSpan(ids);
    const one = protobuf.Writer.create().uint32(0x12).bytes(span).finish();
    const ofSpans = (count: number): Uint8Array => {
      const scope = Buffer.alloc(one.length * count, one);
      const resource = protobuf.Writer.create().uint32(0x12).bytes(scope).finish();
      return protobuf.Writer.create().uint32(0x0a).bytes(resource).finish();
    };
    expect(readFailure(ofSpans(limitSpans + 1)).message).toBe(
      'the request has more than 262144 spans: send smaller batches',
    );
    expect(index.count).toBe(0);
    index.read(ofSpans(limitSpans));
    expect(index.count).toBe(limitSpans);
  });

  test('with a resource or scope that is not UTF-8 is invalid', () => {
    expect(readFailure(spoiled('ré')).message).toBe(
      'a resource is not valid: a name, attribute key or text value is not valid UTF-8',
    );
    expect(readFailure(spoiled('né')).message).toBe(
      'a resource is not valid: a name, attribute key or text value is not valid UTF-8',
    );
    expect(readFailure(spoiled('ô')).message).toBe(
      'an instrumentation scope is not valid: a name, attribute key or text value is not valid UTF-8',
    );
  });

  test('with ten thousand attributes on a span, or as many spans as attributes, is fine', () => {
    const attributes = Array.from({ length: 10_000 }, (_, k) => ({
      key: `gen_ai.prompt.${k}`,
      value: { intValue: String(k) },
    }));
    attributes.push({ key: 'gen_ai.usage.input_tokens', value: { intValue: '77' } });
    index.read(oneSpan({ ...ids, attributes }));
    expect(index.spans.marksFrom[1]).toBe(10_000);
    expect(view.at(0).number(field.tokens)).toBe(77);
    index.read(requestOf(...Array.from({ length: 100_000 }, () => encodeSpan({ ...ids, name: 'n' }))));
    expect(index.count).toBe(100_000);
    expect(view.at(99_999).name()).toBe('n');
    index.read(oneSpan({ ...ids, name: 'small again' }));
    expect(view.at(0).name()).toBe('small again');
  });

  test('of log records sent to the endpoint for traces is recognised, and only then', () => {
    const record = protobuf.Writer.create()
      .uint32(0x09)
      .fixed64(1)
      .uint32(0x10)
      .uint32(9)
      .uint32(0x2a)
      .bytes(Buffer.from([0x0a, 1, 0x61]));
    const logs = record.uint32(0x4a).bytes(ids.traceId).finish();
    index.read(requestOf(logs, logs));
    expect(index.looksLikeLogs).toBe(true);
    expect([...index.rejections]).toEqual([
      ['it is a log record, not a span: send it to the endpoint for logs', 2],
    ]);
    index.read(requestOf(logs, encodeSpan(ids)));
    expect(index.looksLikeLogs).toBe(false);
    expect(index.rejectedCount).toBe(1);
  });
});

describe('a span that is not valid is left out alone, with the reason', () => {
  const nested = (depth: number): OracleValue =>
    depth === 0 ? { stringValue: 'x' } : { arrayValue: { values: [nested(depth - 1)] } };
  const deep = (depth: number): Uint8Array => {
    let value = Buffer.from([0x18, 1]);
    for (let k = 0; k < depth; k++)
      value = Buffer.concat([Buffer.from([0x2a]), lengthOf(lengthOf(value, 0x0a))]);
    return Buffer.concat([
      encodeSpan(ids),
      Buffer.from([0x4a]),
      lengthOf(Buffer.concat([Buffer.from([0x0a, 1, 0x61, 0x12]), lengthOf(value)])),
    ]);
  };
  const nineBytes = Array.from({ length: 9 }, () => 0xff);
  const attributeWith = (keyValue: Uint8Array): Uint8Array =>
    Buffer.concat([encodeSpan(ids), Buffer.from([0x4a]), keyValue]);
  const longText = Buffer.concat([Buffer.from([0x0a]), disguised(Buffer.alloc(16_600, 0x61))]);
  const twoTexts = [0, 1].map(() => lengthOf(lengthOf(Buffer.alloc(61, 0x61), 0x0a), 0x0a));
  const notText = Buffer.from([0x61, 0xff]);
  const malformed =
    'the span is not a valid protobuf message (a field is truncated or has the wrong wire type)';
  const text = 'a name, attribute key or text value is not valid UTF-8';
  test.for<[string, Uint8Array, string]>([
    [
      'a short trace id',
      encodeSpan({ ...ids, traceId: Buffer.alloc(15, 1) }),
      'trace_id is not 16 bytes, or all zero',
    ],
    ['no trace id', encodeSpan({ spanId: ids.spanId }), 'trace_id is not 16 bytes, or all zero'],
    [
      'a trace id of zeros',
      encodeSpan({ ...ids, traceId: Buffer.alloc(16) }),
      'trace_id is not 16 bytes, or all zero',
    ],
    [
      'a long span id',
      encodeSpan({ ...ids, spanId: Buffer.alloc(9, 1) }),
      'span_id is not 8 bytes, or all zero',
    ],
    ['no span id', encodeSpan({ traceId: ids.traceId }), 'span_id is not 8 bytes, or all zero'],
    [
      'a span id of zeros',
      encodeSpan({ ...ids, spanId: Buffer.alloc(8) }),
      'span_id is not 8 bytes, or all zero',
    ],
    [
      'a short parent id',
      encodeSpan({ ...ids, parentSpanId: Buffer.alloc(7, 1) }),
      'parent_span_id is neither empty nor 8 bytes',
    ],
    ['a truncated field', encodeSpan({ ...ids, name: 'long name' }).subarray(0, -3), malformed],
    [
      'a truncated attribute',
      encodeSpan({ ...ids, attributes: [{ key: 'key', value: { stringValue: 'value' } }] }).subarray(0, -3),
      malformed,
    ],
    [
      'a truncated unknown field',
      Buffer.concat([encodeSpan(ids), Buffer.from([0xa1, 0x01, 1, 2, 3])]),
      malformed,
    ],
    [
      'an integer of more than 64 bits',
      Buffer.concat([encodeSpan(ids), Buffer.from([0x30, ...nineBytes, 0x02])]),
      malformed,
    ],
    // Lengths of which a part would be taken for the whole: the bytes behind would fit.
    [
      'an attribute with a length that goes on',
      attributeWith(disguised(Buffer.concat([Buffer.from([0x0a, 1, 0x61, 0x12]), disguised(longText)]))),
      malformed,
    ],
    [
      'a key with a length that goes on',
      attributeWith(
        lengthOf(
          Buffer.concat([Buffer.from([0x0a, 133]), Buffer.alloc(133, 0x61), Buffer.from([0x12, 2, 0x10, 1])]),
        ),
      ),
      malformed,
    ],
    [
      'a list with a length that goes on',
      attributeWith(
        lengthOf(
          Buffer.concat([
            Buffer.from([0x0a, 1, 0x61, 0x12]),
            lengthOf(Buffer.concat([Buffer.from([0x2a, 130]), ...twoTexts])),
          ]),
        ),
      ),
      malformed,
    ],
    ['a group', Buffer.concat([encodeSpan(ids), Buffer.from([0x8b, 0x7d, 0x8c, 0x7d])]), malformed],
    ['field number 0', Buffer.concat([encodeSpan(ids), Buffer.from([0x02, 0])]), malformed],
    [
      'a varint of eleven bytes',
      Buffer.concat([encodeSpan(ids), Buffer.from([0x30, ...Array.from({ length: 10 }, () => 0xff), 1])]),
      malformed,
    ],
    [
      'a truncated status code',
      Buffer.concat([encodeSpan(ids), Buffer.from([0x7a, 2, 0x18, 0x82])]),
      malformed,
    ],
    ['a time that is a varint', Buffer.concat([encodeSpan(ids), Buffer.from([0x38, 1])]), malformed],
    ['a link with a short id', encodeSpan({ ...ids, links: [{ traceId: Buffer.alloc(3) }] }), malformed],
    ['a name that is not UTF-8', Buffer.concat([encodeSpan(ids), Buffer.from([0x2a, 2]), notText]), text],
    [
      'a key that is not UTF-8',
      Buffer.concat([encodeSpan(ids), Buffer.from([0x4a, 4, 0x0a, 2]), notText]),
      text,
    ],
    [
      'a value that is not UTF-8',
      Buffer.concat([encodeSpan(ids), Buffer.from([0x4a, 9, 0x0a, 1, 0x61, 0x12, 4, 0x0a, 2]), notText]),
      text,
    ],
    [
      'a list with a text that is not UTF-8',
      attributeWith(
        lengthOf(Buffer.concat([Buffer.from([0x0a, 1, 0x61, 0x12, 8, 0x2a, 6, 0x0a, 4, 0x0a, 2]), notText])),
      ),
      text,
    ],
    ['a value nested too deeply', deep(60), 'an attribute value is nested too deeply'],
  ])('%s', ([, span, reason]) => {
    index.read(
      requestOf(encodeSpan({ ...ids, name: 'before' }), span, encodeSpan({ ...ids, name: 'behind' })),
    );
    expect([...index.rejections]).toEqual([[reason, 1]]);
    expect(index.count).toBe(2);
    expect(view.at(0).name()).toBe('before');
    expect(view.at(1).name()).toBe('behind');
  });

  test('and what it said does not show in the span behind it', () => {
    const attributes = [
      { key: 'gen_ai.agent.name', value: { stringValue: 'ghost' } },
      { key: 'input.value', value: { stringValue: 'ghost' } },
    ];
    const bad = encodeSpan({
      traceId: ids.traceId,
      name: 'ghost',
      kind: 3,
      attributes,
      status: { code: 2, message: 'ghost' },
    });
    index.read(requestOf(bad, encodeSpan(ids)));
    view.at(0);
    expect([view.name(), view.kind, view.statusCode, view.statusMessage(), view.has(field.agent)]).toEqual([
      '',
      0,
      0,
      '',
      false,
    ]);
    expect(index.spans.marksFrom[1]).toBe(0);
  });

  test('a parent id of zeros is no parent, and numbers may take more bytes than they need', () => {
    const padded = Buffer.from([0x30, 0x83, 0x00, 0x7a, 3, 0x18, 0x82, 0x00]);
    index.read(requestOf(Buffer.concat([encodeSpan({ ...ids, parentSpanId: Buffer.alloc(8) }), padded])));
    expect(view.at(0).parentSpanIdHex()).toBe('');
    expect([view.kind, view.statusCode]).toEqual([3, 2]);
  });

  test('a value nested less deeply is fine', () => {
    index.read(oneSpan({ ...ids, attributes: [{ key: 'a', value: nested(20) }] }));
    expect(index.count).toBe(1);
    index.read(requestOf(deep(41)));
    expect(index.count).toBe(1);
    expect(decodeRequest(requestOf(deep(41)))).toBeDefined();
  });
});

function lengthOf(content: Uint8Array, tag?: number): Buffer<ArrayBuffer> {
  const prefix = protobuf.Writer.create().bytes(content).finish();
  return Buffer.concat([Buffer.from(tag === undefined ? [] : [tag]), prefix]);
}
