import { Client, credentials, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { decodeStatus, type DecodedStatus } from './rpc-oracle.ts';

export const exportMethod = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** What a real gRPC client saw of a unary call. */
export interface GrpcAnswer {
  readonly code: number;
  readonly message: string;
  readonly body: Buffer | undefined;
  readonly status: DecodedStatus | undefined;
}

export interface CallOptions {
  readonly method?: string;
  readonly deadlineMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

const raw = (bytes: Buffer): Buffer => bytes;

function answerOf(error: ServiceError | null, body: Buffer | undefined): GrpcAnswer {
  const [details] = error?.metadata.get('grpc-status-details-bin') ?? [];
  return {
    code: error?.code ?? 0,
    message: error?.details ?? '',
    body,
    status: Buffer.isBuffer(details) ? decodeStatus(details) : undefined,
  };
}

/** A client of `@grpc/grpc-js`, without protobuf: bytes in, bytes out. */
export function openClient(
  address: string,
  options: object = {},
  channel: ChannelCredentials = credentials.createInsecure(),
) {
  const client = new Client(address, channel, { 'grpc.max_send_message_length': -1, ...options });
  const call = (
    bytes: Uint8Array,
    { method = exportMethod, deadlineMs = 20_000, headers = {} }: CallOptions = {},
  ) => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const { promise, resolve } = Promise.withResolvers<GrpcAnswer>();
    const deadline = Date.now() + deadlineMs;
    client.makeUnaryRequest(method, raw, raw, Buffer.from(bytes), metadata, { deadline }, (error, body) => {
      resolve(answerOf(error, body));
    });
    return promise;
  };
  return { client, call, close: () => client.close() };
}
