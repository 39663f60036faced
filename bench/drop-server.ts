// The yardstick of bench/ingest.ts: a @grpc/grpc-js server with default options that drops the payload.
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';

const raw = (bytes: Buffer): Buffer => bytes;
const server = new Server({ 'grpc.max_receive_message_length': 64 << 20 });
const codec = {
  requestSerialize: raw,
  requestDeserialize: raw,
  responseSerialize: raw,
  responseDeserialize: raw,
};
const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

function drop(_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void {
  done(null, Buffer.alloc(0));
}

server.addService(
  { Export: { path, requestStream: false, responseStream: false, ...codec } },
  { Export: drop },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send?.(port);
});
process.on('disconnect', () => process.exit());
