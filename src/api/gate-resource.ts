import type { Answer, Resource } from '../core/http-endpoint.ts';
import { instant } from '../core/instant.ts';
import { judgeStaging } from '../gate/staging-gate.ts';
import type { Action, Standing, TestStanding, Verdict } from '../judge/standing.ts';
import { stagingRulesOf } from '../policy/gate-rules.ts';
import type { MetricFamily } from '../policy/kpi-figures.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { stagingFiguresOf } from '../policy/staging-figures.ts';
import { askedInQuery, askedInWebhook, questionOf, type Asked, type GateQuestion } from './gate-question.ts';
import { json } from './json-answer.ts';

/** What gates answer by. */
export interface GateParts {
  /** Of every release that is judged; undefined in a process that stands by, which knows nothing. */
  readonly standings: () => readonly Standing[] | undefined;
  /** The policies in use. */
  readonly policies: () => readonly PolicyFile[];
  /** The rolling gauges, of one moment. */
  readonly kpis: () => readonly MetricFamily[];
  /** When a release is first judged; undefined where it is already, or has no runs. */
  readonly awaitedMs: (agent: string, environment: string, release: string) => number | undefined;
}

/** What a gate says, as it is answered; without a verdict that was reached it is inconclusive, whatever the status. */
type Said = Readonly<Record<string, unknown>> & {
  readonly verdict: Verdict;
  readonly action: Action;
  readonly reason: string;
};

/**
 * The hooks of Flagger by which a gate decides, and when each goes on. A rollback hook that is answered with 2xx rolls
 * back; the confirm hooks wait until they are; of the others each refusal is a failed check, and enough of those roll
 * back, so they are refused only where that is meant.
 */
const goesOn: Readonly<Record<string, (said: Said, gate: GateQuestion['gate']) => boolean>> = {
  rollback: mustGo,
  'confirm-promotion': ({ verdict }) => verdict === 'pass',
  'confirm-rollout': (said, gate) => (gate === 'staging' ? said.verdict === 'pass' : isUnharmed(said)),
  'confirm-traffic-increase': isUnharmed,
  'pre-rollout': (said) => !mustGo(said),
  rollout: (said) => !mustGo(said),
};

/** It failed, or its time is over and the policy wants it rolled back for that. */
function mustGo({ verdict, action }: Said): boolean {
  return verdict === 'fail' || action === 'rollback';
}

function isUnharmed(said: Said): boolean {
  return !mustGo(said) && said.action !== 'pause';
}

/**
 * What the gates of the policy in the path say of a release. GET answers with JSON, as the web provider of Argo Rollouts
 * reads it; POST with the same, and 200 or 409 as a webhook of Flagger understands it. Every answer has a verdict, and
 * none is a pass unless the judge or the figures say so.
 */
export function gateResource(parts: GateParts): Required<Resource> {
  return {
    GET: async (request, policy) => answerTo(parts, policy, askedInQuery(request)).answer,
    POST: async (request, policy) => {
      const read = await askedInWebhook(request);
      if ('fault' in read) return refused(read.status, read.fault);
      const decides = goesOn[read.asked['hook'] ?? ''];
      if (!decides)
        return refused(400, `hook: must be one of ${Object.keys(goesOn).join(', ')}, in the metadata`);
      const { answer, said, gate } = answerTo(parts, policy, read.asked);
      if (said === undefined) return answer;
      return json(decides(said, gate) ? 200 : 409, said);
    },
  };
}

/** The answer to a GET, and what it says where somebody could be asked. */
interface Answered {
  readonly answer: Answer;
  readonly said?: Said;
  readonly gate: GateQuestion['gate'];
}

function none(status: number, sentence: string): Answered {
  return { answer: refused(status, sentence), gate: 'canary' };
}

function answerTo(parts: GateParts, name: string, asked: Asked): Answered {
  const policies = parts.policies();
  const file = policies.find(({ policy }) => policy.metadata.name === name);
  if (!file) {
    const used = policies.map(({ policy }) => policy.metadata.name).join(', ');
    return none(
      404,
      `no policy ${name} is in use (${used === '' ? 'none is' : `only ${used}`}): correct the name, or add it to service::policies`,
    );
  }
  const read = questionOf(file, asked);
  if ('fault' in read) return none(400, read.fault);
  const { gate } = read.question;
  if (!file.policy.gates?.[gate])
    return none(404, `the policy ${name} has no gate ${gate}: add gates::${gate}`);
  const standings = parts.standings();
  if (standings === undefined) return none(503, 'this process stands by: ask the one that assesses');
  const said =
    gate === 'canary'
      ? canarySaid(file, read.question, standings, parts)
      : stagingSaid(file, read.question, parts.kpis());
  return { answer: json(200, said), said, gate };
}

function stagingSaid(file: PolicyFile, question: GateQuestion, kpis: readonly MetricFamily[]): Said {
  const rules = stagingRulesOf(file);
  const { runs, kpis: figures } = stagingFiguresOf(file, question, kpis);
  const { verdict, reason } = rules
    ? judgeStaging({ runs, kpis: figures }, rules)
    : { verdict: 'inconclusive' as const, reason: 'there is no such gate' };
  return {
    verdict,
    action: verdict === 'pass' ? 'promote' : 'none',
    reason,
    ...headOf(file, question),
    runs,
    figures: Object.fromEntries([...figures].map(([kpi, { value }]) => [kpi, value])),
    events: Object.fromEntries([...figures].map(([kpi, { events }]) => [kpi, events])),
  };
}

function canarySaid(
  file: PolicyFile,
  question: GateQuestion,
  standings: readonly Standing[],
  parts: Pick<GateParts, 'awaitedMs'>,
): Said {
  const { agent, environment, release } = question;
  const found = standings.find(
    (one) =>
      one.agent === agent &&
      one.environment === environment &&
      one.release === release &&
      one.policy === file.policy.metadata.name,
  );
  if (!found)
    return {
      verdict: 'inconclusive',
      action: 'none',
      reason: unjudged(question, parts.awaitedMs(agent, environment, release)),
      ...headOf(file, question),
    };
  return {
    verdict: found.verdict,
    action: found.action,
    reason: found.reason,
    ...headOf(file, question),
    policy_revision: found.revision,
    baseline: found.baseline ?? null,
    started: instant(found.startedMs),
    decided: found.decidedMs === undefined ? null : instant(found.decidedMs),
    starts: found.starts,
    units: found.units,
    tests: found.tests.map(testSaid),
  };
}

/** Why nothing is said of a release that is first judged at `awaitedMs`. */
function unjudged({ agent, release, environment }: GateQuestion, awaitedMs: number | undefined): string {
  const named = `${agent} ${release} in ${environment}`;
  return awaitedMs === undefined
    ? `nothing is judged of ${named}: it had no traffic, or is the release that others are compared with`
    : `${named} is known, and not judged yet: it is from ${instant(awaitedMs)} on, when the tick of its first runs is closed`;
}

/** E-values beside their logarithms, which are what grows without bound. */
function testSaid(test: TestStanding): Readonly<Record<string, unknown>> {
  const { kpi, test: name, logEvidence, pauseAt, rollbackAt, passAt, detectableDrop } = test;
  return {
    kpi,
    test: name,
    e_value: Math.exp(Math.min(logEvidence, mostLog)),
    log_evidence: logEvidence,
    log_evidence_at: { pause: pauseAt, rollback: rollbackAt, pass: passAt },
    detectable_drop: detectableDrop ?? null,
  };
}

/** Of greater ones no number has the exponential. */
const mostLog = 700;

function headOf({ policy, revision }: PolicyFile, question: GateQuestion): Readonly<Record<string, string>> {
  const { gate, agent, environment, release } = question;
  return { policy: policy.metadata.name, policy_revision: revision, gate, agent, environment, release };
}

/** No verdict was reached: whoever reads the body alone reads that, too. */
function refused(status: number, sentence: string): Answer {
  return json(status, { verdict: 'inconclusive', action: 'none', reason: sentence, errors: [sentence] });
}
