import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Family } from '../kpi/family.ts';

const startedMs = Date.now() - process.uptime() * 1000;

/** Measures this process: CPU, memory, and how late its event loop runs. */
export class ProcessMeter {
  readonly #delay = monitorEventLoopDelay({ resolution: 10 });

  start(): void {
    this.#delay.enable();
  }

  stop(): void {
    this.#delay.disable();
  }

  /** As of now; the event loop lag covers the time since the last call. */
  families(): readonly Family[] {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    const delay = this.#delay;
    const lag = { p50: delay.percentile(50), p99: delay.percentile(99), max: delay.max };
    delay.reset();
    return [
      {
        name: 'plimsoll_process_cpu_seconds_total',
        help: 'CPU time of this process.',
        kind: 'counter',
        samples: [
          { labels: [['mode', 'user']], value: user / 1e6 },
          { labels: [['mode', 'system']], value: system / 1e6 },
        ],
      },
      gauge(
        'plimsoll_process_resident_memory_bytes',
        'Memory of this process in RAM; mapped pages of the embedded stream count, and are given back when others need them.',
        rss,
      ),
      gauge('plimsoll_process_heap_used_bytes', 'JavaScript heap in use.', heapUsed),
      gauge('plimsoll_process_external_memory_bytes', 'Buffers outside of the JavaScript heap.', external),
      gauge(
        'plimsoll_process_start_time_seconds',
        'When this process began, since the Unix epoch.',
        startedMs / 1000,
      ),
      {
        name: 'plimsoll_process_event_loop_lag_seconds',
        help: 'How late the event loop ran since the last scrape.',
        kind: 'gauge',
        samples: Object.entries(lag).map(([stat, ns]) => ({ labels: [['stat', stat]], value: seconds(ns) })),
      },
    ];
  }
}

/** 0 where nothing was measured yet. */
function seconds(ns: number): number {
  return Number.isFinite(ns) && ns < 1e15 ? ns / 1e9 : 0;
}

function gauge(name: string, help: string, value: number): Family {
  return { name, help, kind: 'gauge', samples: [{ labels: [], value }] };
}
