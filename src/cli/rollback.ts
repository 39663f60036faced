import { readFileSync } from 'node:fs';
import { fromEnvironment } from '../config.ts';
import { verifiedLines } from '../rollback/chain.ts';
import { bearer, unreachable } from './api-call.ts';
import { print, UsageError, type Command } from './command.ts';
import { rollbackList, type ListedRollbacks } from './rollback-list.ts';

const usualUrl = 'http://127.0.0.1:8080';
const usualToken = 'PLIMSOLL_API_TOKEN';

export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'see, approve, refuse, ask for and stop rollbacks, and verify their journal',
  help: `Usage: plimsoll rollback list    [--json]
       plimsoll rollback approve ID
       plimsoll rollback refuse  ID [--reason TEXT]
       plimsoll rollback ask     --agent A --environment E --release R --reason TEXT
       plimsoll rollback stop    --reason TEXT
       plimsoll rollback resume
       plimsoll rollback close-breaker TARGET|global
       plimsoll rollback verify  FILE [--head HASH]

Talks to the API of the process that assesses. Who you are is whose token you have: an approver of the policy
(metadata::approvers) approves what others asked for.

list            what was asked for, how it went, and what waits for somebody
approve         has the rollback done; refuse has it not done
ask             asks that a release be taken back, as the judge does: modes, limits and approvals are the policy's
stop            from now on nothing is done to any target, and attempts only say what they would do; resume ends that
close-breaker   after a cap was reached nothing more is done until somebody closes its breaker
                ask, stop, resume and close-breaker are for whoever has a token of the API, the shared one too: so give
                tokens to those who may; the journal has the name of each
verify          reads FILE (DIR/rollbacks.jsonl under data_dir) and finds whatever was edited, removed, added or put in
                another order; with the hash that plimsoll_rollback_journal_head had, also what is missing at its end

  plimsoll rollback approve 4be1f0c2d7a95e38-17
  plimsoll rollback verify data/rollbacks.jsonl --head 0f3b…

  --url URL          of the API (default ${usualUrl})
  --token-env NAME   the environment variable that has your token (default ${usualToken})
  --json             for programs`,
  options: {
    url: { type: 'string' },
    'token-env': { type: 'string' },
    reason: { type: 'string' },
    agent: { type: 'string' },
    environment: { type: 'string' },
    release: { type: 'string' },
    head: { type: 'string' },
    json: { type: 'boolean' },
  },
  takesWords: true,
  run: async ({ options, words }) => {
    const said = (name: string): string | undefined =>
      options[name] === undefined ? undefined : String(options[name]);
    const [what = '', ...rest] = words;
    const [word, ...more] = rest;
    const takesWord = ['approve', 'refuse', 'close-breaker', 'verify'].includes(what);
    if (more.length > 0 || takesWord !== (word !== undefined))
      throw new UsageError('say what to do, as plimsoll rollback --help shows');
    if (what === 'verify') return verify(word ?? '', said('head'));
    const api = new Api(said('url') ?? usualUrl, said('token-env') ?? usualToken);
    return act(what, { word: word ?? '', said, api, isJson: options['json'] === true });
  },
};

/** What a command is given. */
interface Told {
  readonly word: string;
  readonly said: (name: string) => string | undefined;
  readonly api: Api;
  readonly isJson: boolean;
}

async function act(what: string, { word, said, api, isJson }: Told): Promise<number> {
  const needed = (name: string): string => {
    const value = said(name);
    if (value === undefined) throw new UsageError(`rollback ${what} needs --${name}`);
    return value;
  };
  if (what === 'list') {
    const listed = await api.list();
    process.stdout.write(isJson ? `${JSON.stringify(listed, null, 2)}\n` : rollbackList(listed));
    return 0;
  }
  if (what === 'approve' || what === 'refuse') {
    const found = (await api.list()).rollbacks.find(({ id }) => id === word);
    if (!found) throw new Error(`there is no rollback ${word}: plimsoll rollback list shows those there are`);
    if (found.ticket === null)
      throw new Error(
        `the rollback ${word} is ${found.state}, or is not yours to decide: ${found.approvers.join(', ')} may, except who asked (${found.asked_by.join(', ')})`,
      );
    await api.post(`/api/v1/approvals/${encodeURIComponent(found.ticket)}`, {
      decision: what,
      ...(said('reason') !== undefined && { reason: said('reason') }),
    });
  } else if (what === 'ask') {
    const { kind, id } = await api.post('/api/v1/rollbacks', {
      agent: needed('agent'),
      environment: needed('environment'),
      release: needed('release'),
      reason: needed('reason'),
    });
    print(`${String(kind)} ${String(id)}`);
    return 0;
  } else if (what === 'stop') await api.post('/api/v1/rollbacks/stop', { reason: needed('reason') });
  else if (what === 'resume') await api.post('/api/v1/rollbacks/resume', {});
  else if (what === 'close-breaker') await api.post('/api/v1/rollbacks/breaker', { scope: word });
  else
    throw new UsageError('rollback takes list, approve, refuse, ask, stop, resume, close-breaker or verify');
  print('done');
  return 0;
}

/** The API, by the token of whoever runs the command. */
class Api {
  readonly #url: string;
  readonly #tokenName: string;

  constructor(url: string, tokenName: string) {
    this.#url = url.replace(/\/$/, '');
    this.#tokenName = tokenName;
  }

  async list(): Promise<ListedRollbacks> {
    return (await this.#ask('GET', '/api/v1/rollbacks')) as unknown as ListedRollbacks; // oxlint-disable-line typescript/no-unsafe-type-assertion -- our own API said it
  }

  async post(path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
    return this.#ask('POST', path, body);
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const token = fromEnvironment(this.#tokenName);
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: bearer(token),
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    }).catch((error: unknown) => {
      throw new Error(unreachable(this.#url, error), { cause: error });
    });
    const text = await response.text();
    const answer = parsed(text);
    if (response.ok && answer) return answer;
    const errors = Array.isArray(answer?.['errors']) ? answer['errors'].join('; ') : text.trim();
    const hint = response.status === 401 ? ` (the token is read from ${this.#tokenName})` : '';
    throw new Error(`${this.#url} answered ${response.status}: ${errors}${hint}`);
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function verify(file: string, hash: string | undefined): number {
  const lines = readFileSync(file, 'utf8').split('\n');
  const torn = lines.pop() ?? '';
  const read = verifiedLines(lines);
  if ('fault' in read) {
    print(`${file}: ${read.fault}`);
    return 1;
  }
  const { head, events } = read;
  if (torn !== '') {
    print(`${file}: its last line has no end: it was cut off`);
    return 1;
  }
  if (hash !== undefined && !events.some((event) => event.hash === hash)) {
    print(
      `${file}: has no event ${hash}: it was cut off or rewritten after event ${head.seq}, or is another journal`,
    );
    return 1;
  }
  print(`${file}: ${head.seq} events, none of them changed; the head is ${head.hash}`);
  return 0;
}
