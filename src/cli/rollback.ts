import { fromEnvironment } from '../config.ts';
import { verifiedLines } from '../rollback/chain.ts';
import { apiUrl, bearer, unreachable, usualUrl } from './api-call.ts';
import { print, UsageError, type Command } from './command.ts';
import { readText } from './named-file.ts';
import { rollbackList, shown, type ListedReview, type ListedRollbacks } from './rollback-list.ts';

const usualToken = 'PLIMSOLL_API_TOKEN';

export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'see, approve, refuse, ask for, review and stop rollbacks, and verify their journal',
  help: `Usage: plimsoll rollback list    [--json]
       plimsoll rollback approve ID
       plimsoll rollback refuse  ID [--reason TEXT]
       plimsoll rollback review  ID --right|--wrong [--note TEXT]
       plimsoll rollback ask     --agent A --environment E --release R --reason TEXT
       plimsoll rollback stop    --reason TEXT
       plimsoll rollback resume
       plimsoll rollback close-breaker TARGET|global
       plimsoll rollback verify  FILE [--head HASH]

Talks to the API of the process that assesses. Who you are is whose token you have: an approver of the policy
(metadata::approvers) approves what others asked for. A target of the configuration with approvals: 2 waits for two
different ones of them, whatever the mode.

list            what was asked for, how it went, and what comes next or waits for somebody; at its end, what people said
                of it afterwards
approve         has the rollback done; refuse has it not done, which stands for 24 h, whoever asks
review          says of a rollback that is over, or that was only a dry run, whether it was right; the last word stands,
                and who changes what somebody said hears so. When most of what a policy with mode: dry_run would have
                done was right, let it: mode: approve, then auto
ask             asks that a release be taken back, as the judge does: modes, limits and approvals are the policy's
stop            from now on nothing is done to any target, and attempts only say what they would do; those that somebody
                approved wait. resume ends that, and these begin
close-breaker   after a cap was reached nothing more is done until somebody closes its breaker
                stop is for whoever has a token of the API, the shared one too; ask, review, resume and close-breaker for
                people with one of their own (extensions::api::users). The journal has the name of each
verify          reads FILE (DIR/rollbacks.jsonl under data_dir) and finds whatever was edited, removed, added or put in
                another order; with the hash that plimsoll_rollback_journal_head had, also what is missing at its end

  plimsoll rollback approve 4be1f0c2d7a95e38-17
  plimsoll rollback review 4be1f0c2d7a95e38-17 --wrong --note "the tool was down for both"
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
    right: { type: 'boolean' },
    wrong: { type: 'boolean' },
    note: { type: 'string' },
    head: { type: 'string' },
    json: { type: 'boolean' },
  },
  takesWords: true,
  run: async ({ options, words }) => {
    const said = (name: string): string | undefined =>
      options[name] === undefined ? undefined : String(options[name]);
    const [what = '', ...rest] = words;
    const [word, ...more] = rest;
    const takesWord = ['approve', 'refuse', 'review', 'close-breaker', 'verify'].includes(what);
    if (more.length > 0 || takesWord !== (word !== undefined))
      throw new UsageError('say what to do, as plimsoll rollback --help shows');
    if (what === 'verify') return verify(word ?? '', said('head'));
    const act = acts[what];
    if (!act)
      throw new UsageError(
        'rollback takes list, approve, refuse, review, ask, stop, resume, close-breaker or verify',
      );
    const needed = (name: string): string => {
      const value = said(name);
      if (value === undefined) throw new UsageError(`rollback ${what} needs --${name}`);
      return value;
    };
    const api = new Api(apiUrl(said('url')), said('token-env') ?? usualToken);
    await act({ what, word: word ?? '', said, needed, api });
    return 0;
  },
};

/** What a command is given. */
interface Told {
  readonly what: string;
  readonly word: string;
  readonly said: (name: string) => string | undefined;
  readonly needed: (name: string) => string;
  readonly api: Api;
}

const acts: Readonly<Record<string, (told: Told) => Promise<void>>> = {
  list: async ({ api, said }) => {
    const listed = await api.list();
    const isJson = said('json') === 'true';
    process.stdout.write(isJson ? `${JSON.stringify(listed, null, 2)}\n` : rollbackList(listed));
  },
  approve: decide,
  refuse: decide,
  review: async ({ word, said, api }) => {
    const isRight = said('right') === 'true';
    if (isRight === (said('wrong') === 'true'))
      throw new UsageError('rollback review needs --right or --wrong, and not both');
    const review = isRight ? 'right' : 'wrong';
    const path = `/api/v1/reviews/${encodeURIComponent(word)}`;
    const { changes } = await api.post(path, { review, note: said('note') ?? '' });
    print(shown(`noted: the rollback ${word} was ${review}${changeText(changes)}`));
  },
  ask: async ({ needed, api }) => {
    const { kind, id, ...standing } = await api.post('/api/v1/rollbacks', {
      agent: needed('agent'),
      environment: needed('environment'),
      release: needed('release'),
      reason: needed('reason'),
    });
    if (kind !== 'joined') printStanding(`${String(kind)} ${String(id)}`, { next: standing['next'] });
    else printStanding(`joined ${String(id)}, which is`, standing);
  },
  stop: async ({ needed, api }) => {
    await api.post('/api/v1/rollbacks/stop', { reason: needed('reason') });
    print('stopped: nothing is done to any target until plimsoll rollback resume');
  },
  resume: async ({ api }) => {
    const { stopped, approved } = await api.post('/api/v1/rollbacks/resume', {});
    const count = Number(approved);
    const begun = count > 0 ? `; ${count} that waited approved ${count === 1 ? 'begins' : 'begin'} now` : '';
    if (typeof stopped !== 'string') print(`resumed: rollbacks are done again, as the policies say${begun}`);
    else print(`nothing is done yet: ${stopped}`);
  },
  'close-breaker': async ({ word, api }) => {
    await api.post('/api/v1/rollbacks/breaker', { scope: word });
    print(
      `closed: the caps of ${word} count anew; what was refused meanwhile begins when it is asked for again`,
    );
  },
};

/** That a review takes the place of the one before, where there was one. */
function changeText(changes: unknown): string {
  if (typeof changes !== 'object' || changes === null) return '';
  const { by, said, review, note } = changes as ListedReview; // oxlint-disable-line typescript/no-unsafe-type-assertion -- our own API said it
  return `; this changes what ${by} said on ${said}: ${review}${note && ` (${note})`}`;
}

async function decide({ what, word, said, api }: Told): Promise<void> {
  const { you, rollbacks } = await api.list();
  const found = rollbacks.find(({ id }) => id === word);
  if (!found) throw new Error(`there is no rollback ${word}: plimsoll rollback list shows those there are`);
  if (found.ticket === null) throw new Error(whyNot(found, you, api.tokenName));
  const standing = await api.post(`/api/v1/approvals/${encodeURIComponent(found.ticket)}`, {
    decision: what,
    ...(said('reason') !== undefined && { reason: said('reason') }),
  });
  printStanding(`the rollback ${word} is`, standing);
}

/** Why who shows the token of `tokenName` cannot decide on `found`. */
function whyNot(
  { id, state, approvers, asked_by: askers }: ListedRollbacks['rollbacks'][number],
  you: string | null,
  tokenName: string,
): string {
  if (state !== 'awaiting_approval') return `the rollback ${id} is ${state}: it waits for nobody's decision`;
  const may = `${approvers.join(', ')} may decide on the rollback ${id}`;
  const ownToken = 'show a token of your own, as extensions::api::users has it';
  if (you === null) return `the token in ${tokenName} is nobody's: ${ownToken}; ${may}`;
  if (you === 'token')
    return `the token in ${tokenName} is the shared one, which says nothing of who you are: ${ownToken}; ${may}`;
  if (!approvers.includes(you)) return `${you} is no approver of its policy: ${may}`;
  if (askers.includes(you))
    return `${you} asked for the rollback ${id}, so another one of ${approvers.join(', ')} decides`;
  return `the time for a decision on the rollback ${id} is over`;
}

/** Says where a rollback stands and, on a line of its own, what comes next. */
function printStanding(begin: string, said: Readonly<Record<string, unknown>>): void {
  const { state, outcome, next } = said;
  const standing = [state, outcome].filter((each) => typeof each === 'string' && each !== '').join(': ');
  print(shown(`${begin} ${standing}`.trimEnd()));
  if (typeof next === 'string') print(shown(next));
}

/** The API, by the token of whoever runs the command. */
class Api {
  readonly #url: string;
  /** The environment variable that has the token. */
  readonly tokenName: string;

  constructor(url: string, tokenName: string) {
    this.#url = url;
    this.tokenName = tokenName;
  }

  async list(): Promise<ListedRollbacks> {
    return (await this.#ask('GET', '/api/v1/rollbacks')) as unknown as ListedRollbacks; // oxlint-disable-line typescript/no-unsafe-type-assertion -- our own API said it
  }

  async post(path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
    return this.#ask('POST', path, body);
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const token = fromEnvironment(this.tokenName);
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
    const hint =
      response.status === 401 || response.status === 403 ? ` (the token is read from ${this.tokenName})` : '';
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
  const lines = readText(file).split('\n');
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
  if (head.seq === 0) {
    print(
      `${file}: has no events: nothing was ever asked for, or it was emptied; --head with the hash of plimsoll_rollback_journal_head tells which`,
    );
    return 1;
  }
  print(`${file}: ${head.seq} events, none of them changed; the head is ${head.hash}`);
  return 0;
}
