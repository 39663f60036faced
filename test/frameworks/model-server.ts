import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** What the model does in one turn: asks for tools, by name, or says something. */
type Turn = readonly string[] | 'says so';

/**
 * What the model does in each scenario, turn by turn. A prompt that names one is answered with it; the turn is the
 * number of those that the prompt's conversation already holds. Any other prompt is refused.
 */
const scenarios: Readonly<Record<string, readonly Turn[]>> = {
  'tool-success': [['lookup_order'], 'says so'],
  'tool-failure': [['flaky'], 'says so'],
  retry: [['unsteady'], ['unsteady'], 'says so'],
  parallel: [['lookup_order', 'flaky'], 'says so'],
  approval: [['refund'], 'says so'],
  deferral: [['payout'], 'says so'],
  'human-handoff': [['transfer_to_human'], 'says so'],
  handoff: [['transfer_to_billing'], ['lookup_order'], 'says so'],
  delegation: [['ask_billing'], 'says so'],
  billing: [['lookup_order'], 'says so'],
};

/** A request to a model, as far as the answer depends on it. */
interface Prompt {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content?: unknown }[];
}

/** OpenAI's API of chat completions, as far as agents of one turn after the other need it, without a model. */
export class ModelServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Starts one on a port that the machine chooses. */
  static async start(): Promise<ModelServer> {
    const server = createServer((request, response) => {
      void answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ModelServer(server);
  }

  /** What clients take for `OPENAI_BASE_URL`. */
  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/v1`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const prompt: Prompt = JSON.parse(await text(request));
  const asked = prompt.messages.findLast(({ role }) => role === 'user');
  const name = /scenario ([\w-]+)/.exec(JSON.stringify(asked))?.[1] ?? '';
  const turns = scenarios[name];
  const turn = prompt.messages.filter(({ role }) => role === 'assistant').length;
  const does = turns?.[turn];
  const error = { message: `no turn ${turn} in scenario ${name}`, type: 'invalid_request_error' };
  const body = does ? completion(prompt.model, turn, does) : { error };
  response.writeHead(does ? 200 : 400, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

let answers = 0;

/** Tokens differ by turn, so that no sum comes about by chance. */
function completion(model: string, turn: number, does: Turn): object {
  const usage = { prompt_tokens: 100 + 37 * turn, completion_tokens: 11 + turn };
  const calls = typeof does === 'string' ? [] : does;
  answers++;
  return {
    id: `chatcmpl-${answers}`,
    object: 'chat.completion',
    created: 1_790_000_000,
    model: `${model}-2024-07-18`,
    choices: [
      {
        index: 0,
        finish_reason: calls.length > 0 ? 'tool_calls' : 'stop',
        message: {
          role: 'assistant',
          content: calls.length > 0 ? null : 'Done.',
          ...(calls.length > 0 && {
            tool_calls: calls.map((name, at) => ({
              id: `call_${answers}_${at}`,
              type: 'function',
              function: { name, arguments: '{"order":"A-7"}' },
            })),
          }),
        },
      },
    ],
    usage: {
      ...usage,
      total_tokens: usage.prompt_tokens + usage.completion_tokens,
      prompt_tokens_details: { cached_tokens: 40 * turn },
      completion_tokens_details: { reasoning_tokens: turn },
    },
  };
}
