/** @import { LiveView } from '../live-view.ts' */
/** @import { Choice } from './choice.js' */
import { queryOf } from './choice.js';
import { EventText } from './event-text.js';
import { sentenceOf } from './answer.js';

/**
 * How the connection is: `lost` is tried again at `retryMs` (milliseconds since the epoch), `refused` is what a token
 * would help against, or a choice that there is not; nothing is tried again then. `unshown` is live, but what came last
 * cannot be shown.
 * @typedef {{ readonly kind: 'connecting' | 'live' | 'unshown' }
 *   | { readonly kind: 'lost', readonly sentence: string, readonly retryMs: number }
 *   | { readonly kind: 'refused', readonly sentence: string, readonly needsToken: boolean }} Connection
 */

const firstDelayMs = 1000;
const longestDelayMs = 30_000;
/** The server says something at least every 15 s. */
const silenceMs = 40_000;

/** Views of one choice after the other, as long as somebody looks; what breaks is tried again, ever more seldom. */
export class LiveStream {
  #onView;
  #onConnection;
  #stopped = new AbortController();

  /**
   * @param {(view: LiveView) => void} onView
   * @param {(connection: Connection) => void} onConnection
   */
  constructor(onView, onConnection) {
    this.#onView = onView;
    this.#onConnection = onConnection;
  }

  /**
   * Shows `choice` from now on, and no other. The token is null where there is none.
   * @param {Choice} choice
   * @param {string | null} token
   */
  open({ agent, environment, window }, token) {
    this.close();
    this.#stopped = new AbortController();
    const url = `/api/v1/live${queryOf({ agent, environment, window })}`;
    void this.#keepReading(url, token, this.#stopped.signal);
  }

  /** Reads no more, until something is opened. */
  close() {
    this.#stopped.abort();
  }

  /**
   * @param {string} url
   * @param {string | null} token
   * @param {AbortSignal} stopped
   */
  async #keepReading(url, token, stopped) {
    let delayMs = firstDelayMs;
    this.#onConnection({ kind: 'connecting' });
    for (;;) {
      const sentence = await this.#read(url, token, stopped, () => (delayMs = firstDelayMs));
      if (stopped.aborted || sentence === undefined) return;
      const waitMs = delayMs * (0.75 + Math.random() / 2);
      this.#onConnection({ kind: 'lost', sentence, retryMs: Date.now() + waitMs });
      await pause(waitMs, stopped);
      if (stopped.aborted) return;
      delayMs = Math.min(longestDelayMs, delayMs * 2);
    }
  }

  /**
   * Reads until the connection ends. Why it must be tried again; undefined when it must not.
   * @param {string} url
   * @param {string | null} token
   * @param {AbortSignal} stopped
   * @param {() => void} onFirst
   * @returns {Promise<string | undefined>}
   */
  async #read(url, token, stopped, onFirst) {
    const silent = new AbortController();
    const signal = AbortSignal.any([stopped, silent.signal]);
    const headers = {
      accept: 'text/event-stream',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    };
    let timer = setTimeout(() => silent.abort(), silenceMs);
    try {
      const response = await fetch(url, { headers, signal, cache: 'no-store' });
      if (!response.ok || !response.body) return await this.#refused(response, token !== null);
      const events = new EventText();
      const decoder = new TextDecoder();
      for await (const bytes of chunksOf(response.body)) {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), silenceMs);
        for (const { name, data } of events.push(decoder.decode(bytes, { stream: true }))) {
          if (name !== 'view' || stopped.aborted) continue;
          onFirst();
          this.#show(data);
        }
      }
      return 'the server ended it';
    } catch {
      return silent.signal.aborted ? 'nothing was heard for a while' : 'nobody answers';
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * What fails here is no fault of the connection: it is told to the console, and the next view is waited for.
   * @param {string} data
   */
  #show(data) {
    try {
      this.#onConnection({ kind: 'live' });
      this.#onView(JSON.parse(data));
    } catch (error) {
      this.#onConnection({ kind: 'unshown' });
      reportError(error);
    }
  }

  /**
   * @param {Response} response
   * @param {boolean} hasToken
   */
  async #refused(response, hasToken) {
    const sentence = await sentenceOf(response, hasToken);
    const needsToken = response.status === 401 || response.status === 403;
    if (!needsToken && response.status !== 400) return sentence;
    this.#onConnection({ kind: 'refused', sentence, needsToken });
    return undefined;
  }
}

/**
 * What a body brings; not every browser can iterate it. Who stops reading ends the connection.
 * @param {ReadableStream<Uint8Array>} body
 */
async function* chunksOf(body) {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

/**
 * @param {number} waitMs
 * @param {AbortSignal} stopped
 */
async function pause(waitMs, stopped) {
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    stopped.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve(undefined);
      },
      { once: true },
    );
  });
}
