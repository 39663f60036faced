import { z } from 'zod';
import type { Secret } from '../core/secret.ts';
import { answerOf } from './guarded-request.ts';
import { outcomeOf, releaseIn } from './target-answers.ts';
import type { CurrentRelease, OrderOutcome, RollbackOrder, TargetAdapter } from './target-adapter.ts';

/** Which workflow of GitHub Actions takes releases back. */
export interface GithubOptions {
  /** The origin of the API: https://api.github.com, or that of a server with /api/v3. */
  readonly server: string;
  readonly owner: string;
  readonly repository: string;
  /** A workflow that is dispatched, or the type of a repository event. */
  readonly dispatch: { readonly workflow: string; readonly ref: string } | { readonly eventType: string };
  /** A variable of the repository that says which release runs; undefined: nobody can say. */
  readonly releaseVariable: string | undefined;
  readonly token: Secret;
  readonly isRepeatable: boolean;
  readonly timeoutMs: number;
  readonly ca: string | undefined;
}

/** What means nothing to a shell, and is no option of a command. */
const harmless = /^\w[\w.@:+/-]*$/;

const variable = z.object({ value: z.string() });

/**
 * A workflow of GitHub Actions, by a workflow_dispatch or a repository_dispatch event. Its inputs, or client_payload, are
 * `id`, `from_release`, `to_release`, `agent` and `environment`: names that senders chose, so that one which a workflow
 * could take for code is not passed on, and neither is the reason, which is free text. GitHub does not know an order from the same
 * one, so a workflow that does (by `id`, as its concurrency group) is what may be called repeatable.
 */
export class GithubAdapter implements TargetAdapter {
  readonly isRepeatable: boolean;
  readonly #options: GithubOptions;

  constructor(options: GithubOptions) {
    this.isRepeatable = options.isRepeatable;
    this.#options = options;
  }

  async current(): Promise<CurrentRelease> {
    const { releaseVariable } = this.#options;
    if (releaseVariable === undefined) return { kind: 'unknown' };
    const answer = await this.#ask('GET', `/actions/variables/${encodeURIComponent(releaseVariable)}`, '');
    return releaseIn(answer, (body) => variable.parse(body).value);
  }

  async rollBack({ id, from, to, agent, environment }: RollbackOrder): Promise<OrderOutcome> {
    const { dispatch } = this.#options;
    const inputs = { id, from_release: from, to_release: to, agent, environment };
    const unsafe = Object.entries(inputs).find(([, value]) => !harmless.test(value));
    if (unsafe)
      return {
        kind: 'refused',
        reason: `${unsafe[0]} is no name that a workflow may be given: letters, digits and . _ @ : + / - are`,
      };
    const answer =
      'workflow' in dispatch
        ? await this.#ask(
            'POST',
            `/actions/workflows/${encodeURIComponent(dispatch.workflow)}/dispatches`,
            JSON.stringify({ ref: dispatch.ref, inputs }),
          )
        : await this.#ask(
            'POST',
            '/dispatches',
            JSON.stringify({ event_type: dispatch.eventType, client_payload: inputs }),
          );
    return outcomeOf(answer);
  }

  async #ask(method: 'GET' | 'POST', path: string, body: string) {
    const { server, owner, repository, token, timeoutMs, ca } = this.#options;
    return answerOf({
      method,
      url: `${server}/repos/${encodeURIComponent(owner)}/${encodeURIComponent(repository)}${path}`,
      headers: {
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        authorization: `Bearer ${token.reveal()}`,
        ...(body !== '' && { 'content-type': 'application/json' }),
      },
      body,
      timeoutMs,
      ca,
    });
  }
}
