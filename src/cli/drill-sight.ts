import { z } from 'zod';
import { rollbackLabel } from '../policy/release-rules.ts';
import { parseSamples, type Sample } from './demo-table.ts';
import { bearer, reasonOf, refusalOf } from './api-call.ts';

/** Where the parts of the way from a span to a rollback can be looked at. */
export interface SightUrls {
  /** The exposition of the process that assesses, such as http://127.0.0.1:9464/metrics. */
  readonly metrics: string;
  /** Its API, such as http://127.0.0.1:8080. */
  readonly api: string;
  /** A bearer token of the API; undefined where it wants none. */
  readonly token: string | undefined;
  readonly prometheus: string | undefined;
  readonly alertmanager: string | undefined;
}

/** A release of an agent in an environment. */
export interface SightOf {
  readonly agent: string;
  readonly environment: string;
  readonly release: string;
}

const attempt = z.object({
  id: z.string(),
  agent: z.string(),
  environment: z.string(),
  from_release: z.string(),
  to_release: z.string().nullable(),
  state: z.string(),
  outcome: z.string(),
  asked_by: z.array(z.string()),
  asks: z.number(),
});

const answered = z.object({ rollbacks: z.array(attempt) });

/** A try to take a release back, as the API tells of it. */
export type AttemptSeen = z.infer<typeof attempt>;

/** How much speaks against a release in a KPI, or for it, and how much must: natural logarithms of e-values. */
interface EvidenceSeen {
  readonly kpi: string;
  readonly test: string;
  readonly logEvidence: number;
  /** Of the action rollback, or pass where the test is not_worse. */
  readonly threshold: number | undefined;
}

/** What can be seen of a release at once. */
export interface Sight {
  /** Units of it that the judge knows, and of them those with a score; undefined until it is judged. */
  readonly units: { readonly open: number; readonly settled: number } | undefined;
  readonly verdict: string | undefined;
  readonly evidence: readonly EvidenceSeen[];
  /** What was tried to take it back. */
  readonly attempts: readonly AttemptSeen[];
  /** Whether Prometheus has an alert that fires and asks for a rollback, and Alertmanager has it; false without such URLs. */
  readonly isFiring: boolean;
  readonly isNotified: boolean;
  /** Why something did not answer, one sentence each: what it shows is then not known, though the rest looks empty. */
  readonly faults: readonly string[];
}

/** Looks at a release everywhere at once. */
export async function sightOf(urls: SightUrls, of: SightOf): Promise<Sight> {
  const faults: string[] = [];
  const noted = (where: string) => (error: unknown) => void faults.push(`${where}: ${reasonOf(error)}`);
  const [exposition, tried, alerts, told] = await Promise.all([
    textAt(urls.metrics).catch(noted(urls.metrics)),
    attemptsAt(urls).catch(noted(urls.api)),
    alertsAt(urls.prometheus).catch(noted(String(urls.prometheus))),
    notifiedAt(urls.alertmanager).catch(noted(String(urls.alertmanager))),
  ]);
  const samples = parseSamples(exposition ?? '').filter(({ labels }) => isOf(labels, of));
  return {
    ...judged(samples),
    attempts: (tried ?? []).filter(
      ({ from_release: from, agent, environment }) =>
        from === of.release && agent === of.agent && environment === of.environment,
    ),
    isFiring: (alerts ?? []).some(({ labels, state }) => state === 'firing' && asksForRollback(labels, of)),
    isNotified: (told ?? []).some(({ labels }) => asksForRollback(labels, of)),
    faults,
  };
}

function isOf(labels: Readonly<Record<string, string>>, { agent, environment, release }: SightOf): boolean {
  return labels['agent'] === agent && labels['environment'] === environment && labels['release'] === release;
}

function asksForRollback(labels: Readonly<Record<string, string>>, of: SightOf): boolean {
  return labels['rollback'] === rollbackLabel.rollback && isOf(labels, of);
}

function judged(samples: readonly Sample[]): Pick<Sight, 'units' | 'verdict' | 'evidence'> {
  const unitsIn = (state: string): number | undefined =>
    samples.find(
      ({ name, labels }) =>
        name === 'plimsoll_release_units' && labels['arm'] === 'candidate' && labels['state'] === state,
    )?.value;
  const [open, settled] = [unitsIn('open'), unitsIn('settled')];
  const thresholds = samples.filter(({ name }) => name === 'plimsoll_release_log_evidence_threshold');
  const evidence = samples
    .filter(({ name }) => name === 'plimsoll_release_log_evidence')
    .map(({ labels, value }): EvidenceSeen => {
      const { kpi = '', test = '' } = labels;
      const action = test === 'not_worse' ? 'pass' : 'rollback';
      const needed = thresholds.find((one) => one.labels['kpi'] === kpi && one.labels['action'] === action);
      return { kpi, test, logEvidence: value, threshold: needed?.value };
    });
  const verdict = samples.find(({ name, value }) => name === 'plimsoll_release_verdict' && value === 1)
    ?.labels['verdict'];
  return {
    units: open === undefined || settled === undefined ? undefined : { open, settled },
    verdict,
    evidence,
  };
}

/** A policy at one of its revisions. */
interface PolicyRevision {
  readonly policy: string;
  readonly revision: string;
}

/** Why something cannot be looked at, or judges by another policy, one sentence each; none when all is as it should be. */
export async function missingAt(urls: SightUrls, wanted: PolicyRevision): Promise<readonly string[]> {
  const { policy } = wanted;
  const exposition = textAt(urls.metrics).then(parseSamples);
  const looks: readonly (readonly [string, Promise<unknown>])[] = [
    [
      `${urls.metrics} shows no KPIs: name the process that assesses (--metrics)`,
      exposition.then(needsAssessing),
    ],
    [
      `${urls.metrics} judges by another policy ${policy} than the drill is given: name what it uses (--policy), or have it use that`,
      exposition.then(
        (samples) => needsRevision(samples, wanted),
        () => undefined, // said above
      ),
    ],
    [
      `${urls.api}/api/v1/rollbacks does not answer as an executor does: list extensions::rollback in that process's configuration, or name it (--url)`,
      attemptsAt(urls),
    ],
    [`${urls.prometheus} is no Prometheus that answers (--prometheus)`, alertsAt(urls.prometheus)],
    [`${urls.alertmanager} is no Alertmanager that answers (--alertmanager)`, notifiedAt(urls.alertmanager)],
  ];
  const found = await Promise.all(
    looks.map(async ([sentence, look]) =>
      look.then(
        () => [],
        (error: unknown) => [`${sentence}: ${reasonOf(error)}`],
      ),
    ),
  );
  return found.flat();
}

function needsAssessing(samples: readonly Sample[]): void {
  if (samples.every(({ name, value }) => name !== 'plimsoll_kpi_active' || value !== 1))
    throw new Error('plimsoll_kpi_active is not 1');
}

function needsRevision(samples: readonly Sample[], { policy, revision }: PolicyRevision): void {
  const used = samples.flatMap(({ name, labels }) =>
    name === 'plimsoll_policy_info' && labels['policy'] === policy ? [labels['revision']] : [],
  );
  if (used.length === 0) throw new Error(`plimsoll_policy_info tells of no policy ${policy}`);
  if (!used.includes(revision)) throw new Error(`revision ${used.join(', ')}, not ${revision}`);
}

const lookMs = 5000;

async function textAt(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(lookMs) });
  const text = await response.text();
  if (!response.ok) throw new Error(refusalOf(response.status, text));
  return text;
}

async function attemptsAt({ api, token }: SightUrls): Promise<readonly AttemptSeen[]> {
  return answered.parse(JSON.parse(await textAt(`${api}/api/v1/rollbacks`, bearer(token)))).rollbacks;
}

const labelled = z.object({ labels: z.record(z.string(), z.string()) });
const ruleAlerts = z.object({ data: z.object({ alerts: z.array(labelled.extend({ state: z.string() })) }) });

async function alertsAt(url: string | undefined): Promise<z.infer<typeof ruleAlerts>['data']['alerts']> {
  if (url === undefined) return [];
  return ruleAlerts.parse(JSON.parse(await textAt(`${url}/api/v1/alerts`))).data.alerts;
}

async function notifiedAt(url: string | undefined): Promise<readonly z.infer<typeof labelled>[]> {
  if (url === undefined) return [];
  return z.array(labelled).parse(JSON.parse(await textAt(`${url}/api/v2/alerts`)));
}
