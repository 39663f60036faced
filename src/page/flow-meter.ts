import type { Telemetry } from '../core/telemetry.ts';
import type { FlowStage } from './live-view.ts';

/** Rates are over so long. */
const rateOverMs = 10_000;

const accepted = ['plimsoll_receiver_accepted_spans_total', 'plimsoll_receiver_accepted_log_records_total'];
const refused = [
  'plimsoll_receiver_refused_spans_total',
  'plimsoll_receiver_refused_log_records_total',
  'plimsoll_receiver_rejected_spans_total',
  'plimsoll_receiver_rejected_log_records_total',
];

/** One hop of the process. */
export interface FlowHop {
  readonly stage: FlowStage['stage'];
  /** The counters that are added up. */
  readonly counters: readonly string[];
  /** The consumer group that reads what waits in front of it, and the unit of that; undefined where nothing can wait. */
  readonly waits?: { readonly group: string; readonly unit: string };
  /** Why it does not flow; undefined while it does. Without it something else would tell. */
  readonly fault?: () => string | undefined;
}

/** Says why something does not flow. */
type Fault = () => string | undefined;

/** The hops of a process that takes spans in. What is acknowledged is on the stream. */
export function ingestHops(fault: Fault): readonly FlowHop[] {
  return [
    { stage: 'received', counters: [...accepted, ...refused] },
    { stage: 'refused', counters: refused },
    { stage: 'on the stream', counters: accepted, fault },
  ];
}

/** The hops of a process that stores: `group` reads the spans, `replayGroup` the dead letters. */
export function storeHops(group: string, replayGroup: string, fault: Fault): readonly FlowHop[] {
  return [
    {
      stage: 'stored',
      counters: ['plimsoll_store_rows_total'],
      waits: { group, unit: 'records' },
      fault,
    },
    {
      stage: 'dead letters',
      counters: ['plimsoll_store_dead_letters_total'],
      waits: { group: replayGroup, unit: 'letters' },
    },
  ];
}

/** The hop of a process that assesses: `group` reads the spans. */
export function assessHops(group: string, fault: Fault): readonly FlowHop[] {
  return [
    {
      stage: 'assessed',
      counters: ['plimsoll_assess_spans_total'],
      waits: { group, unit: 'records' },
      fault,
    },
  ];
}

/** Measures how fast each hop flows, by the counters of the process. */
export class FlowMeter {
  readonly #telemetry: Telemetry;
  readonly #hops: readonly FlowHop[];
  /** The totals of the last while, oldest first. */
  #readings: readonly { readonly timeMs: number; readonly totals: readonly number[] }[] = [];

  constructor(telemetry: Telemetry, hops: readonly FlowHop[]) {
    this.#telemetry = telemetry;
    this.#hops = hops;
  }

  /** The hops at `nowMs`. Rates are since the last reading that is 10 s old, or since the first one. */
  async read(nowMs: number): Promise<readonly FlowStage[]> {
    const totals = await Promise.all(
      this.#hops.map(async ({ counters }) => {
        const all = await Promise.all(counters.map((name) => this.#sum(name)));
        return all.reduce<number>((sum, each) => sum + (each ?? 0), 0);
      }),
    );
    const backlogs = await Promise.all(this.#hops.map((hop) => this.#backlog(hop)));
    const known = this.#readings.filter(({ timeMs }) => timeMs < nowMs);
    const start = known.findLastIndex(({ timeMs }) => timeMs <= nowMs - rateOverMs);
    this.#readings = [...known.slice(Math.max(0, start)), { timeMs: nowMs, totals }];
    const before = this.#readings[0]!;
    const seconds = (nowMs - before.timeMs) / 1000;
    return this.#hops.map(({ stage, fault }, i) => ({
      stage,
      total: totals[i]!,
      perSecond: seconds > 0 ? Math.round(((totals[i]! - before.totals[i]!) / seconds) * 10) / 10 : 0,
      backlog: backlogs[i] ?? null,
      fault: fault?.() ?? null,
    }));
  }

  async #backlog({ waits }: FlowHop): Promise<FlowStage['backlog']> {
    if (!waits) return null;
    const amount = await this.#sum('plimsoll_stream_lag_records', waits.group);
    return amount === undefined ? null : { amount, unit: waits.unit };
  }

  /** The sum of the series of `name`, of those of `group` where one is named; undefined where there are none. */
  async #sum(name: string, group?: string): Promise<number | undefined> {
    const metric = await this.#telemetry.registry.getSingleMetric(name)?.get();
    const values = (metric?.values ?? []).filter(
      ({ labels }) => group === undefined || labels['group'] === group,
    );
    return values.length === 0 ? undefined : values.reduce((sum, { value }) => sum + value, 0);
  }
}
