import type { IncomingMessage } from 'node:http';
import type { Component } from '../core/component.ts';
import { foreignBy, isLoopback, isOfOtherOrigin } from '../core/foreign-request.ts';
import { HttpEndpoint, type Answer, type Resource } from '../core/http-endpoint.ts';
import type { ListenAddress } from '../core/listen.ts';
import { isAddedByBrowsers, type Callers } from '../core/callers.ts';
import { incidentSchema } from './incident-request.ts';
import { incidentResource, type IncidentParts } from './incident-resource.ts';
import { failed, json } from './json-answer.ts';

/** What an API port is told. */
export interface ApiOptions extends ListenAddress, Omit<IncidentParts, 'commitMs'> {
  /** Of the extension in the configuration, such as `api`. */
  readonly id: string;
  /** Who may write. */
  readonly callers: Callers;
  /** What is served beside the incidents, by path. */
  readonly resources: Readonly<Record<string, Resource>>;
  /**
   * The page, `/`, which browsers get in place of the list of what is served, and its files, by path: anybody may read
   * them. Asked for once, when the port starts.
   */
  readonly files?: () => Readonly<Record<string, Resource>>;
  /** Everything that this process serves. */
  readonly urls: () => readonly { readonly what: string; readonly url: string }[];
}

const commitMs = 30_000;

/** What is wrong with these options, as one sentence that names the fix; undefined when nothing is. */
export function apiPortFault({
  host,
  callers,
}: Pick<ListenAddress, 'host'> & { readonly callers: Pick<Callers, 'size'> }): string | undefined {
  if (isLoopback(host) || callers.size > 0) return undefined;
  return `${host} can be reached from other machines and everybody there could read every incident: set a token, or bind 127.0.0.1`;
}

/** `page` for who accepts HTML, `others` for others. */
function byAccept(page: Resource, others: Resource): Resource {
  return {
    GET: async (request, name) => {
      const { accept = '' } = request.headers;
      const answer = await (accept.includes('text/html') ? page : others).GET(request, name);
      return { ...answer, headers: { ...answer.headers, vary: 'accept' } };
    },
  };
}

/**
 * The API: the live page, or a list of what the process serves, and the incidents. Who writes needs the token; who reads
 * does where others than this machine can, and a wrong one is refused everywhere. No browser can be tricked into showing
 * it as a bearer, and then Host and Origin say nothing; as a password it adds it by itself, so nothing is written then for
 * a page of another origin.
 */
export class ApiPort implements Component {
  readonly name = 'api';
  readonly #options: ApiOptions;
  #endpoint: HttpEndpoint | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** The port it listens on, once started. */
  get port(): number {
    return this.#endpoint?.port ?? this.#options.port;
  }

  /** Reads the files of the page and listens. Rejects with one sentence that names the config key and the fix. */
  async start(): Promise<void> {
    const fault = apiPortFault(this.#options);
    if (fault !== undefined) throw new Error(fault);
    this.#endpoint ??= new HttpEndpoint(this.name, this.#options, this.#resources(), this.#options.log);
    await this.#endpoint.start();
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await this.#endpoint?.stop(deadline);
  }

  #resources(): Readonly<Record<string, Resource>> {
    const { resources, files: read } = this.#options;
    const { '/': page, ...files } = read?.() ?? {};
    const index = this.#guarded({ GET: async () => this.#index() });
    return {
      '/': page ? byAccept(page, index) : index,
      '/api/v1/incidents': this.#guarded(incidentResource({ ...this.#options, commitMs })),
      '/api/v1/incidents/schema': this.#guarded({ GET: async () => json(200, incidentSchema) }),
      ...Object.fromEntries(
        Object.entries(resources).map(([path, resource]) => [path, this.#guarded(resource)]),
      ),
      ...files,
    };
  }

  #guarded({ GET, POST }: Resource): Resource {
    return {
      GET: async (request, name) => this.#refusal(request, 'read') ?? GET(request, name),
      ...(POST && {
        POST: async (request, name) => this.#refusal(request, 'write') ?? POST(request, name),
      }),
    };
  }

  /** Why `request` is not answered; undefined when it is. */
  #refusal({ headers }: IncomingMessage, what: 'read' | 'write'): Answer | undefined {
    const { id, host, callers } = this.#options;
    if (callers.nameOf(headers.authorization) !== undefined)
      return what === 'write' && isAddedByBrowsers(headers.authorization) && isOfOtherOrigin(headers)
        ? failed(
            403,
            'this may be a web page of another origin: send the header "authorization: Bearer <token>"',
          )
        : undefined;
    if (headers.authorization === undefined && what === 'read' && isLoopback(host)) {
      if (foreignBy(headers, []) === undefined) return undefined;
      return failed(
        403,
        'this may be a web page of another origin: use a loopback address, or show the token',
      );
    }
    if (callers.size === 0 && what === 'write')
      return failed(
        403,
        `nobody may write, because no token is configured: set extensions::${id}::token, in config/plimsoll.yaml by the environment variable PLIMSOLL_API_TOKEN`,
      );
    const shown = headers.authorization === undefined ? 'no token' : 'an unknown token';
    const fix =
      callers.size === 0
        ? 'none is configured, so leave it out'
        : 'send the header "authorization: Bearer <token>"';
    const answer = failed(401, `${shown}: ${fix}`);
    return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Bearer' } };
  }

  #index(): Answer {
    const urls = this.#options.urls();
    const width = Math.max(...urls.map(({ what }) => what.length));
    const lines = urls.map(({ what, url }) => `${what.padEnd(width)}  ${url}\n`);
    return { status: 200, contentType: 'text/plain; charset=utf-8', body: lines.join('') };
  }
}
