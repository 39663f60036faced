import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { Component } from '../core/component.ts';
import { HttpEndpoint, type Answer } from '../core/http-endpoint.ts';
import type { ListenAddress } from '../core/listen.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Family } from '../kpi/family.ts';
import { ProcessMeter } from './process-families.ts';
import { prometheusText } from './prometheus-text.ts';

const zip = promisify(gzip);
const zipFromBytes = 1024;

/** What `GET /metrics` is put together from. */
export interface ExpositionParts {
  readonly telemetry: Telemetry;
  /** The KPIs as of now; none in a process that does not assess. */
  readonly kpis: () => readonly Family[];
  readonly log: Log;
}

/** Serves `GET /metrics` in the Prometheus text format: the pipeline's own metrics, this process's, and the KPIs. */
export class Exposition implements Component {
  readonly name = 'metrics';
  readonly #parts: ExpositionParts;
  readonly #meter = new ProcessMeter();
  readonly #endpoint: HttpEndpoint;

  constructor(address: ListenAddress, parts: ExpositionParts) {
    this.#parts = parts;
    this.#endpoint = new HttpEndpoint(
      this.name,
      address,
      { '/metrics': { GET: (request) => this.#scrape(request) } },
      parts.log,
    );
  }

  /** The port it listens on, once started. */
  get port(): number {
    return this.#endpoint.port;
  }

  async start(): Promise<void> {
    await this.#endpoint.start();
    this.#meter.start();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#meter.stop();
    await this.#endpoint.stop(deadline);
  }

  async #scrape(request: IncomingMessage): Promise<Answer> {
    const { telemetry, kpis } = this.#parts;
    const own = await telemetry.registry.metrics();
    const body = prometheusText(kpis()) + prometheusText(this.#meter.families()) + own;
    const answer = { status: 200, contentType: 'text/plain; version=0.0.4; charset=utf-8', body };
    if (body.length < zipFromBytes || !acceptsGzip(request.headers['accept-encoding'])) {
      return { ...answer, headers: { vary: 'accept-encoding' } };
    }
    const packed = await zip(body, { level: constants.Z_BEST_SPEED });
    return { ...answer, body: packed, headers: { vary: 'accept-encoding', 'content-encoding': 'gzip' } };
  }
}

/** Whether an Accept-Encoding header allows gzip (RFC 9110 §12.5.3). */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const codings = (Array.isArray(header) ? header.join(',') : (header ?? '')).toLowerCase().split(',');
  const weights = new Map(
    codings.map((coding) => [coding.split(';', 1)[0]?.trim(), !/;\s*q=0(\.0*)?\s*$/.test(coding)]),
  );
  return weights.get('gzip') ?? weights.get('*') ?? false;
}
