import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeHealthRequest,
  encodeExportResponse,
  encodeHealthResponse,
  encodeStatus,
} from '../../src/otlp/messages.ts';
import { runs } from '../property-runs.ts';
import { decodeAs, decodeStatus, encodeAs } from '../receiver/rpc-oracle.ts';

const responseType = 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse';
const json = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as unknown;
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 50 });

describe('an ExportTraceServiceResponse', () => {
  it('has no partial_success when all is accepted', () => {
    expect(decodeAs(responseType, encodeExportResponse('traces', 'protobuf', 0, ''))).toEqual({});
    expect(json(encodeExportResponse('traces', 'json', 0, ''))).toEqual({});
  });

  it('says the same in protobuf and JSON', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), text, (rejected, message) => {
        const partialSuccess = { rejectedSpans: String(rejected), errorMessage: message };
        expect(decodeAs(responseType, encodeExportResponse('traces', 'protobuf', rejected, message))).toEqual(
          {
            partialSuccess,
          },
        );
        expect(json(encodeExportResponse('traces', 'json', rejected, message))).toEqual({ partialSuccess });
      }),
      { numRuns: runs },
    );
  });

  it('stays small, whatever the message', () => {
    expect(encodeExportResponse('traces', 'protobuf', 1, '🚢'.repeat(1 << 20)).length).toBeLessThan(8000);
    expect(encodeExportResponse('traces', 'json', 1, '\u{d83d}'.repeat(1 << 20)).length).toBeLessThan(8000);
  });
});

describe('a google.rpc.Status', () => {
  it('carries its details in protobuf and JSON', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        text,
        fc.option(fc.integer({ min: 1, max: 10_000_000 })),
        fc.option(text),
        (code, message, delay, field) => {
          const status = { code, message, retryDelayMs: delay ?? undefined, badField: field ?? undefined };
          const { details, ...decoded } = decodeStatus(encodeStatus('protobuf', status));
          expect(decoded).toEqual({ code, message });
          const types = details.map(({ type }) => ({ '@type': `type.googleapis.com/${type}` }));
          expect(json(encodeStatus('json', status))).toMatchObject({
            code,
            message,
            ...(types.length > 0 && { details: types }),
          });
          const retry = details.find(({ type }) => type === 'google.rpc.RetryInfo')?.value;
          const [seconds, nanos] = [Math.floor((delay ?? 0) / 1000), ((delay ?? 0) % 1000) * 1e6];
          const retryDelay = {
            ...(seconds > 0 && { seconds: String(seconds) }),
            ...(nanos > 0 && { nanos }),
          };
          expect(retry).toEqual(delay === null ? undefined : { retryDelay });
          const bad = details.find(({ type }) => type === 'google.rpc.BadRequest')?.value;
          expect(bad).toEqual(
            field === null ? undefined : { fieldViolations: [{ field, description: message }] },
          );
        },
      ),
      { numRuns: runs },
    );
  });

  it('writes a duration in JSON as protobuf demands', () => {
    const status = encodeStatus('json', { code: 14, message: 'm', retryDelayMs: 1500 });
    expect(json(status)).toMatchObject({ details: [{ retryDelay: '1.500000000s' }] });
  });
});

describe('health messages', () => {
  it('are those of grpc.health.v1', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (service) => {
        expect(decodeHealthRequest(encodeAs('grpc.health.v1.HealthCheckRequest', { service }))).toBe(service);
      }),
      { numRuns: runs },
    );
    const status = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
    for (const name of ['SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const) {
      expect(decodeAs('grpc.health.v1.HealthCheckResponse', encodeHealthResponse(name))).toEqual({
        status: status[name],
      });
    }
  });
});
