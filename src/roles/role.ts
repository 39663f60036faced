import type { Component } from '../core/component.ts';
import type { Log } from '../core/log.ts';
import type { Telemetry } from '../core/telemetry.ts';
import type { Stream } from '../core/stream.ts';
import type { Enricher } from '../enrich/enricher.ts';
import type { Probe } from '../metrics/health.ts';
import type { Plan } from '../plan.ts';
import type { Policies } from './policies.ts';

/** What every role is built on. */
export interface Site {
  readonly plan: Plan;
  readonly enricher: Enricher;
  /** Those that the process uses, now. */
  readonly policies: Policies;
  /** The spans, enriched: what ingest appends, and what store and assess each read. */
  readonly spans: Stream;
  /** What is known of runs that ended, and other rows: what assess appends and store reads. */
  readonly runs: Stream;
  /** Spans that can never be stored. */
  readonly deadLetters: Stream;
  /** Snapshots of what is assessed. */
  readonly states: Stream;
  /** What was asked for and done about bad releases. */
  readonly rollbacks: Stream;
  readonly telemetry: Telemetry;
  readonly log: Log;
}

/** Where a component listens, once started. */
export interface Address {
  readonly what: string;
  readonly url: string;
}

/** One role: its components in flow order, what to ask of their health, and where they listen. */
export interface Role {
  readonly components: readonly Component[];
  readonly probes: readonly Probe[];
  addresses(): readonly Address[];
}
