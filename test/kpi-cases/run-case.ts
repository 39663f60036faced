import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../src/core/failure.ts';
import type { Report } from '../../src/incidents/incident-book.ts';
import { report } from '../incidents/books.ts';
import { requestOf } from './case-spans.ts';
import { differences } from './compare-series.ts';
import { KpiEngine } from './kpi-engine.ts';
import type { Case, Command } from './case.ts';

/** When every case begins: the panes of every window do, too. */
const zeroMs = Date.UTC(2026, 10, 23, 12);

/** So long an eval waits for a process that makes its own snapshots. */
const limitMs = 20_000;

/** A load as it was sent. */
interface Sent {
  readonly partition: number;
  readonly payload: Uint8Array;
}

/** One case on its way. */
class Run {
  readonly #engine: KpiEngine;
  #sent: Sent | undefined;

  constructor(engine: KpiEngine) {
    this.#engine = engine;
  }

  async do(command: Command): Promise<void> {
    const engine = this.#engine;
    if (command.atMs !== undefined) {
      const atMs = zeroMs + command.atMs;
      if (atMs < engine.nowMs) throw new Error(`the clock is past ${command.text}: it never goes back`);
      engine.nowMs = atMs;
    }
    switch (command.kind) {
      case 'load':
        this.#send({ partition: command.partition, payload: this.#requestOf(command) });
        break;
      case 'resend':
        if (!this.#sent) throw new Error('nothing was loaded that could be sent again');
        this.#send({ ...this.#sent, partition: command.partition ?? this.#sent.partition });
        break;
      case 'pause':
        engine.allow(command.partition, 0);
        break;
      case 'mute':
        engine.mute(command.partition);
        break;
      case 'expire':
        engine.expire(command.partition, command.keep);
        break;
      case 'snapshots':
        engine.spoilSnapshots(command.how);
        break;
      case 'configure':
        engine.configure(command.given);
        break;
      case 'incident':
        await engine.report(incidentOf(command));
        break;
      case 'deliver':
        engine.allow(command.partition, 1);
        break;
      case 'resume':
        engine.allow(command.partition, Number.POSITIVE_INFINITY);
        break;
      case 'restart':
        await engine.restart();
        break;
      case 'kill':
        await engine.kill();
        break;
      case 'good':
        engine.setGood(command.agent, command.outcomes);
        break;
      case 'target':
        engine.setTarget(command.agent, command.evaluator, command.target);
        break;
      case 'clock':
      case 'eval':
      case 'unlabelled':
        break;
    }
    await engine.settled();
    if (command.kind === 'eval') await this.#eval(command);
    if (command.kind === 'unlabelled') await this.#refuseLabels(command.texts);
  }

  #requestOf({ runs, options }: Extract<Command, { kind: 'load' }>): Uint8Array {
    return requestOf(runs, { zeroMs, nowMs: this.#engine.nowMs, options });
  }

  #send(sent: Sent): void {
    this.#engine.append(sent.partition, sent.payload);
    this.#sent = sent;
  }

  async #refuseLabels(texts: readonly string[]): Promise<void> {
    for (const { name, samples } of await this.#engine.families())
      for (const [label, value] of samples.flatMap(({ labels }) => labels))
        if (texts.some((text) => value.includes(text)))
          throw new Error(`${name} has the label ${label}="${value}"`);
  }

  async #eval(command: Extract<Command, { kind: 'eval' }>): Promise<void> {
    const endMs = Date.now() + (this.#engine.makesOwnSnapshots ? limitMs : 0);
    let wrong = differences(await this.#engine.families(), command);
    while (wrong.length > 0 && Date.now() < endMs) {
      await sleep(20);
      wrong = differences(await this.#engine.families(), command);
    }
    if (wrong.length === 0) return;
    throw new Error(
      [
        command.text,
        ...wrong.map(({ line, text }) => `  ${line === undefined ? '' : `line ${line}: `}${text}`),
      ].join('\n'),
    );
  }
}

function incidentOf({ key, severity, options }: Extract<Command, { kind: 'incident' }>): Report {
  return report({ key, severity, agent: 'refund', ...Object.fromEntries(options) });
}

/** Runs `one` of `file`. Rejects with what is not as expected, by file and line. */
export async function runCase(file: string, one: Case): Promise<void> {
  const engine = new KpiEngine(one.given, zeroMs);
  const run = new Run(engine);
  try {
    for (const command of one.commands) {
      try {
        await run.do(command);
      } catch (error) {
        throw new Error(`${file}:${command.line}: ${messageOf(error)}`, { cause: error });
      }
    }
  } finally {
    await engine.stop();
  }
}
