/**
 * Does one thing after another. A broker answers the requests of a connection in turn, and the time for an answer runs
 * from when the request is sent: what is sent behind a slow one would be charged for the wait.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as `work` does, which begins once all that was given before has settled. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined); // told to whoever took it
    return turn;
  }
}
