import type { Config } from './config-schema.ts';
import type { PolicyFacts } from './policy-files.ts';

type Section = 'receivers' | 'processors' | 'connectors' | 'exporters' | 'extensions';
type OptionsOf<S extends Section, T extends Config[S][string]['type']> = Extract<
  Config[S][string],
  { type: T }
>;

/** The options of every component that will run, by role; a role that no pipeline lists is undefined. */
export interface Plan {
  readonly dataDirectory: string;
  /** Whether anything is embedded, and so keeps its files in `dataDirectory`. */
  readonly keepsFiles: boolean;
  readonly stream: Config['connectors'][string];
  readonly ingest:
    | {
        readonly receivers: readonly {
          readonly id: string;
          readonly options: OptionsOf<'receivers', 'otlp'>;
        }[];
        readonly enrich: OptionsOf<'processors', 'enrich'>;
      }
    | undefined;
  readonly store:
    | { readonly id: string; readonly clickhouse: OptionsOf<'exporters', 'clickhouse'> }
    | undefined;
  readonly assess:
    | { readonly runs: OptionsOf<'processors', 'runs'>; readonly kpi: OptionsOf<'exporters', 'kpi'> }
    | undefined;
  readonly health:
    | { readonly id: string; readonly options: OptionsOf<'extensions', 'health_check'> }
    | undefined;
  readonly sql: { readonly id: string; readonly options: OptionsOf<'extensions', 'sql'> } | undefined;
  readonly api: { readonly id: string; readonly options: OptionsOf<'extensions', 'api'> } | undefined;
  readonly rollback:
    | { readonly id: string; readonly options: OptionsOf<'extensions', 'rollback'> }
    | undefined;
  readonly metrics: Config['service']['telemetry']['metrics'];
  readonly policies: Config['service']['policies'];
}

/** What `config`, as loadConfig checked it, says will run. */
export function planOf(config: Config): Plan {
  const {
    'traces/ingest': ingest,
    'traces/store': store,
    'traces/assess': assess,
  } = config.service.pipelines;
  const used = [...(ingest?.exporters ?? []), ...(store?.receivers ?? []), ...(assess?.receivers ?? [])];
  const stream = streamOf(config, used);
  const clickhouse = store && only(config.exporters, store.exporters, 'clickhouse');
  return {
    dataDirectory: config.data_dir,
    keepsFiles:
      stream.type === 'embedded' || (clickhouse !== undefined && clickhouse.options.url === undefined),
    stream,
    ingest: ingest && {
      receivers: all(config.receivers, ingest.receivers, 'otlp'),
      enrich: only(config.processors, ingest.processors, 'enrich').options,
    },
    store: clickhouse && { id: clickhouse.id, clickhouse: clickhouse.options },
    assess: assess && {
      runs: only(config.processors, assess.processors, 'runs').options,
      kpi: only(config.exporters, assess.exporters, 'kpi').options,
    },
    health: all(config.extensions, config.service.extensions, 'health_check')[0],
    sql: all(config.extensions, config.service.extensions, 'sql')[0],
    api: all(config.extensions, config.service.extensions, 'api')[0],
    rollback: all(config.extensions, config.service.extensions, 'rollback')[0],
    metrics: config.service.telemetry.metrics,
    policies: config.service.policies,
  };
}

/** What `plan` says that policies have to fit; undefined where nothing is assessed, or no release is taken back. */
export function policyFactsOf({
  assess,
  api,
  rollback,
}: Pick<Plan, 'assess' | 'api' | 'rollback'>): PolicyFacts {
  const targets = Object.entries(rollback?.options.targets ?? {});
  const executor = api &&
    rollback && {
      users: Object.keys(api.options.users),
      approvals: new Map(targets.map(([name, { approvals }]) => [name, approvals])),
    };
  return { windowsMs: assess?.kpi.windows, executor };
}

function streamOf({ connectors }: Config, used: readonly string[]): Plan['stream'] {
  const [found] = used.flatMap((id) => connectors[id] ?? []);
  if (!found) throw new Error('no stream is listed; loadConfig lets no such configuration pass');
  return found;
}

function all<C extends { readonly type: string }, T extends C['type']>(
  components: Readonly<Record<string, C>>,
  ids: readonly string[],
  type: T,
): readonly { readonly id: string; readonly options: Extract<C, { type: T }> }[] {
  const isOfType = (options: C | undefined): options is Extract<C, { type: T }> => options?.type === type;
  return ids.flatMap((id) => {
    const options = components[id];
    return isOfType(options) ? [{ id, options }] : [];
  });
}

function only<C extends { readonly type: string }, T extends C['type']>(
  components: Readonly<Record<string, C>>,
  ids: readonly string[],
  type: T,
) {
  const [found] = all(components, ids, type);
  if (!found)
    throw new Error(`no component of type ${type} is listed; loadConfig lets no such configuration pass`);
  return found;
}
