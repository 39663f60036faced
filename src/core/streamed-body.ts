import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/**
 * A body that is written as it comes, as fast as it is read. Once `over` aborts, nobody reads it any more or the server
 * stops, and it ends itself soon; what it yields then may still arrive.
 */
export type StreamedBody = (over: AbortSignal) => AsyncIterable<string | Uint8Array>;

/** Who has not taken the end of a body after so long does not take it at all. */
const farewellMs = 1000;

/** The streamed bodies of a server that are under way. */
export class StreamedBodies {
  readonly #patienceMs: number;
  readonly #open = new Set<AbortController>();
  #isStopped = false;

  /** A reader that takes nothing of what waits for it for `patienceMs` is cut. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Writes `body` and ends `response`, whose head is written. Rejects with what `body` throws. */
  async send(response: ServerResponse, body: StreamedBody): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    response.once('close', end);
    this.#open.add(over);
    if (this.#isStopped) end();
    try {
      for await (const chunk of body(over.signal)) {
        if (response.destroyed) return;
        if (response.write(chunk) || (await this.#isDrained(response, over.signal))) continue;
        response.destroy();
        return;
      }
      response.end();
      const cut = setTimeout(() => response.destroy(), farewellMs).unref();
      response.once('close', () => clearTimeout(cut));
    } finally {
      this.#open.delete(over);
      end();
    }
  }

  /** Ends them all, and those that begin from now on. */
  stop(): void {
    this.#isStopped = true;
    for (const over of this.#open) over.abort();
  }

  async #isDrained(response: ServerResponse, over: AbortSignal): Promise<boolean> {
    const signal = AbortSignal.any([over, AbortSignal.timeout(this.#patienceMs)]);
    return once(response, 'drain', { signal }).then(
      () => true,
      () => false,
    );
  }
}
