import { z } from 'zod';
import { messageOf } from '../core/failure.ts';
import type { Secret } from '../core/secret.ts';
import { answerOf, type TargetAnswer } from './guarded-request.ts';
import { outcomeOf, releaseIn } from './target-answers.ts';
import type { CurrentRelease, OrderOutcome, RollbackOrder, TargetAdapter } from './target-adapter.ts';

/** Which rollout of a Kubernetes cluster is the target. */
export interface ArgoRolloutsOptions {
  /** The origin of the Kubernetes API. */
  readonly server: string;
  readonly namespace: string;
  readonly rollout: string;
  /** The label of its pods that says which release they are. */
  readonly releaseLabel: string;
  /** Read anew for each request, for such tokens are renewed. */
  readonly token: () => Promise<Secret>;
  readonly timeoutMs: number;
  readonly ca: string | undefined;
}

const template = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()) }) });
const rollout = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z.object({ template }),
  status: z
    .object({
      abort: z.boolean().optional(),
      currentPodHash: z.string().optional(),
      stableRS: z.string().optional(),
    })
    .optional(),
});
const replicaSets = z.object({ items: z.array(z.object({ spec: z.object({ template }) })).min(1) });

type Rollout = z.infer<typeof rollout>;

/** The rollout changes all the time while it goes on; a change between the look and the abort is looked at again. */
const limitConflicts = 3;

/**
 * A canary of Argo Rollouts: it is aborted, so that all traffic goes back to the stable release. That is what `kubectl
 * argo rollouts abort` does: a merge patch of `status.abort`, of the rollout itself where it has no status subresource. The
 * patch names the version of the rollout that was looked at, so that nothing else is aborted. The token needs get and
 * patch of rollouts and rollouts/status, and list of replicasets.
 */
export class ArgoRolloutsAdapter implements TargetAdapter {
  readonly isRepeatable = true;
  readonly #options: ArgoRolloutsOptions;

  constructor(options: ArgoRolloutsOptions) {
    this.#options = options;
  }

  /** The release that is on its way in; of a rollout that was aborted the stable one. */
  async current(): Promise<CurrentRelease> {
    const answer = await this.#ask('GET', this.#place, '');
    const seen = readAs(rollout, answer);
    return seen?.status?.abort === true
      ? this.#stable(seen)
      : releaseIn(answer, (json) => this.#labelOf(rollout.parse(json).spec.template));
  }

  async rollBack(order: RollbackOrder): Promise<OrderOutcome> {
    for (let tries = 0; tries < limitConflicts; tries++) {
      const answer = await this.#ask('GET', this.#place, '');
      const seen = readAs(rollout, answer);
      if (!seen) return lookOf(outcomeOf(answer));
      const fault = await this.#faultOf(seen, order);
      if (fault) return fault;
      const outcome = await this.#abort(seen.metadata.resourceVersion);
      if (outcome.kind !== 'moved') return outcome;
    }
    return { kind: 'unreached', reason: 'the rollout was changed by others all the time' };
  }

  get #place(): string {
    const { namespace, rollout: name } = this.#options;
    return `argoproj.io/v1alpha1/namespaces/${encodeURIComponent(namespace)}/rollouts/${encodeURIComponent(name)}`;
  }

  #labelOf({ metadata: { labels } }: z.infer<typeof template>): string {
    const { releaseLabel } = this.#options;
    const release = labels[releaseLabel];
    if (release === undefined) throw new Error(`no label ${releaseLabel}`);
    return release;
  }

  /** The release that gets all traffic when the rollout is aborted: that of its stable ReplicaSet. */
  async #stable({ status }: Rollout): Promise<CurrentRelease> {
    const place = `apps/v1/namespaces/${encodeURIComponent(this.#options.namespace)}/replicasets`;
    const selector = encodeURIComponent(`rollouts-pod-template-hash=${status?.stableRS ?? ''}`);
    const answer = await this.#ask('GET', `${place}?labelSelector=${selector}`, '');
    return releaseIn(answer, (json) => {
      const [first] = replicaSets.parse(json).items;
      return first ? this.#labelOf(first.spec.template) : '';
    });
  }

  /** Why the rollout, as it was seen, is not aborted. */
  async #faultOf(seen: Rollout, { from, to }: RollbackOrder): Promise<OrderOutcome | undefined> {
    const { releaseLabel } = this.#options;
    const release = seen.spec.template.metadata.labels[releaseLabel];
    if (release !== from)
      return { kind: 'moved', reason: `its pods have the label ${releaseLabel}=${release}` };
    const { currentPodHash, stableRS } = seen.status ?? {};
    if (currentPodHash !== undefined && currentPodHash === stableRS)
      return {
        kind: 'refused',
        reason: `${from} is the stable release, which an abort does not take back: deploy the one before it`,
      };
    const stable = await this.#stable(seen);
    if (stable.kind === 'unreachable') return { kind: 'unreached', reason: stable.reason };
    if (stable.kind === 'known' && stable.release !== to)
      return { kind: 'refused', reason: `an abort goes back to ${stable.release}, and not to ${to}` };
    return undefined;
  }

  /** `moved`: somebody changed the rollout meanwhile. */
  async #abort(resourceVersion: string): Promise<OrderOutcome> {
    const patch = JSON.stringify({ metadata: { resourceVersion }, status: { abort: true } });
    const ofStatus = await this.#ask('PATCH', `${this.#place}/status`, patch);
    const isMissing = ofStatus.kind === 'answered' && ofStatus.status === 404;
    const answer = isMissing ? await this.#ask('PATCH', this.#place, patch) : ofStatus;
    return outcomeOf(answer, { movedBy: [409] });
  }

  async #ask(method: 'GET' | 'PATCH', path: string, body: string): Promise<TargetAnswer> {
    const { server, timeoutMs, ca } = this.#options;
    const token = await this.#options.token().catch(messageOf);
    if (typeof token === 'string') return { kind: 'unreached', reason: token };
    return answerOf({
      method,
      url: `${server}/apis/${path}`,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${token.reveal()}`,
        ...(body !== '' && { 'content-type': 'application/merge-patch+json' }),
      },
      body,
      timeoutMs,
      ca,
    });
  }
}

/** A look at the rollout changes nothing, whatever came back. */
function lookOf({ kind, reason }: OrderOutcome): OrderOutcome {
  return { kind: kind === 'refused' ? 'refused' : 'unreached', reason };
}

function readAs<T>(schema: z.ZodType<T>, answer: TargetAnswer): T | undefined {
  if (answer.kind !== 'answered' || answer.status !== 200) return undefined;
  try {
    return schema.parse(JSON.parse(answer.body));
  } catch {
    return undefined;
  }
}
