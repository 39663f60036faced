import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { acceptsGzip } from '../core/accepted-coding.ts';
import type { Answer, Resource } from '../core/http-endpoint.ts';
import { labelValue } from '../semconv/label-value.ts';
import { gzipped, type EventFrame } from './event-frame.ts';
import type { LiveViews } from './live-views.ts';
import type { Choice } from './moment.ts';

/** So many readers may follow at once. */
const limitReaders = 50;
const usual = '1h';
const zip = promisify(gzip);
/** What is smaller is sent as it is. */
const zipFromBytes = 32 * 1024;

/**
 * `GET /api/v1/live`: what there is to see of the window and the agent in the query, as JSON, or, to who accepts
 * `text/event-stream`, again whenever it changes.
 */
export function liveResource(views: LiveViews): Resource {
  return {
    GET: async (request) => {
      const asked = choiceOf(request.url ?? '/', views.windows);
      if ('fault' in asked) return failed(400, asked.fault);
      return (request.headers.accept ?? '').includes('text/event-stream')
        ? followed(views, asked.choice, request)
        : seen(views, asked.choice, request);
    },
  };
}

/** What the query of `url` chooses of `windows`, or what is wrong with it, as one sentence. */
function choiceOf(
  url: string,
  windows: readonly string[],
): { readonly choice: Choice } | { readonly fault: string } {
  const { searchParams: query } = new URL(url, 'http://localhost');
  const window = query.get('window') ?? (windows.includes(usual) ? usual : (windows[0] ?? ''));
  if (!windows.includes(window)) return { fault: `window: must be one of ${windows.join(', ')}` };
  const [agent, environment] = [query.get('agent'), query.get('environment')];
  if (agent === null && environment === null) return { choice: { window, place: null } };
  if (agent === null) return { fault: 'agent: is missing: name the agent that is meant in the environment' };
  if (environment === null)
    return { fault: 'environment: is missing: name the environment of the agent that is meant' };
  return {
    choice: { window, place: { agent: labelValue(agent), environment: labelValue(environment) } },
  };
}

async function seen(views: LiveViews, choice: Choice, request: IncomingMessage): Promise<Answer> {
  const body = Buffer.from(`${JSON.stringify(await views.view(choice))}\n`);
  const isZipped = body.length > zipFromBytes && acceptsGzip(request.headers['accept-encoding']);
  return {
    status: 200,
    contentType: 'application/json',
    body: isZipped ? await zip(body, { level: constants.Z_BEST_SPEED }) : body,
    headers: { ...common, ...(isZipped && { 'content-encoding': 'gzip' }) },
  };
}

function followed(views: LiveViews, choice: Choice, request: IncomingMessage): Answer {
  if (views.readers >= limitReaders)
    return failed(
      503,
      `${limitReaders} pages are open, which is as many as may be: close one, or try again later`,
    );
  const isZipped = acceptsGzip(request.headers['accept-encoding']);
  const leave = request.method === 'HEAD' ? () => undefined : views.admit(); // nothing is asked of the body of HEAD
  return {
    status: 200,
    contentType: 'text/event-stream',
    body: (over) => {
      if (over.aborted) leave();
      else over.addEventListener('abort', leave, { once: true });
      const frames = views.follow(choice, over);
      return isZipped ? gzipped(frames) : plain(frames);
    },
    headers: { ...common, ...(isZipped && { 'content-encoding': 'gzip' }) },
  };
}

const common = { 'cache-control': 'no-store', vary: 'accept, accept-encoding' } as const;

async function* plain(frames: AsyncIterable<EventFrame>): AsyncGenerator<string> {
  for await (const { text } of frames) yield text;
}

/** What is wrong, as the API says it. */
function failed(status: 400 | 503, sentence: string): Answer {
  return {
    status,
    contentType: 'application/json',
    body: `${JSON.stringify({ errors: [sentence] }, null, 2)}\n`,
    headers: { 'cache-control': 'no-store', ...(status === 503 && { 'retry-after': '5' }) },
  };
}
