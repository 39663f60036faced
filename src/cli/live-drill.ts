import { setTimeout as sleep } from 'node:timers/promises';
import { canaryRulesOf } from '../policy/canary-rules.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { alertNotification, noAlerts } from '../rehearsal/alert-notification.ts';
import { drillRecord, type DrillRecord } from '../rehearsal/drill-record.ts';
import {
  drillTraffic,
  knownScenarios,
  rehearsedEnvironment,
  releasesOf,
  type DrillReleases,
} from '../rehearsal/scenarios.ts';
import { trafficRequests, type TrafficRequest } from '../rehearsal/traffic-requests.ts';
import type { Traffic } from '../rehearsal/traffic.ts';
import { rehearsalOf } from '../semconv/rehearsal.ts';
import { bearer, reasonOf, refusalOf } from './api-call.ts';
import { alertRepeats, drillChecks, type DrillSeen } from './drill-checks.ts';
import { missingAt, sightOf, type AttemptSeen, type Sight, type SightUrls } from './drill-sight.ts';

/** What a live drill works with. */
export interface LiveDrillParts {
  readonly file: PolicyFile;
  readonly urls: SightUrls;
  /** Where OTLP is taken over HTTP, without its path, and with which bearer token. */
  readonly otlp: string;
  readonly otlpToken: string | undefined;
  /** Of each canary. */
  readonly runsPerMinute: number;
  /** Told of everything that happens, as it happens. */
  readonly say: (line: string) => void;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

const lookEveryMs = 500;
const leadTicks = 3;
/** A scenario must show within so many ticks of the canaries' beginning, and the deadline of runs. */
const patienceTicks = 60;
const outageTicks = 35;

/** Why no drill can be run now, one sentence each. */
export async function drillFaults({
  file,
  urls,
  otlp,
  otlpToken,
}: Pick<LiveDrillParts, 'file' | 'urls' | 'otlp' | 'otlpToken'>): Promise<readonly string[]> {
  const taken = await sendSpans(otlp, otlpToken, new Uint8Array()).catch(reasonOf);
  const unsent = taken === undefined ? [] : [`${otlp}/v1/traces takes no spans (--otlp): ${taken}`];
  const { policy, revision } = file;
  const faults = [...unsent, ...(await missingAt(urls, { policy: policy.metadata.name, revision }))];
  return faults.length > 0 ? faults : unheardAt(urls);
}

/** Why the executor takes no alerts and no record of who drills, though it answers who reads; none when it does. */
async function unheardAt({ api, token }: SightUrls): Promise<readonly string[]> {
  return posted(`${api}/api/v1/alerts`, token, 'application/json', noAlerts).then(
    () => [],
    async (error: unknown) => [
      (await hasNoToken(api))
        ? `${api}/api/v1/alerts takes nothing from anybody, because the pipeline has no token: restart it with one in PLIMSOLL_API_TOKEN (extensions::api::token), and export the same here`
        : `${api}/api/v1/alerts takes nothing from this drill, whose token is ${token === undefined ? 'not set' : 'another one'}: export PLIMSOLL_API_TOKEN as the pipeline has it (extensions::api::token): ${reasonOf(error)}`,
    ],
  );
}

/** Whether nobody may write there: who shows no token is else told (401) to show one. */
async function hasNoToken(api: string): Promise<boolean> {
  const signal = AbortSignal.timeout(sendMs);
  return fetch(`${api}/api/v1/alerts`, { method: 'POST', signal }).then(
    ({ status }) => status === 403,
    () => false,
  );
}

/**
 * Rehearses the scenario `name` on pipelines that run: sends marked traffic, which changes no KPI of real environments and
 * for which only a pretended target is acted on, and looks at every link of the way to a verified rollback.
 */
export async function liveDrill(name: string, parts: LiveDrillParts): Promise<DrillRecord> {
  const startedMs = Date.now();
  const drill = new LiveDrill(name, startedMs, parts);
  await Promise.all([drill.send(), drill.watch()]);
  return drill.record();
}

class LiveDrill {
  readonly #name: string;
  readonly #parts: LiveDrillParts;
  readonly #id: string;
  readonly #startedMs: number;
  readonly #releases: DrillReleases;
  readonly #traffic: Traffic;
  readonly #isFault: boolean;
  readonly #links = new Map<string, number>();
  readonly #over = new AbortController();
  /** What the executor said to the alerts that were sent to it. */
  #answers: readonly string[] = [];
  /** Why requests were not taken, in order. */
  readonly #refusals: string[] = [];
  #bad: Sight | undefined;
  #good: Sight | undefined;
  #baseline: Sight | undefined;
  /** When the outage begins; never, where the scenario has none. */
  readonly #outageMs: number;
  /** What was seen of the bad release since then. */
  readonly #outage: Sight[] = [];

  constructor(name: string, startedMs: number, parts: LiveDrillParts) {
    const scenario = knownScenarios.get(name);
    const rules = canaryRulesOf(parts.file);
    if (!scenario || !rules) throw new Error(`${name} cannot be rehearsed under ${parts.file.file}`);
    this.#name = name;
    this.#parts = parts;
    this.#startedMs = startedMs;
    this.#id = startedMs.toString(36);
    this.#releases = releasesOf(this.#id);
    this.#isFault = scenario.isReleasesFault;
    const deadlineTicks = Math.ceil(rules.deadlineMs / rules.tickMs);
    this.#traffic = drillTraffic(parts.file, scenario, {
      id: this.#id,
      environment: rehearsalOf(rehearsedEnvironment(parts.file), this.#id),
      seed: startedMs % 2 ** 32,
      runsPerMinute: parts.runsPerMinute,
      leadTicks,
      ticks: leadTicks + (this.#isFault ? patienceTicks + deadlineTicks : outageTicks),
      seconds: Math.min(2, rules.deadlineMs / 4000),
      exportSeconds: 1,
    });
    this.#outageMs = startedMs + (this.#traffic.outage?.from ?? Infinity) * 60_000;
  }

  /** Sends the traffic, each request at its time, until it ends or nothing is waited for any more. */
  async send(): Promise<void> {
    this.#announce();
    const { otlp, otlpToken } = this.#parts;
    for (const request of trafficRequests(this.#traffic, this.#startedMs)) {
      await this.#until(request.timeMs);
      if (this.#isOver) break;
      const refusal = await sendSpans(otlp, otlpToken, request.payload).catch(reasonOf);
      if (refusal === undefined) this.#sent(request);
      else this.#refusals.push(refusal);
    }
    this.#over.abort();
  }

  #announce(): void {
    const { environment, minutes, releases } = this.#traffic;
    const fromMinute = Math.max(...releases.map(({ from = 0 }) => from));
    this.#parts.say(
      `${environment}: the canaries begin in ${minutesText(fromMinute)}, and all is over in ${minutesText(minutes)} at the latest`,
    );
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted || this.#parts.signal.aborted;
  }

  async #until(timeMs: number): Promise<void> {
    const signal = AbortSignal.any([this.#over.signal, this.#parts.signal]);
    await sleep(Math.max(0, timeMs - Date.now()), undefined, { signal }).catch(() => undefined); // an abort ends the wait
  }

  #sent({ release }: TrafficRequest): void {
    if (release === this.#releases.bad) this.#mark('first bad span sent');
  }

  /** Looks until nothing is waited for any more. */
  async watch(): Promise<void> {
    const { agent, environment } = this.#traffic;
    const look = async (release: string): Promise<Sight> =>
      sightOf(this.#parts.urls, { agent, environment, release });
    while (!this.#isOver) {
      this.#bad = await look(this.#releases.bad);
      if (Date.now() >= this.#outageMs) this.#outage.push(this.#bad);
      await this.#note(this.#bad);
      await this.#until(Date.now() + lookEveryMs);
    }
    this.#bad = await look(this.#releases.bad);
    this.#good = await look(this.#releases.good);
    this.#baseline = await look(this.#releases.baseline);
  }

  async #note(sight: Sight): Promise<void> {
    const [attempt] = sight.attempts;
    if (sight.units) this.#mark('in /metrics');
    if (sight.verdict === 'fail') this.#mark('verdict fail');
    if (sight.isFiring) this.#mark('fires in Prometheus');
    if (sight.isNotified) this.#mark('in Alertmanager');
    if (!attempt) return;
    this.#mark('executor received');
    if (this.#answers.length === 0) this.#answers = await this.#repeatAlerts();
    if (['verifying', 'done'].includes(attempt.state)) this.#mark('acted');
    if (attempt.state === 'done') this.#mark('verified');
    if (isEnded(attempt)) this.#over.abort();
  }

  #mark(link: string): void {
    if (this.#links.has(link)) return;
    const nowMs = Date.now();
    this.#links.set(link, nowMs);
    this.#parts.say(`${((nowMs - this.#startedMs) / 1000).toFixed(1).padStart(7)} s  ${link}`);
  }

  /** The same alert comes several times, as Alertmanager repeats it and as its members may both tell. */
  async #repeatAlerts(): Promise<readonly string[]> {
    const { agent, environment } = this.#traffic;
    const { api, token } = this.#parts.urls;
    const body = alertNotification({ agent, environment, release: this.#releases.bad }, this.#startedMs);
    const answers: string[] = [];
    for (let i = 0; i < alertRepeats; i++)
      answers.push(
        await posted(`${api}/api/v1/alerts`, token, 'application/json', body).then(() => 'taken', reasonOf),
      );
    return answers;
  }

  #seen(): DrillSeen {
    const { prometheus, alertmanager } = this.#parts.urls;
    return {
      releases: this.#releases,
      isFault: this.#isFault,
      isInterrupted: this.#parts.signal.aborted,
      refusals: this.#refusals,
      awaited: [
        ...(prometheus === undefined ? [] : ['fires in Prometheus']),
        ...(alertmanager === undefined ? [] : ['in Alertmanager']),
      ],
      links: new Set(this.#links.keys()),
      answers: this.#answers,
      bad: this.#bad,
      good: this.#good,
      baseline: this.#baseline,
      outage: this.#outage,
    };
  }

  record(): DrillRecord {
    const { policy, revision } = this.#parts.file;
    const { agent, environment } = this.#traffic;
    return drillRecord(
      {
        policy: policy.metadata.name,
        scenario: this.#name,
        environment,
        startedMs: this.#startedMs,
        endedMs: Date.now(),
      },
      {
        id: this.#id,
        kind: 'live',
        revision,
        agent,
        links: [...this.#links].map(([link, timeMs]) => ({ link, timeMs })),
        checks: drillChecks(this.#seen()),
      },
    );
  }
}

function minutesText(minutes: number): string {
  return minutes < 1 ? `${Math.round(60 * minutes)} s` : `${Number(minutes.toFixed(1))} min`;
}

function isEnded({ state }: AttemptSeen): boolean {
  return ['done', 'failed', 'refused', 'expired', 'dry_run', 'moved'].includes(state);
}

const sendMs = 10_000;

/** Undefined when the request is taken; rejects else, with why. */
async function sendSpans(otlp: string, token: string | undefined, payload: Uint8Array): Promise<undefined> {
  await posted(`${otlp}/v1/traces`, token, 'application/x-protobuf', payload);
}

/** Keeps `record` with the executor at `api`. Rejects with why it cannot. */
export async function storeRecord({ api, token }: SightUrls, record: DrillRecord): Promise<void> {
  const { startedMs, endedMs, ...rest } = record;
  const [started, ended] = [startedMs, endedMs].map((ms) => new Date(ms).toISOString());
  const body = JSON.stringify({ ...rest, started, ended });
  await posted(`${api}/api/v1/drills`, token, 'application/json', body);
}

async function posted(
  url: string,
  token: string | undefined,
  type: string,
  body: string | Uint8Array,
): Promise<void> {
  const headers = { 'content-type': type, ...bearer(token) };
  const bytes = typeof body === 'string' ? body : Buffer.from(body);
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: bytes,
    signal: AbortSignal.timeout(sendMs),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(refusalOf(response.status, text));
}
