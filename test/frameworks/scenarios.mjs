import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { RunSpanProcessor } from './plimsoll.mjs';

/** The scenario that runs now. One runs at a time. */
let current;

/** Marks every span with its scenario, as a release: the only thing that is added to what a framework says. */
const scenarioProcessor = {
  onStart: (span) => void span.setAttribute('plimsoll.release', current.scenario),
  onEnd: () => {},
  forceFlush: async () => {},
  shutdown: async () => {},
};

const framework = process.argv[2];
// All spans are sent at the end: of a run that is sent in two parts the first would seem to have ended, where they wait long.
const atTheEnd = new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: 600_000 });
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': framework, 'deployment.environment.name': framework }),
  spanProcessors: [scenarioProcessor, new RunSpanProcessor(), atTheEnd],
});
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(provider);

const scenarios = [];

/** Does `work`, which writes down in its scenario what it did, and how each run ended. */
export async function scenario(name, work) {
  current = {
    scenario: name,
    calls: [],
    handoffs: [],
    escalations: [],
    runs: [],
    escalatedRuns: [],
    inputTokens: 0,
    outputTokens: 0,
    session: '',
  };
  scenarios.push(current);
  await work(current);
}

/** A tool's work, which knows how it ended. */
export const called = (tool, work) => async () => {
  try {
    const result = work();
    current.calls.push(`${tool} ok`);
    return result;
  } catch (error) {
    current.calls.push(`${tool} error`);
    throw error;
  }
};

let tries = 0;
/** What the tools of all frameworks do. */
export const tools = {
  lookup_order: called('lookup_order', () => 'order A-7 is on its way'),
  refund: called('refund', () => 'refunded'),
  flaky: called('flaky', () => {
    throw new TypeError('the warehouse does not answer');
  }),
  unsteady: called('unsteady', () => {
    if (tries++ === 0) throw new RangeError('try again');
    return 'order A-7 is on its way';
  }),
};

/** Sends every span, and says what `agent` did. */
export async function finish(agent) {
  await provider.forceFlush();
  await provider.shutdown();
  process.stdout.write(`${JSON.stringify({ agent, scenarios })}\n`);
}

export { provider };
