/** Anything with a lifetime. Sinks start before sources; sources stop before sinks. Constructors have no effects. */
export interface Component {
  readonly name: string;
  /** Resolves once ready for input. A rejection aborts start-up. */
  start(): Promise<void>;
  /** Refuses new input, drains, releases. Idempotent; legal before start. Gives up draining when `deadline` aborts. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** Where a batch goes next. The promise is both acknowledgement and backpressure. */
export interface Sink<T> {
  /** Resolves only when the next hop holds `batch` durably; until then nobody changes it. Rejects with a Failure. */
  consume(batch: T, signal: AbortSignal): Promise<void>;
}

/**
 * Starts the components of `flow` (listed in flow order, sources first) from the last to the first, so that
 * every sink is ready before its source. When one fails, those already started are stopped and the fault is thrown.
 */
export async function startAll(flow: readonly Component[], deadline: AbortSignal): Promise<void> {
  const started: Component[] = [];
  for (const component of flow.toReversed()) {
    try {
      await component.start();
    } catch (error) {
      await stopAll([component, ...started.toReversed()], deadline).catch(() => undefined); // the start's fault is the one to report
      throw error;
    }
    started.push(component);
  }
}

/** Stops the components of `flow` in flow order under one shared deadline. Throws an AggregateError of what failed. */
export async function stopAll(flow: readonly Component[], deadline: AbortSignal): Promise<void> {
  const faults: unknown[] = [];
  for (const component of flow) {
    try {
      await component.stop(deadline);
    } catch (error) {
      faults.push(error);
    }
  }
  if (faults.length > 0)
    throw new AggregateError(faults, `cannot stop cleanly: ${faults.map(String).join('; ')}`);
}
