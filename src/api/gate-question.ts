import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { bodyWithin } from '../core/http-body.ts';
import type { PolicyFile } from '../policy/read-policy.ts';
import { covers, onlyOf } from '../policy/scope.ts';
import { faultOf, parsedJson } from './json-body.ts';

/** Which release is asked about, at which gate. */
export interface GateQuestion {
  readonly gate: 'canary' | 'staging';
  readonly agent: string;
  readonly environment: string;
  readonly release: string;
}

/** What may be asked, as it is written: in the query, or in the metadata of a webhook. */
export type Asked = Readonly<Record<string, string>>;

/** Flagger's payload of a webhook; what kind of hook it is stands nowhere in it, so the metadata say. */
const webhook = z.looseObject({ metadata: z.record(z.string(), z.string()).default({}) });

const limitBytes = 64 * 1024;

/** What the query of `request` says; of a key that comes twice the last. */
export function askedInQuery(request: IncomingMessage): Asked {
  return Object.fromEntries(new URL(request.url ?? '/', 'http://localhost').searchParams);
}

/** What a webhook says: its metadata, and the query, which wins. */
export async function askedInWebhook(
  request: IncomingMessage,
): Promise<{ readonly asked: Asked } | { readonly status: 400 | 413; readonly fault: string }> {
  const body = await bodyWithin(request, limitBytes);
  if (body === undefined)
    return { status: 413, fault: `the body is larger than ${limitBytes} bytes: send less` };
  const text = body.toString('utf8');
  const value = text.trim() === '' ? {} : parsedJson(text);
  if (value === undefined) return { status: 400, fault: 'the body is no JSON' };
  const { data, error } = webhook.safeParse(value, { reportInput: true });
  if (!data) {
    const [issue] = error.issues;
    return { status: 400, fault: issue ? faultOf(issue) : 'the body: is no webhook' };
  }
  return { asked: { ...data.metadata, ...askedInQuery(request) } };
}

/** What `asked` means for the policy in `file`, or what is wrong with it, as one sentence. */
export function questionOf(
  { policy: { metadata, scope } }: PolicyFile,
  asked: Asked,
): { readonly question: GateQuestion } | { readonly fault: string } {
  const { gate = 'canary', release = '' } = asked;
  if (gate !== 'canary' && gate !== 'staging')
    return {
      fault: `gate: must be canary or staging; plimsoll gate offline judges what comes before them`,
    };
  if (release === '') return { fault: 'release: is missing: name the release' };
  const agent = asked['agent'] ?? onlyOf(scope.agents);
  const environment = asked['environment'] ?? onlyOf(scope.environments);
  if (agent === undefined)
    return { fault: `agent: is missing: name one that ${metadata.name} covers (${scope.agents.join(', ')})` };
  if (environment === undefined)
    return {
      fault: `environment: is missing: name one that ${metadata.name} covers (${scope.environments.join(', ')})`,
    };
  if (!covers(scope, agent, environment))
    return { fault: `${metadata.name} does not cover ${agent} in ${environment}: correct the names` };
  return { question: { gate, agent, environment, release } };
}
