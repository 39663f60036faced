import type { Clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import { HttpEndpoint, type Answer } from '../core/http-endpoint.ts';
import type { ListenAddress } from '../core/listen.ts';
import type { Log } from '../core/log.ts';

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

/** What was seen of one component, and whether the log has it. */
interface Observed extends ComponentState {
  readonly sinceMs: number;
  readonly isTold: boolean;
}

const observeEveryMs = 1000;

/** A component that does not flow for so long is told to the log: starting and taking over take a moment. */
const patienceMs = 10_000;

/**
 * Looks after the components: once a second, and whenever somebody asks. Serves `GET /`: 200 when everything flows, 503
 * with what does not, and 503 while starting and stopping. What goes on not flowing, and that it flows again, is logged.
 */
export class Health implements Component {
  readonly name = 'health';
  readonly #probes: readonly Probe[];
  readonly #clock: Clock;
  readonly #endpoint: HttpEndpoint;
  readonly #last = new Map<string, Observed>();
  readonly #log: Log;
  #timer: NodeJS.Timeout | undefined;
  #phase: 'starting' | 'started' | 'stopping' = 'starting';

  constructor(
    address: ListenAddress,
    probes: readonly Probe[],
    parts: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#probes = probes;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#endpoint = new HttpEndpoint(
      this.name,
      address,
      { '/': { GET: () => Promise.resolve(this.#answer()) } },
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
    this.#timer = setInterval(() => this.observe(), observeEveryMs).unref();
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
    clearInterval(this.#timer);
    await this.#endpoint.stop(deadline);
  }

  /** Asks every component. */
  observe(): readonly ComponentState[] {
    return this.#probes.map((probe) => this.#observe(probe));
  }

  #answer(): Answer {
    const components = this.observe();
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
    const { name: component } = probe;
    const check = probe.check();
    const nowMs = this.#clock.nowMs();
    const state = check.flowing ? 'flowing' : 'stalled';
    const reason = check.flowing ? '' : check.reason;
    const last = this.#last.get(component);
    const sinceMs = last?.state === state ? last.sinceMs : nowMs;
    const isTold = this.#tell(component, last, { state, reason, forMs: nowMs - sinceMs });
    const seen = { component, state, since: new Date(sinceMs).toISOString(), reason } as const;
    this.#last.set(component, { ...seen, sinceMs, isTold });
    return seen;
  }

  /** Returns whether the log says that the component does not flow. */
  #tell(
    component: string,
    last: Observed | undefined,
    { state, reason, forMs }: { readonly state: string; readonly reason: string; readonly forMs: number },
  ): boolean {
    const wasTold = last?.isTold === true;
    if (this.#phase !== 'started') return wasTold;
    if (state === 'flowing') {
      if (wasTold) this.#log.info({ component }, 'flows again');
      return false;
    }
    if (!wasTold && forMs >= patienceMs) this.#log.warn({ component, reason }, 'does not flow');
    return wasTold || forMs >= patienceMs;
  }
}
