import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { capturedRequests, thirdPartyRequests, type CapturedRequest } from '../fixtures.ts';
import { jsonToProtobuf } from '../../src/otlp/json-to-protobuf.ts';
import { until } from '../until.ts';
import { Place, Program } from './program.ts';

interface CapturedSpans {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly unknown[] }[];
  }[];
}

const requests = [...capturedRequests(), ...thirdPartyRequests()];

function spansOf({ json }: CapturedRequest): number {
  const parsed: CapturedSpans = JSON.parse(json);
  return parsed.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)).length;
}

let place: Place;
let program: Program;

beforeAll(async () => {
  place = new Place();
  program = await Program.start(place);
});
afterAll(async () => {
  await program.kill('SIGKILL');
  place.remove();
});

async function rows(): Promise<number> {
  const [row] = await program.query<{ rows: string }>('SELECT toString(count()) AS rows FROM otel_traces');
  return Number(row?.rows);
}

describe('every captured request becomes as many rows as it has spans', () => {
  test('over HTTP as JSON', async () => {
    const before = await rows();
    for (const request of requests) {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${program.url('OTLP HTTP')}/v1/traces`, {
        method: 'POST',
        headers,
        body: request.json,
      });
      expect([request.name, response.status, await response.json()]).toEqual([request.name, 200, {}]);
    }
    const sent = requests.reduce((sum, request) => sum + spansOf(request), 0);
    await until(`${sent} rows`, async () => (await rows()) - before === sent);
  });

  test('over gRPC as protobuf', async () => {
    const before = await rows();
    const TraceService = makeGenericClientConstructor(
      {
        export: {
          path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
          requestStream: false,
          responseStream: false,
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      'TraceService',
    );
    const client = new TraceService(new URL(program.url('OTLP gRPC')).host, credentials.createInsecure());
    for (const request of requests) {
      const { bytes } = jsonToProtobuf(Buffer.from(request.json));
      const answer = await new Promise((resolve, reject) => {
        client['export']?.(Buffer.from(bytes), (error: Error | null, response: Buffer) =>
          error ? reject(error) : resolve(response),
        );
      });
      expect(answer).toEqual(Buffer.alloc(0));
    }
    client.close();
    const sent = requests.reduce((sum, request) => sum + spansOf(request), 0);
    await until(`${sent} rows`, async () => (await rows()) - before === sent);
  });
});
