import { loadConfig } from '../config.ts';
import { createLog } from '../core/log.ts';
import { version } from '../core/version.ts';
import { buildPipeline, type Pipeline } from '../pipeline.ts';
import { planOf, type Plan } from '../plan.ts';
import { print, type Command } from './command.ts';
import { onStopSignals } from './stop-signals.ts';

export const runCommand: Command = {
  name: 'run',
  summary: 'run the pipelines that the configuration lists',
  help: `Usage: plimsoll run [--config FILE]...

Runs the pipelines listed under service::pipelines until SIGTERM, SIGHUP or Ctrl-C, then refuses new input, finishes what is
in flight and ends. A second signal, a second later or more, ends it at once; what was acknowledged is safe either way. Without --config it
runs config/plimsoll.yaml: everything on this machine, in one process, on 127.0.0.1. Several --config merge in order.

  plimsoll run
  plimsoll run --config config/plimsoll.yaml --config mine.yaml

When it is ready it prints where to point an exporter and where to look.`,
  options: {},
  run: async ({ config: files }) => {
    const config = loadConfig(files);
    const log = createLog(config.service.telemetry.logs.level);
    const pipeline = buildPipeline(config, log);
    const asked = signalled();
    await pipeline.start(AbortSignal.timeout(config.service.drain_timeout));
    print(readyText(pipeline, planOf(config)));
    await asked;
    log.info('stopping: refusing new input and finishing what is in flight');
    await pipeline.stop(AbortSignal.timeout(config.service.drain_timeout));
    log.info('stopped');
    return 0;
  },
};

/**
 * Resolves when the process is asked to stop; a second signal ends it at once. A pipeline serves others: that nobody reads
 * what it printed is no reason to stop.
 */
function signalled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  onStopSignals(resolve, () => process.exit(130), true);
  return promise;
}

function readyText(pipeline: Pipeline, { keepsFiles, dataDirectory }: Plan): string {
  const addresses = pipeline.addresses();
  const width = Math.max(...addresses.map(({ what }) => what.length));
  const http = addresses.find(({ what }) => what === 'OTLP HTTP')?.url;
  const grpc = addresses.find(({ what }) => what === 'OTLP gRPC')?.url;
  const hints = [
    ...(http ? [`OTEL_EXPORTER_OTLP_ENDPOINT=${http} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`] : []),
    ...(grpc ? [`OTEL_EXPORTER_OTLP_ENDPOINT=${grpc} OTEL_EXPORTER_OTLP_PROTOCOL=grpc`] : []),
  ];
  return [
    `plimsoll ${version()} is ready: ${pipeline.roles.join(', ')}${keepsFiles ? `; data in ${dataDirectory}` : ''}`,
    ...addresses.map(({ what, url }) => `  ${what.padEnd(width)}  ${url}`),
    ...(hints.length > 0 ? [`Point an exporter at it: ${hints.join('\n                      or: ')}`] : []),
  ].join('\n');
}
