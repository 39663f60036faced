import { ApiPort } from '../api/api-port.ts';
import { gateResource } from '../api/gate-resource.ts';
import { Callers } from '../core/callers.ts';
import { systemClock as clock } from '../core/clock.ts';
import type { Component } from '../core/component.ts';
import type { Plan } from '../plan.ts';
import { pageRole, type PageParts } from './page.ts';
import type { Address, Site } from './role.ts';
import type { RollbackRole } from './rollback.ts';

/** What the API answers from. */
export interface ApiParts extends PageParts {
  readonly rollback: RollbackRole | undefined;
  /** Everything that this process serves. */
  readonly addresses: () => readonly Address[];
}

/** The API, wired. */
export interface ApiRole {
  readonly components: readonly Component[];
  /** The port it listens on, once started. */
  readonly port: number;
}

/** What is assessed, and what is done about it → the API, gates and the live page */
export function apiRole(site: Site, { id, options }: NonNullable<Plan['api']>, parts: ApiParts): ApiRole {
  const { policies, log } = site;
  const { assess, rollback, addresses: urls } = parts;
  const { incidents } = assess;
  const place = { ...options.endpoint, configPath: `extensions::${id}::endpoint` };
  const users = Object.entries(options.users).map(([name, token]) => ({ name, token }));
  const callers = new Callers(users, options.token);
  const gate = gateResource({
    standings: () => assess.verdicts.standings,
    policies: () => policies.inUse,
    kpis: () => assess.kpis(),
    awaitedMs: (...names) => assess.verdicts.awaitedMs(...names),
  });
  const page = pageRole(site, parts);
  const resources = { '/api/v1/gate/*': gate, ...page.resources, ...rollback?.resources(callers) };
  const { files } = page;
  const port = new ApiPort({ ...place, id, callers, resources, files, incidents, urls, clock, log });
  return {
    components: [port, page.views],
    get port() {
      return port.port;
    },
  };
}
