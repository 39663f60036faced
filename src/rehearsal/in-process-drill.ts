import { mkdtempSync, rmSync } from 'node:fs';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rollbackResources } from '../api/rollback-resources.ts';
import { Failure } from '../core/failure.ts';
import { createLog } from '../core/log.ts';
import { Secret } from '../core/secret.ts';
import type { Standing } from '../judge/standing.ts';
import type { Plan } from '../plan.ts';
import { canaryRulesOf } from '../policy/canary-rules.ts';
import { Coverage } from '../policy/coverage.ts';
import type { RollbackPlan } from '../policy/rollback-plan.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import type { Attempt } from '../rollback/attempt.ts';
import { Executor, type ExecutorParts } from '../rollback/executor.ts';
import { alertNotification } from './alert-notification.ts';
import { drillRecord, type DrillCheck, type DrillRecord } from './drill-record.ts';
import { MemoryStream } from './memory-stream.ts';
import { MortalJournal } from './mortal-journal.ts';
import { PretendedTarget } from './pretended-target.ts';
import { Replay } from './replay.ts';
import { drillTraffic, knownScenarios, rehearsedEnvironment, releasesOf, tickMsOf } from './scenarios.ts';
import { trafficRequests } from './traffic-requests.ts';
import type { Traffic } from './traffic.ts';

/** Drills in process begin then, so that the same one always gives the same: 2026-01-01. */
const startMs = 1_767_225_600_000;
/** As often, on the clock of the drill, what the judge says reaches the executor, and the executor looks. */
const lookEveryMs = 1000;
const drillId = 'rehearsal';
const targetName = 'pretended';
const alertRepeats = 3;
/** Runs of all releases together, in a minute: enough to decide soon, and few enough for seconds. */
const runsPerMinute = 400;

/** An outage has come and gone by then. */
const outageTicks = 40;

/** What a drill in process works with. */
export interface InProcessDrillParts {
  readonly plan: Plan;
  readonly assess: NonNullable<Plan['assess']>;
  readonly file: PolicyFile;
}

/**
 * Rehearses the scenario `name` under the policy in `file` without anything but this process: make-believe traffic goes
 * through the pipeline's own code and its executor, whose target is pretended, with a clock that moves by what is sent. The
 * executor is killed when it has just acted, and another one goes on; alerts about the same come three times. The same
 * drill gives the same record. The policy must show the scenario: see `unseenBy`.
 */
export async function inProcessDrill(name: string, parts: InProcessDrillParts): Promise<DrillRecord> {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-drill-'));
  try {
    return await new InProcessDrill(name, parts, folder).run();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

class InProcessDrill {
  readonly #name: string;
  readonly #file: PolicyFile;
  readonly #folder: string;
  readonly #replay: Replay;
  readonly #stream: MemoryStream;
  readonly #coverage: Coverage;
  readonly #traffic: Traffic;
  readonly #releases = releasesOf(drillId);
  readonly #target = new PretendedTarget(this.#releases.bad);
  /** When each link first held. */
  readonly #links = new Map<string, number>();
  #journal: MortalJournal;
  #executor: Executor;
  #processes = 1;
  /** How many alerts about a release the executor took. */
  readonly #alerts = new Map<string, number>();
  #lookedMs = startMs;
  /** When there is nothing more to wait for. */
  #endMs = Number.POSITIVE_INFINITY;

  constructor(name: string, { file, ...parts }: InProcessDrillParts, folder: string) {
    this.#name = name;
    this.#file = file;
    this.#folder = folder;
    this.#replay = new Replay({ ...parts, policies: [file] }, startMs);
    this.#stream = new MemoryStream({ nowMs: () => this.#replay.nowMs });
    this.#coverage = new Coverage([file]);
    this.#traffic = trafficUnder(file, name);
    this.#journal = new MortalJournal(this.#stream, 'executing');
    this.#executor = this.#executorOn(this.#journal);
  }

  async run(): Promise<DrillRecord> {
    for (const request of trafficRequests(this.#traffic, startMs)) {
      this.#replay.take(request);
      if (request.release === this.#releases.bad) this.#mark('first bad span sent');
      if (this.#replay.nowMs - this.#lookedMs >= lookEveryMs) await this.#look();
      if (this.#replay.nowMs >= this.#endMs) break;
    }
    const { agent, environment } = this.#traffic;
    const { policy, revision } = this.#file;
    return drillRecord(
      {
        policy: policy.metadata.name,
        scenario: this.#name,
        environment,
        startedMs: startMs,
        endedMs: this.#replay.nowMs,
      },
      {
        id: drillId,
        kind: 'in-process',
        revision,
        agent,
        links: [...this.#links].map(([link, timeMs]) => ({ link, timeMs })),
        checks: this.#checks(),
      },
    );
  }

  #executorOn(journal: MortalJournal): Executor {
    const { judge } = this.#replay;
    const parts: ExecutorParts = {
      journal,
      file: join(this.#folder, `rollbacks-${this.#processes}.jsonl`),
      targets: new Map([[targetName, this.#target]]),
      approvalsOf: () => 1,
      perHour: 1,
      perDay: 1,
      approvalKey: new Secret('nobody approves anything in a drill'),
      isActing: () => true,
      stopReason: () => undefined,
      planOf: (agent, environment) => this.#planOf(agent, environment),
      hasPolicy: (name) => name === this.#file.policy.metadata.name,
      destinations: (agent, environment, release) => judge.destinations(agent, environment, release),
      figureOf: (kpi, of, sinceMs) => this.#replay.figureOf(kpi, of, sinceMs),
      recentMs: 600_000, // its target can say what it runs
      people: { page: async () => undefined, endPages: async () => undefined },
      rows: () => undefined,
      clock: { nowMs: () => this.#replay.nowMs },
      log: createLog('silent'),
    };
    return new Executor(parts);
  }

  /** As the policy says, but that what it would only say, or ask for, is done: to a target that is pretended. */
  #planOf(agent: string, environment: string): RollbackPlan | undefined {
    const plan = this.#coverage.rollbackPlan(agent, environment);
    return plan && { ...plan, mode: plan.mode === 'off' ? 'off' : 'auto', target: targetName };
  }

  async #look(): Promise<void> {
    this.#lookedMs = this.#replay.nowMs;
    for (const standing of this.#replay.judge.standings()) await this.#heed(standing);
    if (this.#executor.status(undefined).attempts.length > 0) await this.#executor.round();
    if (this.#journal.isDead) {
      this.#mark('executor killed');
      this.#processes++;
      this.#journal = new MortalJournal(this.#stream);
      this.#executor = this.#executorOn(this.#journal);
      return; // nobody is there until the next look
    }
    for (const attempt of this.#attemptsOf(this.#releases.bad)) this.#follow(attempt);
  }

  /** Does with what the judge says as a pipeline does, and has alerts say the same. */
  async #heed(standing: Standing): Promise<void> {
    const { agent, environment, release, reason, verdict, action } = standing;
    if (release === this.#releases.bad) {
      this.#mark('judged');
      if (verdict === 'fail') this.#mark('verdict fail');
    }
    if (action !== 'rollback') return;
    await this.#asked(release, async () => {
      const request = { agent, environment, release, reason, evidence: {} };
      await this.#executor.request({ ...request, cause: 'judge', requestedBy: 'judge' });
    });
    await this.#executor.round();
    for (let taken = this.#alerts.get(release) ?? 0; taken < alertRepeats; taken++) {
      const isTaken = await this.#asked(release, async () => this.#alert({ agent, environment, release }));
      if (!isTaken) return;
      this.#alerts.set(release, taken + 1);
    }
  }

  /** An alert of Alertmanager about a release arrives, as its webhook sends it. */
  async #alert(of: Parameters<typeof alertNotification>[0]): Promise<void> {
    const { '/api/v1/alerts': alerts } = rollbackResources(
      this.#executor,
      { nameOf: () => 'alertmanager', userOf: () => undefined },
      createLog('silent'),
    );
    const request = new IncomingMessage(new Socket());
    request.push(alertNotification(of, this.#replay.nowMs));
    request.push(null);
    const answer = await alerts?.POST?.(request, '');
    if (answer?.status !== 200) throw new Failure('unavailable', String(answer?.body));
  }

  /** Whether the executor has what `ask` asks of `release`: one that was killed has not, and is asked again later. */
  async #asked(release: string, ask: () => Promise<void>): Promise<boolean> {
    try {
      await ask();
      if (release === this.#releases.bad) this.#mark('executor received');
      return true;
    } catch (error) {
      if (this.#journal.isDead) return false;
      throw error;
    }
  }

  #follow({ actedMs, state, sinceMs }: Attempt): void {
    if (actedMs !== undefined) this.#mark('acted', actedMs);
    if (state === 'done') this.#mark('verified', sinceMs);
    if (state !== 'done' && state !== 'failed') return;
    this.#endMs = Math.min(this.#endMs, this.#replay.nowMs + 5 * tickMsOf(this.#file));
  }

  #mark(link: string, timeMs = this.#replay.nowMs): void {
    if (!this.#links.has(link)) this.#links.set(link, timeMs);
  }

  #attemptsOf(release: string): readonly (Attempt & { readonly asks: number })[] {
    return this.#executor.status(undefined).attempts.filter(({ from }) => from === release);
  }

  #checks(): readonly DrillCheck[] {
    const { good, bad, baseline } = this.#releases;
    const isFault = knownScenarios.get(this.#name)?.isReleasesFault ?? false;
    const untouched = (isFault ? [baseline, good] : [baseline, good, bad]).map((release) =>
      this.#untouched(release),
    );
    return isFault ? [...this.#rolledBack(bad), ...untouched] : untouched;
  }

  #rolledBack(release: string): readonly DrillCheck[] {
    const attempts = this.#attemptsOf(release);
    const [attempt] = attempts;
    const said = attempt ? `${attempt.state}: ${attempt.outcome}` : this.#saidOf(release);
    return [
      { what: `${release} is rolled back`, isMet: attempt?.state === 'done', found: said },
      {
        what: `the judge and ${alertRepeats} alerts ask for one rollback`,
        isMet: attempts.length === 1 && attempt !== undefined && attempt.asks > alertRepeats,
        found: `attempts: ${attempts.length}, asked for ${attempt?.asks ?? 0} times`,
      },
      {
        what: 'the executor is killed when it has acted, and the next one goes on without a second order',
        isMet: this.#processes === 2 && this.#target.orders === 1,
        found: `${this.#processes - 1} killed, ${this.#target.orders} orders`,
      },
    ];
  }

  /** A baseline is not judged; a canary must have been, or nothing could have been done to it. */
  #untouched(release: string): DrillCheck {
    const { length } = this.#attemptsOf(release);
    const isKnown = release === this.#releases.baseline || this.#standingOf(release) !== undefined;
    const found = length === 0 ? this.#saidOf(release) : `${length} attempts`;
    return { what: `${release} is not rolled back`, isMet: length === 0 && isKnown, found };
  }

  #standingOf(release: string): Standing | undefined {
    return this.#replay.judge.standings().find((one) => one.release === release);
  }

  #saidOf(release: string): string {
    const standing = this.#standingOf(release);
    return standing ? `${standing.verdict}: ${standing.reason}` : 'not judged';
  }
}

/** Long enough for the scenario to show, whatever the deadline of runs. */
function trafficUnder(file: PolicyFile, name: string): Traffic {
  const scenario = knownScenarios.get(name);
  const rules = canaryRulesOf(file);
  if (!scenario || !rules) throw new Error(`${name} cannot be rehearsed under ${file.file}`);
  return drillTraffic(file, scenario, {
    id: drillId,
    environment: rehearsedEnvironment(file),
    seed: 1,
    runsPerMinute: (runsPerMinute * rules.share) / (1 + rules.share),
    leadTicks: 3,
    ticks: scenario.isReleasesFault ? 60 + Math.ceil(rules.deadlineMs / rules.tickMs) : outageTicks,
    seconds: Math.min(20, rules.deadlineMs / 4000),
    exportSeconds: 5,
  });
}
