import type { SpanFacts } from '../semconv/span-facts.ts';
import { unknown } from '../semconv/vocabulary.ts';
import type { Arrival } from './arrival.ts';
import { byte, cell, text, type RunTable } from './run-table.ts';

/** How well a span speaks for its run; smaller is better, and 0 is nobody. */
const rank = { root: 1, agent: 2, other: 3 } as const;

/** What a service's name is worse by than an agent's: a server's root span must not hide the agents that it runs. */
const onlyService = 3;

const labelCount = 3;

/**
 * Adds what `span` says of who carried out its run, and where: the root span says it best, else the earliest agent
 * span, else the earliest span that says it, whatever the order in which they arrive. An agent is its service only
 * where no span names it.
 */
export function addLabels(runs: RunTable, span: SpanFacts, arrival: Arrival): void {
  const { run, startMs } = arrival;
  const { cells, bytes } = runs;
  const place = arrival.isRoot ? rank.root : arrival.step === 'agent' ? rank.agent : rank.other;
  const rankAt = runs.byteAt(run) + byte.labelRank;
  const startAt = runs.cellAt(run) + cell.labelMs;
  for (let label = 0; label < labelCount; label++) {
    const own = label === text.agent && !span.namesAgent ? place + onlyService : place;
    const best = bytes[rankAt + label]!;
    const bestMs = cells[startAt + label]!;
    if (best !== 0 && (own > best || (own === best && startMs > bestMs))) continue;
    const value = saidBy(span, label);
    if (value === unknown) continue;
    if (own === best && startMs === bestMs && value >= runs.text(run, label)) continue;
    runs.setText(run, label, value);
    bytes[rankAt + label] = own;
    cells[startAt + label] = startMs;
  }
}

function saidBy(span: SpanFacts, label: number): string {
  return label === text.agent ? span.agent : label === text.release ? span.release : span.environment;
}
