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

/** One piece of a conversation: a message, or in the API of responses a call or its result too. */
interface Piece {
  readonly role?: string;
  readonly type?: string;
}

/** A request to a model, as far as the answer depends on it. */
interface Prompt {
  readonly model: string;
  /** Of chat completions. */
  readonly messages?: readonly Piece[];
  /** Of responses. */
  readonly input?: readonly Piece[];
}

/** OpenAI's APIs of chat completions and of responses, as far as agents of one turn after the other need them, without a model. */
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
  const { model, messages, input }: Prompt = JSON.parse(await text(request));
  const pieces = messages ?? input ?? [];
  const asked = pieces.findLast(({ role }) => role === 'user');
  const name = /scenario ([\w-]+)/.exec(JSON.stringify(asked))?.[1] ?? '';
  const turn = pieces.filter((piece, at) => isModels(piece) && !isModels(pieces[at - 1])).length;
  const does = scenarios[name]?.[turn];
  const error = { message: `no turn ${turn} in scenario ${name}`, type: 'invalid_request_error' };
  const body = does ? (messages ? completion : responseOf)(model, turn, does) : { error };
  response.writeHead(does ? 200 : 400, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function isModels(piece: Piece | undefined): boolean {
  return piece?.role === 'assistant' || piece?.type === 'function_call';
}

/** Tokens differ by turn, so that no sum comes about by chance. */
const tokensOf = (turn: number) => ({ input: 100 + 37 * turn, cached: 40 * turn, output: 11 + turn });
const said = 'Done.';
const argumentsText = '{"order":"A-7"}';
let answers = 0;

/** The answer of the API of chat completions. */
function completion(model: string, turn: number, does: Turn): object {
  const { input, cached, output } = tokensOf(turn);
  answers++;
  const message =
    typeof does === 'string'
      ? { role: 'assistant', content: said }
      : {
          role: 'assistant',
          content: null,
          tool_calls: does.map((name, at) => ({
            id: `call_${answers}_${at}`,
            type: 'function',
            function: { name, arguments: argumentsText },
          })),
        };
  return {
    id: `chatcmpl-${answers}`,
    object: 'chat.completion',
    created: 1_790_000_000,
    model: `${model}-2024-07-18`,
    choices: [{ index: 0, finish_reason: typeof does === 'string' ? 'stop' : 'tool_calls', message }],
    usage: {
      prompt_tokens: input,
      prompt_tokens_details: { cached_tokens: cached },
      completion_tokens: output,
      total_tokens: input + output,
    },
  };
}

/** The answer of the API of responses. */
function responseOf(model: string, turn: number, does: Turn): object {
  const { input, cached, output } = tokensOf(turn);
  answers++;
  const message = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: said }] };
  const calls = (typeof does === 'string' ? [] : does).map((name, at) => ({
    type: 'function_call',
    call_id: `call_${answers}_${at}`,
    name,
    arguments: argumentsText,
  }));
  const pieces = calls.length > 0 ? calls : [message];
  return {
    id: `resp_${answers}`,
    object: 'response',
    created_at: 1_790_000_000,
    status: 'completed',
    model: `${model}-2024-07-18`,
    output: pieces.map((piece, at) => ({ id: `piece_${answers}_${at}`, status: 'completed', ...piece })),
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: cached },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + output,
    },
  };
}
