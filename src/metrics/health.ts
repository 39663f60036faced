import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import type { ListenAddress } from '../core/listen.ts';
import type { Log } from '../core/log.ts';
import { HttpEndpoint, type Answer } from './http-endpoint.ts';

/** Asks one component whether data flows through it. `check` is cheap and does not throw. */
export interface Probe {
  readonly name: string;
  check(): { readonly flowing: boolean; readonly reason: string };
}

/** What one component says of itself. */
interface ComponentState {
  readonly component: string;
  readonly state: 'flowing' | 'stalled';
  /** When it was first seen in this state, RFC 3339. */
  readonly since: string;
  /** Why it is stalled; '' while it flows. */
  readonly reason: string;
}

/** Serves `GET /`: 200 when everything flows, 503 with what does not, and 503 while starting and stopping. */
export class Health implements Component {
  readonly name = 'health';
  readonly #probes: readonly Probe[];
  readonly #clock: Clock;
  readonly #endpoint: HttpEndpoint;
  readonly #last = new Map<string, ComponentState>();
  #phase: 'starting' | 'started' | 'stopping' = 'starting';

  constructor(
    address: ListenAddress,
    probes: readonly Probe[],
    parts: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#probes = probes;
    this.#clock = parts.clock;
    this.#endpoint = new HttpEndpoint(
      this.name,
      address,
      '/',
      () => Promise.resolve(this.#answer()),
      parts.log,
    );
  }

  /** The port it listens on, once started. */
  get port(): number {
    return this.#endpoint.port;
  }

  /** Listens; answers 503 until `started`. */
  async start(): Promise<void> {
    await this.#endpoint.start();
  }

  /** Every component has started: from now on the probes decide. */
  started(): void {
    this.#phase = 'started';
  }

  /** The process is going to stop: answers 503 from now on, so that nobody sends more. */
  stopping(): void {
    this.#phase = 'stopping';
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.stopping();
    await this.#endpoint.stop(deadline);
  }

  #answer(): Answer {
    const components = this.#probes.map((probe) => this.#observe(probe));
    const stalled = components.some(({ state }) => state === 'stalled');
    const status = this.#phase === 'started' ? (stalled ? 'stalled' : 'ready') : this.#phase;
    return {
      status: status === 'ready' ? 200 : 503,
      contentType: 'application/json',
      body: `${JSON.stringify({ status, components }, null, 2)}\n`,
      headers: { 'cache-control': 'no-store' },
    };
  }

  #observe(probe: Probe): ComponentState {
    const { flowing, reason } = probe.check();
    const state = flowing ? 'flowing' : 'stalled';
    const last = this.#last.get(probe.name);
    const since = last?.state === state ? last.since : new Date(this.#clock.nowMs()).toISOString();
    const seen = { component: probe.name, state, since, reason: flowing ? '' : reason } as const;
    this.#last.set(probe.name, seen);
    return seen;
  }
}
