import type { Config } from './config-schema.ts';
import { isLoopback } from './core/foreign-request.ts';

/** What is valid in `config` and should be meant, each as one sentence that names the path and the way out. */
export function configWarnings(config: Config): readonly string[] {
  const { host, port } = config.service.telemetry.metrics.endpoint;
  if (isLoopback(host)) return [];
  return [
    `service::telemetry::metrics::endpoint: ${host}:${port} asks for no token, so whoever reaches it reads the agents, releases, failures and costs of all; let Prometheus alone reach it (a firewall, a network policy), or bind 127.0.0.1`,
  ];
}
