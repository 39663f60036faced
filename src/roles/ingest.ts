import { limitsOf } from '../config-senders.ts';
import { ByteBudget } from '../core/budget.ts';
import { systemClock as clock } from '../core/clock.ts';
import { reachableUrl } from '../core/listen.ts';
import { Claims } from '../enrich/claims.ts';
import type { Plan } from '../plan.ts';
import { GrpcReceiver } from '../receiver/grpc.ts';
import { HttpReceiver } from '../receiver/http.ts';
import { Ingest } from '../receiver/ingest.ts';
import { Intake } from '../receiver/intake.ts';
import type { SenderOptions } from '../receiver/senders.ts';
import type { Role, Site } from './role.ts';

type Receiver = NonNullable<Plan['ingest']>['receivers'][number];
type Protocols = Receiver['options']['protocols'];

/** otlp → enrich → stream */
export function ingestRole(site: Site, { receivers }: NonNullable<Plan['ingest']>): Role {
  const { enricher, spans, telemetry } = site;
  const ingest = new Ingest({ enricher, stream: spans, telemetry, clock });
  const listening = receivers.flatMap((receiver) => {
    const intake = intakeOf(site, receiver.options, ingest);
    const { grpc, http } = receiver.options.protocols;
    return [
      ...(grpc ? [grpcReceiver(site, receiver.id, grpc, intake)] : []),
      ...(http ? [httpReceiver(receiver.id, http, intake)] : []),
    ];
  });
  return {
    components: listening.map(({ component }) => component),
    probes: [{ name: 'ingest', check: () => ingest.check() }],
    addresses: () =>
      listening.map(({ what, listener, component }) => ({
        what,
        url: reachableUrl(
          { host: listener.host, port: component.address?.port ?? listener.port },
          listener.tls ? 'https' : 'http',
        ),
      })),
  };
}

function intakeOf({ telemetry, log }: Site, options: Receiver['options'], ingest: Ingest): Intake {
  return new Intake({
    budget: new ByteBudget(options.in_flight_limit),
    limitBytes: options.max_request_size,
    maxWaitMs: options.max_wait,
    ...sendersOf(options.auth),
    coalesceWindowMs: options.coalesce_window,
    exports: { traces: ingest.exportTraces, logs: ingest.exportLogs },
    telemetry,
    log,
  });
}

function sendersOf(auth: Receiver['options']['auth']): SenderOptions {
  const { bearer_tokens: tokens = [], client_certificates: certificates = [] } = auth ?? {};
  return {
    tokens: tokens.map(({ token, name, ...limited }, i) => ({
      token,
      claims: new Claims(
        `the bearer ${name === undefined ? `of bearer_tokens::${i}` : JSON.stringify(name)}`,
        limitsOf(limited),
      ),
    })),
    certificates: certificates.map(({ common_name: commonName, ...limited }) => ({
      commonName,
      claims: new Claims(`the bearer of the certificate ${JSON.stringify(commonName)}`, limitsOf(limited)),
    })),
  };
}

function listenerOf(
  id: string,
  protocol: 'grpc' | 'http',
  { endpoint, tls }: NonNullable<Protocols['http']>,
) {
  return {
    ...endpoint,
    configPath: `receivers::${id}::protocols::${protocol}`,
    tls: tls && { certFile: tls.cert_file, keyFile: tls.key_file, clientCaFile: tls.client_ca_file },
  };
}

function grpcReceiver({ log }: Site, id: string, options: NonNullable<Protocols['grpc']>, intake: Intake) {
  const listener = listenerOf(id, 'grpc', options);
  const life = { maxAgeMs: options.max_connection_age };
  return { what: 'OTLP gRPC', listener, component: new GrpcReceiver({ listener, intake, log, life }) };
}

function httpReceiver(id: string, options: NonNullable<Protocols['http']>, intake: Intake) {
  const listener = listenerOf(id, 'http', options);
  return { what: 'OTLP HTTP', listener, component: new HttpReceiver({ listener, intake }) };
}
