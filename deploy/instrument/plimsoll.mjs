// What Plimsoll cannot see by itself, said with OpenTelemetry's SDK alone. Copy this file and change it as you like.
// npm i @opentelemetry/{api,context-async-hooks,exporter-trace-otlp-proto,resources,sdk-trace}   (version 3 of the SDK)

import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const tracer = trace.getTracer('app');

/** Puts what a run says of itself on every span that begins within it, whichever library begins it. */
export class RunSpanProcessor {
  onStart(span, parent) {
    for (const [key, { value }] of propagation.getBaggage(parent)?.getAllEntries() ?? [])
      if (runKeys.includes(key)) span.setAttribute(key, value);
  }
  onEnd() {}
  async forceFlush() {}
  async shutdown() {}
}
const runKeys = ['plimsoll.run.id', 'plimsoll.task.type', 'plimsoll.user.id', 'session.id'];

/**
 * Sends all spans to `OTEL_EXPORTER_OTLP_ENDPOINT`. Call it once, first; await `shutdown()` of what it returns before
 * the process ends. `version` is the release that Plimsoll judges: change it with the prompt and the model, too.
 */
export function startTracing({ service, version, environment }) {
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        'service.name': service,
        'service.version': version,
        'deployment.environment.name': environment,
      }),
    ),
    spanProcessors: [
      new RunSpanProcessor(),
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: 1000 }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(provider);
  return provider;
}

/**
 * One task of an agent, from the request to its end. `work` gets the span of it: set `plimsoll.run.outcome` on that to
 * `success`, `failure`, `escalated` or `abandoned` where you know. Call it again with the same `runId` when the task goes
 * on later, or elsewhere. `userId` must not show who it is: send a keyed hash. Where a propagator for baggage is set, all
 * four go along to whatever instrumented clients call, other people's services too.
 */
export function run({ agent, runId, sessionId, userId, taskType }, work) {
  let baggage = propagation.getActiveBaggage() ?? propagation.createBaggage();
  for (const [at, value] of [runId, taskType, userId, sessionId].entries())
    if (value !== undefined) baggage = baggage.setEntry(runKeys[at], { value });
  const attributes = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': agent };
  return inSpan(`invoke_agent ${agent}`, attributes, work, propagation.setBaggage(context.active(), baggage));
}

/**
 * Control passes to a human, for a `reason`: `approval`, `input_request`, `human_handoff`, `guardrail`, `budget` or
 * `other`. Say it once when the human is asked, and once with the answer, which may be another process's to say:
 * `approved`, `rejected`, `modified`, `aborted` or `timed_out`.
 */
export function humanGate(reason, state = 'requested') {
  const attributes = { 'plimsoll.escalation.reason': reason, 'plimsoll.escalation.state': state };
  tracer.startSpan('human gate', { attributes }).end();
}

/** A human looks at what the agent did, for as long as `work` takes; `role` says who it is. */
export function humanReview(role, work) {
  return inSpan('plimsoll.review', { 'plimsoll.reviewer.role': role }, work);
}

/** How good the work of `span` was, by an evaluator's name and its own scale. */
export function score(span, name, value, label) {
  span.addEvent('gen_ai.evaluation.result', {
    'gen_ai.evaluation.name': name,
    'gen_ai.evaluation.score.value': value,
    'gen_ai.evaluation.score.label': label,
  });
}

function inSpan(name, attributes, work, parent = context.active()) {
  return tracer.startActiveSpan(name, { attributes }, parent, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.recordException(error);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}
