import type { Incident } from './incident.ts';

/** A gauge with its series, as `/metrics` shows it. */
interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge';
  readonly samples: readonly {
    readonly labels: readonly (readonly [name: string, value: string])[];
    readonly value: number;
  }[];
}

/** What is known of the incidents of a release with a severity. */
interface Tally {
  readonly labels: Gauge['samples'][number]['labels'];
  open: number;
  unacknowledged: number;
  oldestMs: number;
}

/**
 * How many of `incidents` are open, by agent, release, environment and severity: 0 where all are resolved, for as long as
 * they are remembered. A severity that has risen is the one that counts.
 */
export function incidentFamilies(incidents: Iterable<Incident>): readonly Gauge[] {
  const tallies = new Map<string, Tally>();
  for (const { agent, release, environment, severity, startedMs, ...incident } of incidents) {
    const place = JSON.stringify([agent, release, environment, severity]);
    const tally = tallies.get(place) ?? {
      labels: Object.entries({ agent, release, environment, severity }),
      open: 0,
      unacknowledged: 0,
      oldestMs: Infinity,
    };
    tallies.set(place, tally);
    if (incident.resolvedMs !== undefined) continue;
    tally.open++;
    if (incident.acknowledgedMs === undefined) tally.unacknowledged++;
    tally.oldestMs = Math.min(tally.oldestMs, startedMs);
  }
  const all = [...tallies.values()];
  return [
    gauge(
      'plimsoll_incidents_open',
      'Incidents that are not resolved.',
      all.map(({ labels, open }) => ({ labels, value: open })),
    ),
    gauge(
      'plimsoll_incidents_unacknowledged',
      'Open incidents that nobody has acknowledged.',
      all.map(({ labels, unacknowledged }) => ({ labels, value: unacknowledged })),
    ),
    gauge(
      'plimsoll_incidents_oldest_start_timestamp_seconds',
      'When the open incident that began first began; absent while none is open.',
      all.filter(({ open }) => open > 0).map(({ labels, oldestMs }) => ({ labels, value: oldestMs / 1000 })),
    ),
  ];
}

function gauge(name: string, help: string, samples: Gauge['samples']): Gauge {
  return { name, help, kind: 'gauge', samples };
}
