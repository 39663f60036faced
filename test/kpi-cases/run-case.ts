import { messageOf } from '../../src/core/failure.ts';
import { requestOf } from './case-spans.ts';
import { differences } from './compare-series.ts';
import { KpiEngine } from './kpi-engine.ts';
import type { Case, Command } from './parse-cases.ts';

/** When every case begins: the panes of every window do, too. */
const zeroMs = Date.UTC(2026, 10, 23, 12);

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
        break;
    }
    await engine.settled();
    if (command.kind === 'eval') await this.#eval(command);
  }

  #requestOf({ runs, options }: Extract<Command, { kind: 'load' }>): Uint8Array {
    return requestOf(runs, { zeroMs, nowMs: this.#engine.nowMs, options });
  }

  #send(sent: Sent): void {
    this.#engine.append(sent.partition, sent.payload);
    this.#sent = sent;
  }

  async #eval(command: Extract<Command, { kind: 'eval' }>): Promise<void> {
    const wrong = differences(await this.#engine.families(), command);
    if (wrong.length === 0) return;
    throw new Error(
      [
        command.text,
        ...wrong.map(({ line, text }) => `  ${line === undefined ? '' : `line ${line}: `}${text}`),
      ].join('\n'),
    );
  }
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
