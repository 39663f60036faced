import * as fc from 'fast-check';
import { ownKeys } from '../../src/semconv/plimsoll.ts';
import { contentNames, conventions } from '../../src/semconv/tables.ts';
import type { OracleAttribute, OracleRequest, OracleSpan, OracleValue } from '../otlp/oracle.ts';

const words = [
  ...ownKeys.flatMap(({ rule }) => (rule.kind === 'enum' ? rule.values : [])),
  ...conventions.flatMap(({ signals }) => signals.flatMap(({ meanings }) => Object.keys(meanings))),
  'gpt-4o',
  'openai',
  'claude-sonnet-4-5',
  'anthropic',
  'ask_user',
  'transfer_to_human',
  'handoff_to_x',
  'EUR',
  'USD',
  'ParentCommand',
  'a.GraphInterrupt',
  'Command(x)',
  'ValueError: 7',
  'Tool execution was not approved',
  'unknown_service:x',
  'helpful',
  'pass',
  'Failed',
];

const keys = [
  ...ownKeys.map(({ key }) => key),
  ...conventions.flatMap(({ sources, signals }) => [...sources, ...signals].map(({ key }) => key)),
  ...contentNames.flatMap((name) => [name, `plimsoll.content_size.${name}`, `plimsoll.content_hash.${name}`]),
  'gen_ai.prompt.0.content',
  'gen_ai.prompt.12.role',
  'gen_ai.prompt.name',
  'http.request.header.cookie',
  'exception.type',
  ...conventions.flatMap(({ evaluations = [] }) =>
    evaluations.flatMap(({ name, score, label }) =>
      [name, score, label].flatMap((key) => ['0', '12'].map((number) => key.replace('#', number))),
    ),
  ),
  'plimsoll.score.',
  'plimsoll.score.helpful',
  'plimsoll.score.safe',
  'plimsoll.',
  'plimsoll.nonsense',
  'plimsoll.content_size.nonsense',
  'http.request.method',
];

const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...words) },
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constant('x'.repeat(300)),
);

const values: fc.Arbitrary<OracleValue> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ stringValue: text }) },
  fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
  { weight: 2, arbitrary: fc.record({ intValue: fc.nat(5000).map(String) }) },
  fc.record({ doubleValue: fc.double() }),
  { weight: 2, arbitrary: fc.record({ doubleValue: fc.double({ min: 0, max: 10, noNaN: true }) }) },
  fc.record({ boolValue: fc.boolean() }),
  fc.record({
    arrayValue: fc.record({ values: fc.array(fc.record({ stringValue: text }), { maxLength: 2 }) }),
  }),
  fc.constant({}),
);

const attribute: fc.Arbitrary<OracleAttribute> = fc.record({
  key: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...keys) },
    fc.string({ maxLength: 12 }),
    fc.string({ maxLength: 12 }).map((rest) => `plimsoll.${rest}`),
  ),
  value: values,
});

/** Senders may say a key twice; nothing of ours may then be there twice. */
const attributes = fc.array(attribute, { maxLength: 12 });

const id = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
    bytes[0] = 1;
    return bytes;
  });

const span: fc.Arbitrary<OracleSpan> = fc.record(
  {
    traceId: id(16),
    spanId: id(8),
    name: fc.oneof(
      fc.constantFrom('execute_tool x', 'execute_tool ', 'plimsoll.review', 'tools/call ask_user'),
      text,
    ),
    attributes,
    parentSpanId: id(8),
    kind: fc.nat(5),
    startTimeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    events: fc.array(fc.record({ name: fc.constantFrom('exception', 'other'), attributes }), {
      maxLength: 2,
    }),
    status: fc.record({ message: text, code: fc.nat(2) }, { requiredKeys: [] }),
    links: fc.array(fc.record({ traceId: id(16), spanId: id(8), attributes }), { maxLength: 1 }),
    droppedAttributesCount: fc.nat(3),
  },
  { requiredKeys: ['traceId', 'spanId', 'name', 'attributes'] },
);

/** Requests whose attributes are mostly ones that mean something to us, valid or not. */
export const requests: fc.Arbitrary<OracleRequest> = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource: fc.record({ attributes: fc.array(attribute, { maxLength: 4 }) }),
      scopeSpans: fc.array(
        fc.record(
          {
            scope: fc.record({ name: text, attributes: fc.array(attribute, { maxLength: 3 }) }),
            spans: fc.array(span, { maxLength: 4 }),
          },
          { requiredKeys: ['spans'] },
        ),
        { maxLength: 2 },
      ),
    }),
    { maxLength: 2 },
  ),
});
