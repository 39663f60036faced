import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { acceptsGzip } from '../core/accepted-coding.ts';
import type { Component } from '../core/component.ts';
import { HttpEndpoint, type Answer } from '../core/http-endpoint.ts';
import type { ListenAddress } from '../core/listen.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Family } from '../kpi/family.ts';
import { prefersOpenMetrics } from './accepted-format.ts';
import { openMetricsText, openMetricsType } from './open-metrics-text.ts';
import { ProcessMeter } from './process-families.ts';
import { prometheusText, prometheusType } from './prometheus-text.ts';
import { registryFamilies } from './registry-families.ts';

const zip = promisify(gzip);
const zipFromBytes = 1024;

/** What `GET /metrics` is put together from. */
export interface ExpositionParts {
  readonly telemetry: Telemetry;
  /** The KPIs as of now; none in a process that does not assess. */
  readonly kpis: () => readonly Family[];
  readonly log: Log;
}

/**
 * Serves `GET /metrics`: the KPIs, this process's metrics, and the pipeline's own; in OpenMetrics, which has exemplars, for
 * who would rather have that, else in the Prometheus text format.
 */
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
    const own = await registryFamilies(telemetry.registry);
    const families = [...kpis(), ...this.#meter.families(), ...own];
    const { accept, 'accept-encoding': codings } = request.headers;
    const answer = prefersOpenMetrics(accept)
      ? { contentType: openMetricsType, body: Buffer.from(openMetricsText(families)) }
      : { contentType: prometheusType, body: Buffer.from(prometheusText(families)) };
    const headers = { vary: 'accept, accept-encoding' };
    if (answer.body.length < zipFromBytes || !acceptsGzip(codings))
      return { ...answer, status: 200, headers };
    const packed = await zip(answer.body, { level: constants.Z_BEST_SPEED });
    return { ...answer, status: 200, body: packed, headers: { ...headers, 'content-encoding': 'gzip' } };
  }
}
