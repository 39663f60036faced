import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../src/core/failure.ts';
import { Enricher } from '../../src/enrich/enricher.ts';
import { LogSpans } from '../../src/enrich/log-spans.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { logEvents } from '../../src/semconv/tables.ts';
import { constructedLogs } from '../fixtures.ts';
import {
  decodeRequest,
  encodeLogs,
  encodeRequest,
  type OracleAttribute,
  type OracleLog,
  type OracleLogs,
  type OracleSpan,
} from '../otlp/oracle.ts';
import { runs } from '../property-runs.ts';
import { attributesOf, type Values } from './one-span.ts';

const logSpans = new LogSpans();
const nanos = '1760000001000000000';
const traceId = Buffer.from('0af7651916cd43dd8448eb211c80319c', 'hex');
const spanId = Buffer.from('b7ad6b7169203331', 'hex');
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

function requestOf(records: readonly OracleLog[], scope = 'test'): OracleLogs {
  const resource = { attributes: attributesOf({ 'service.name': 'agent' }) };
  return { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: scope }, logRecords: [...records] }] }] };
}

const spansIn = (request: Uint8Array): OracleSpan[] =>
  (decodeRequest(request).resourceSpans ?? []).flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap(({ spans = [] }) => spans),
  );

const spansOf = (...records: readonly OracleLog[]): OracleSpan[] =>
  spansIn(logSpans.read(encodeLogs(requestOf(records))).request);

const record = (attributes: Values, rest: OracleLog = {}): OracleLog => ({
  timeUnixNano: nanos,
  attributes: attributesOf(attributes),
  ...rest,
});
const toolResult = (attributes: Values, rest: OracleLog = {}): OracleLog =>
  record({ 'session.id': 's', ...attributes }, { body: { stringValue: 'claude_code.tool_result' }, ...rest });
const without = (attributes: OracleAttribute[] = []): OracleAttribute[] =>
  attributes.filter(({ key }) => key !== 'plimsoll.log');

describe('a log record that is kept', () => {
  test.each<[string, OracleLog, string]>([
    ['its own event name', { eventName: 'gemini_cli.tool_call' }, 'any'],
    [
      'its attribute event.name',
      { attributes: attributesOf({ 'event.name': 'gemini_cli.tool_call' }) },
      'any',
    ],
    ['its body', { body: { stringValue: 'gemini_cli.tool_call' } }, 'any'],
  ])('is known by %s', (_, said, scope) => {
    const log = record({ 'session.id': 's' }, said);
    log.attributes = [...(log.attributes ?? []), ...attributesOf({ 'session.id': 's' })];
    expect(spansIn(logSpans.read(encodeLogs(requestOf([log], scope))).request)).toMatchObject([
      { name: 'gemini_cli.tool_call' },
    ]);
  });

  test('of Claude Code is known by a name without the prefix, in its own scope alone', () => {
    const log = toolResult({ 'event.name': 'tool_result' }, { body: {} });
    const read = (scope: string) => spansIn(logSpans.read(encodeLogs(requestOf([log], scope))).request);
    expect(read('com.anthropic.claude_code.events')).toMatchObject([{ name: 'claude_code.tool_result' }]);
    expect(read('another')).toEqual([]);
  });

  test('is a span that says what the record says, in the trace and below the span it names', () => {
    const [span] = spansOf(toolResult({ duration_ms: '250', tool_name: 'Bash' }, { traceId, spanId }));
    expect(span).toMatchObject({
      name: 'claude_code.tool_result',
      kind: 1,
      startTimeUnixNano: '1760000000750000000',
      endTimeUnixNano: nanos,
    });
    expect([hex(span!.traceId), hex(span!.parentSpanId)]).toEqual([hex(traceId), hex(spanId)]);
    expect(without(span!.attributes)).toEqual(
      attributesOf({ 'session.id': 's', duration_ms: '250', tool_name: 'Bash' }),
    );
    expect(span!.attributes).toContainEqual({ key: 'plimsoll.log', value: { stringValue: 'traced' } });
  });

  test.each<[string, OracleLog, string]>([
    ['left out', {}, 'traced'],
    ['sampled', { flags: 1 }, 'traced'],
    ['sampled and more', { flags: 0x103 }, 'traced'],
    ['random alone', { flags: 2 }, 'unsampled'],
  ])('whose flags are %s says whether spans of its trace come', (_, flags, origin) => {
    const [span] = spansOf(toolResult({}, { traceId, ...flags }));
    expect(span!.attributes).toContainEqual({ key: 'plimsoll.log', value: { stringValue: origin } });
    const [ofNoTrace] = spansOf(toolResult({}, flags));
    expect(ofNoTrace!.attributes).toContainEqual({ key: 'plimsoll.log', value: { stringValue: 'untraced' } });
  });

  test('whose flags are 0 in JSON, where that is not left out, is of a trace of which no span comes', () => {
    const log = { traceId: hex(traceId), flags: 0, eventName: 'gemini_cli.tool_call' };
    const json = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] });
    const [span] = spansIn(logSpans.read(jsonToProtobuf(Buffer.from(json), 'logs').bytes).request);
    expect(span!.attributes).toContainEqual({ key: 'plimsoll.log', value: { stringValue: 'unsampled' } });
  });

  test('of an evaluation needs no trace where it names the run', () => {
    const log = record({ 'plimsoll.run.id': 'order-7' }, { eventName: 'gen_ai.evaluation.result' });
    expect(spansOf(log)).toMatchObject([{ name: 'gen_ai.evaluation.result' }]);
  });

  test('has the attributes of a body that is a map, and the time at which it was seen where it has none', () => {
    const body = { kvlistValue: { values: attributesOf({ 'gen_ai.evaluation.name': 'safe' }) } };
    const log = { eventName: 'gen_ai.evaluation.result', body, traceId, observedTimeUnixNano: nanos };
    const [span] = spansOf(log);
    expect(without(span!.attributes)).toEqual(attributesOf({ 'gen_ai.evaluation.name': 'safe' }));
    expect(span!.endTimeUnixNano).toBe(nanos);
  });

  test('without a trace meets those of its session and prompt, and is no root', () => {
    const prompt = (session: string, id: string, call: string) =>
      toolResult({ 'session.id': session, 'prompt.id': id, tool_use_id: call });
    const first = toolResult({ 'prompt.id': 'p', tool_use_id: 'a' });
    const all = spansOf(first, prompt('s', 'p', 'b'), prompt('s', 'q', 'c'), prompt('t', 'p', 'd'));
    const traces = all.map((span) => hex(span.traceId));
    expect(traces[0]).toBe(traces[1]);
    expect(new Set(traces).size).toBe(3);
    for (const span of all) expect(hex(span.parentSpanId)).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
    expect(hex(all[0]!.parentSpanId)).toBe(hex(all[1]!.parentSpanId));
    expect(all[0]!.attributes).toContainEqual({ key: 'plimsoll.log', value: { stringValue: 'untraced' } });
  });

  test('loses its content like any span, and its body altogether', () => {
    const said = 'the secret of somebody';
    const log = record(
      {
        'session.id': 's',
        'event.name': 'codex.tool_result',
        arguments: said,
        output: said,
        'user.email': said,
      },
      { body: { stringValue: said } },
    );
    const { request } = logSpans.read(encodeLogs(requestOf([log])));
    const { records } = new Enricher({ content: { mode: 'drop' } }).enrich(request, 1);
    expect(records).toHaveLength(1);
    expect(Buffer.from(records[0]!.payload).includes(said)).toBe(false);
  });
});

const reasonsOf = (...records: readonly OracleLog[]) => logSpans.read(encodeLogs(requestOf(records)));

describe('a log record that is not kept', () => {
  test('is counted, and named without its text', () => {
    const { unstored, unstoredReason, request } = reasonsOf(
      record({ 'event.name': 'claude_code.user_prompt' }, { body: { stringValue: 'my secret' } }),
      record({}, { body: { stringValue: 'my secret' } }),
      record({ 'event.name': 'codex.sse_event', 'event.kind': 'response.created', 'conversation.id': 'c' }),
    );
    expect([unstored, request.length]).toEqual([3, 0]);
    expect(unstoredReason).toBe(
      'not stored: only events that tell of tool calls, costs and evaluations of agents are, and not claude_code.user_prompt, records without an event name, codex.sse_event',
    );
  });

  test('has a short reason, however many and long the names', () => {
    const many = Array.from({ length: 50 }, (_, k) => record({}, { eventName: `${k}${'x'.repeat(10_000)}` }));
    const { unstored, unstoredReason } = reasonsOf(...many);
    expect(unstored).toBe(50);
    expect(unstoredReason).toMatch(/ and more$/);
    expect(unstoredReason.length).toBeLessThan(600);
  });

  test.each<[string, OracleLog, RegExp]>([
    ['a trace id of three bytes', { traceId: Buffer.alloc(3, 1) }, /trace_id is neither empty nor 16 bytes/],
    ['a span id of three bytes', { spanId: Buffer.alloc(3, 1) }, /span_id is neither empty nor 8 bytes/],
    ['neither a trace nor a session', { attributes: [] }, /neither a trace id nor a session/],
    [
      'an evaluation that names but a session and a response',
      {
        eventName: 'gen_ai.evaluation.result',
        attributes: attributesOf({ 'session.id': 's', 'gen_ai.response.id': 'r' }),
        body: {},
      },
      /evaluation has neither a trace id nor the attribute plimsoll\.run\.id/,
    ],
  ])('because of %s costs only itself', (_, wrong, reason) => {
    const { request, rejections } = reasonsOf(toolResult({}, wrong), toolResult({}));
    expect(spansIn(request)).toHaveLength(1);
    expect([...rejections]).toEqual([[expect.stringMatching(reason), 1]]);
  });

  test('because there are too many costs no more than a sentence', () => {
    const many = requestOf(Array.from({ length: 300_000 }, () => ({})));
    expect(() => logSpans.read(encodeLogs(many))).toThrow(
      /more than 262144 log records: send smaller batches/,
    );
  });

  test('because it is a span is sent where spans go', () => {
    const spans = encodeRequest({
      resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId, name: 'a span' }] }] }],
    });
    expect(() => logSpans.read(spans)).toThrow(/spans, not log records: send spans to \/v1\/traces/);
  });
});

const event = fc.constantFrom(...logEvents.keys(), 'somebody.else');
const values = fc.oneof(fc.string({ maxLength: 8 }), fc.nat(5000), fc.boolean());
const logs = fc.array(
  fc.record({
    name: event,
    attributes: fc.dictionary(
      fc.constantFrom('tool_use_id', 'call_id', 'event.sequence', 'duration_ms', 'decision', 'source', 'x'),
      values,
      { noNullPrototype: true },
    ),
    session: fc.constantFrom('s', 't'),
    isTraced: fc.boolean(),
    isBelow: fc.boolean(),
    second: fc.nat(3),
  }),
  { maxLength: 8 },
);
const logRequest = logs.map((all) =>
  requestOf(
    all.map(({ name, attributes, session, isTraced, isBelow, second }) =>
      record(
        { ...attributes, 'session.id': session, 'event.kind': 'response.completed', event_type: 'responded' },
        {
          eventName: name,
          timeUnixNano: `${1_760_000_000 + second}000000000`,
          ...((isTraced || name === 'gen_ai.evaluation.result') && { traceId }),
          ...(isBelow && { spanId }),
        },
      ),
    ),
  ),
);

test('property: every record is a span or is said not to be; sent again it is the same span, and none is a root', () => {
  fc.assert(
    fc.property(logRequest, (request) => {
      const records = request.resourceLogs![0]!.scopeLogs![0]!.logRecords!;
      const bytes = encodeLogs(request);
      const { request: spans, unstored, rejections } = logSpans.read(bytes);
      const found = spansIn(spans);
      expect(rejections.size).toBe(0);
      expect(found.length + unstored).toBe(records.length);
      expect(found.map(({ name }) => name)).toEqual(
        records.flatMap(({ eventName = '' }) => (eventName === 'somebody.else' ? [] : [eventName])),
      );
      for (const span of found) expect(hex(span.parentSpanId)).not.toMatch(/^0*$/);
      expect(Buffer.from(logSpans.read(Buffer.from(bytes)).request)).toEqual(Buffer.from(spans));
      for (const log of records.filter(({ eventName }) => eventName !== 'somebody.else')) {
        const [alone] = spansOf(log);
        expect(found.map((span) => hex(span.spanId))).toContain(hex(alone!.spanId));
      }
    }),
    { numRuns: runs },
  );
});

const hostile = constructedLogs().map(({ json }) =>
  Buffer.from(jsonToProtobuf(Buffer.from(json), 'logs').bytes),
);

test('property: hostile bytes are refused as a whole or one by one, and what is left can be read', () => {
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...hostile), edits, fc.nat(), (bytes, changes, cut) => {
      const broken = Buffer.from(bytes);
      for (const [at, value] of changes) broken[at % broken.length] = value;
      const request = cut % 3 === 0 ? broken.subarray(0, cut % broken.length) : broken;
      try {
        const read = logSpans.read(request);
        for (const span of spansIn(read.request)) expect([...logEvents.keys()]).toContain(span.name);
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        expect(error).toMatchObject({ kind: 'invalid' });
      }
    }),
    { numRuns: runs },
  );
});

test('log records in JSON say what the same records say in protobuf', () => {
  const inJson = {
    resourceLogs: [
      {
        scopeLogs: [
          {
            logRecords: [
              {
                traceId: hex(traceId),
                spanId: hex(spanId),
                timeUnixNano: nanos,
                eventName: 'gemini_cli.tool_call',
              },
              { traceId: hex(traceId), eventName: 7 },
              {
                traceId: hex(traceId),
                severityNumber: 'SEVERITY_NUMBER_WARN2',
                eventName: 'gemini_cli.tool_call',
              },
            ],
          },
        ],
      },
    ],
  };
  const { bytes, rejected, reasons } = jsonToProtobuf(Buffer.from(JSON.stringify(inJson)), 'logs');
  expect(rejected).toBe(1);
  expect(reasons.join()).toMatch(/logRecords\[1\]\.eventName: must be a string.*should be the integer 14/);
  const spans = spansIn(logSpans.read(bytes).request);
  expect(spans).toHaveLength(2);
  expect(spans[0]).toEqual(
    spansOf({ traceId, spanId, timeUnixNano: nanos, eventName: 'gemini_cli.tool_call' })[0],
  );
  expect(() => jsonToProtobuf(Buffer.from('{"resourceSpans":[]}'), 'logs')).toThrow(
    /this is a traces request, and only logs are taken here: send traces to \/v1\/traces/,
  );
});
