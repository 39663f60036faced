import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { protobufToJson } from '../../src/otlp/protobuf-to-json.ts';
import { capturedRequests } from '../fixtures.ts';
import { runs } from '../property-runs.ts';
import { request } from './arbitraries.ts';
import { decodeRequest, encodeRequest } from './oracle.ts';

describe('a request as OTLP/JSON', () => {
  it('says what the protobuf says, whatever that is', () => {
    fc.assert(
      fc.property(request, (plain) => {
        const bytes = encodeRequest(plain);
        const { bytes: again, rejected } = jsonToProtobuf(Buffer.from(JSON.stringify(protobufToJson(bytes))));
        expect(rejected).toBe(0);
        expect(decodeRequest(again)).toEqual(decodeRequest(bytes));
      }),
      { numRuns: runs },
    );
  });

  it('is what was captured, for requests of real programs', () => {
    for (const { json } of capturedRequests()) {
      const { bytes } = jsonToProtobuf(Buffer.from(json));
      expect(
        protobufToJson(jsonToProtobuf(Buffer.from(JSON.stringify(protobufToJson(bytes)))).bytes),
      ).toEqual(protobufToJson(bytes));
    }
  });

  it('has ids in hex, 64-bit integers as strings, enums as numbers and bytes in base64', () => {
    const span = {
      traceId: Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex'),
      spanId: Buffer.from('0102030405060708', 'hex'),
      name: 'execute_tool search',
      kind: 3,
      startTimeUnixNano: '18446744073709551615',
      attributes: [
        { key: 'n', value: { intValue: '-9223372036854775808' } },
        { key: 'b', value: { bytesValue: Buffer.from([1, 2, 255]) } },
        { key: 'd', value: { doubleValue: Infinity } },
      ],
      status: { code: 2 },
    };
    expect(protobufToJson(encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }))).toEqual({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                {
                  traceId: '0102030405060708090a0b0c0d0e0f10',
                  spanId: '0102030405060708',
                  name: 'execute_tool search',
                  kind: 3,
                  startTimeUnixNano: '18446744073709551615',
                  attributes: [
                    { key: 'n', value: { intValue: '-9223372036854775808' } },
                    { key: 'b', value: { bytesValue: 'AQL/' } },
                    { key: 'd', value: { doubleValue: 'Infinity' } },
                  ],
                  status: { code: 2 },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it('is refused for bytes that are no request', () => {
    for (const text of ['not a request', '\u000a\u00ff\u0001', '\n\u0005\u0012'])
      expect(() => protobufToJson(Buffer.from(text, 'latin1'))).toThrow(Error);
  });
});
