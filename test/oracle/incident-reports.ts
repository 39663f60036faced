import type { Report } from '../../src/incidents/incident-book.ts';
import type { ClickHouse } from '../../src/store/clickhouse.ts';
import type { Draw } from '../faults/draw.ts';
import type { KpiEngine } from '../kpi-cases/kpi-engine.ts';
import { report } from '../incidents/books.ts';
import { agents, environments, releases } from './fleet.ts';

/** One incident that was reported, and when, in milliseconds since the epoch. */
type Reported = Pick<Report, 'agent' | 'release' | 'environment'> & { readonly atMs: number };

/** Reports incidents of a fleet, and remembers them. */
export class IncidentReports {
  readonly #all: Reported[] = [];

  /** Reports one; resolves when it outlives the process. */
  async add(engine: KpiEngine, draw: Draw): Promise<void> {
    const about = {
      agent: draw.pick(agents),
      release: draw.pick(releases) || 'unknown',
      environment: draw.pick(environments),
    };
    const opening = await engine.report(report({ key: `report ${this.#all.length}`, ...about }));
    if (opening !== 'opened') throw new Error(`the incident was ${opening}`);
    this.#all.push({ ...about, atMs: engine.nowMs });
  }

  /** Puts them into a table that the KPIs are asked of, and says how many of them the view does not have, or has beyond. */
  async tell(clickhouse: Pick<ClickHouse, 'command' | 'query'>): Promise<number> {
    const rows = this.#all.map(
      ({ agent, release, environment, atMs }) => `('${agent}', '${release}', '${environment}', ${atMs})`,
    );
    const types = 'AgentName String, Release String, Environment String, countedMs Int64';
    await clickhouse.command(`CREATE OR REPLACE TABLE oracle_incidents (${types}) ENGINE = Memory`);
    if (rows.length > 0) await clickhouse.command(`INSERT INTO oracle_incidents VALUES ${rows.join(', ')}`);
    const view =
      'SELECT toString(AgentName), toString(Release), toString(Environment), toUnixTimestamp64Milli(DetectedTime) FROM incidents_now';
    const [answer] = await clickhouse.query<{ wrong: string | number }>(
      `SELECT count() AS wrong FROM ((SELECT * FROM oracle_incidents EXCEPT ${view}) UNION ALL (${view} EXCEPT SELECT * FROM oracle_incidents))`,
    );
    return Number(answer!.wrong);
  }
}
