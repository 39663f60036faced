import type { EscalationReason } from '../../src/semconv/vocabulary.ts';
import { at } from './days.ts';

/** How an agent works. Money in US dollars. */
export interface Agent {
  readonly name: string;
  readonly service: string;
  readonly taskType: string;
  /** Runs in July, August, September, October and the first two days of November. */
  readonly runs: readonly [number, number, number, number, number];
  /** When it did its first run. */
  readonly sinceMs: number;
  readonly tools: readonly (readonly [name: string, weight: number])[];
  readonly model: string;
  readonly provider: string;
  /** Of a thousand tokens. */
  readonly tokenUsd: number;
  readonly toolUsd: number;
  readonly reasons: readonly (readonly [EscalationReason, number])[];
  readonly releases: readonly Release[];
  /** What an evaluator finds of its good runs, and of the others. */
  readonly quality: readonly [good: number, bad: number] | undefined;
}

/** A release that took the traffic over, or a part of it for a while. */
export interface Release {
  readonly name: string;
  readonly sinceMs: number;
  /** Shares of runs that fail and that are passed on to a human. */
  readonly failing: number;
  readonly escalating: number;
  /** Of a canary that was not kept. */
  readonly canary?: { readonly untilMs: number; readonly runs: number };
  /** The share of its runs for which no price of the model is known. */
  readonly unpriced?: number;
}

const july = at('07-01 00:00');

/** Five agents: one with a bad release that was rolled back, one that was only watched, one without a policy, a small one, a new one. */
export const agents: readonly Agent[] = [
  {
    name: 'refund-agent',
    service: 'refunds',
    taskType: 'refund',
    runs: [150, 160, 180, 420, 20],
    sinceMs: july,
    tools: [
      ['lookup_order', 5],
      ['issue_refund', 3],
      ['send_mail', 2],
    ],
    model: 'gpt-4o-mini',
    provider: 'openai',
    tokenUsd: 0.0004,
    toolUsd: 0,
    reasons: [
      ['approval', 7],
      ['human_handoff', 2],
      ['guardrail', 1],
    ],
    releases: [
      { name: '1.3.0', sinceMs: july, failing: 0.08, escalating: 0.12 },
      { name: '1.4.0', sinceMs: at('08-11 09:00'), failing: 0.06, escalating: 0.12 },
      { name: '1.4.1', sinceMs: at('09-08 09:00'), failing: 0.05, escalating: 0.11 },
      {
        name: '1.5.0',
        sinceMs: at('10-06 09:00'),
        failing: 0.45,
        escalating: 0.15,
        canary: { untilMs: at('10-06 10:41'), runs: 26 },
      },
      { name: '1.5.1', sinceMs: at('10-09 09:00'), failing: 0.05, escalating: 0.1 },
    ],
    quality: [0.92, 0.55],
  },
  {
    name: 'support-agent',
    service: 'support',
    taskType: 'answer',
    runs: [100, 110, 120, 260, 10],
    sinceMs: july,
    tools: [
      ['search_articles', 6],
      ['open_ticket', 1],
    ],
    model: 'claude-sonnet-4',
    provider: 'anthropic',
    tokenUsd: 0.004,
    toolUsd: 0,
    reasons: [
      ['human_handoff', 5],
      ['input_request', 3],
      ['other', 1],
    ],
    releases: [
      { name: '7', sinceMs: july, failing: 0.09, escalating: 0.18 },
      { name: '8', sinceMs: at('09-15 07:00'), failing: 0.09, escalating: 0.17 },
      {
        name: '9',
        sinceMs: at('10-13 07:00'),
        failing: 0.35,
        escalating: 0.2,
        canary: { untilMs: at('10-13 19:00'), runs: 30 },
      },
      { name: '10', sinceMs: at('10-22 07:00'), failing: 0.09, escalating: 0.16 },
    ],
    quality: [0.88, 0.5],
  },
  {
    name: 'research-agent',
    service: 'research',
    taskType: 'report',
    runs: [30, 32, 34, 90, 3],
    sinceMs: july,
    tools: [
      ['web_search', 5],
      ['read_page', 5],
    ],
    model: 'house-model-2',
    provider: 'house',
    tokenUsd: 0.012,
    toolUsd: 0.005,
    reasons: [
      ['budget', 3],
      ['input_request', 2],
    ],
    releases: [
      { name: '2026.06', sinceMs: july, failing: 0.12, escalating: 0.06 },
      { name: '2026.10', sinceMs: at('10-05 12:00'), failing: 0.1, escalating: 0.06, unpriced: 0.25 },
    ],
    quality: undefined,
  },
  {
    name: 'audit-agent',
    service: 'audit',
    taskType: 'audit',
    runs: [8, 9, 9, 12, 1],
    sinceMs: july,
    tools: [['read_ledger', 1]],
    model: 'gpt-4o-mini',
    provider: 'openai',
    tokenUsd: 0.0004,
    toolUsd: 0,
    reasons: [['approval', 1]],
    releases: [{ name: '1', sinceMs: july, failing: 0.2, escalating: 0.1 }],
    quality: undefined,
  },
  {
    name: 'invoice-agent',
    service: 'invoices',
    taskType: 'invoice',
    runs: [0, 0, 0, 45, 5],
    sinceMs: at('10-12 09:00'),
    tools: [
      ['read_invoice', 3],
      ['book_payment', 1],
    ],
    model: 'gpt-4o-mini',
    provider: 'openai',
    tokenUsd: 0.0004,
    toolUsd: 0,
    reasons: [['approval', 1]],
    releases: [{ name: '0.1', sinceMs: at('10-12 09:00'), failing: 0.06, escalating: 0.05 }],
    quality: undefined,
  },
];
