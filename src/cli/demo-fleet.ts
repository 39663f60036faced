import { Metadata } from '@grpc/grpc-js';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as HttpExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

/** One release of one make-believe agent, and how well it does. */
interface Agent {
  readonly name: string;
  readonly release: string;
  readonly model: string;
  readonly provider: string;
  readonly tools: readonly string[];
  readonly transport: 'grpc' | 'http';
  /** Chances, each in [0, 1]: a tool call fails; a failed tool call ends the run; a human must approve. */
  readonly toolFailure: number;
  readonly giveUp: number;
  readonly escalation: number;
}

const refund = {
  name: 'refund-agent',
  model: 'gpt-4o-mini',
  provider: 'openai',
  tools: ['get_order', 'check_policy', 'issue_refund'],
  escalation: 0.12,
} as const;

/** The agent of the fleet that gets a canary release, its releases, and where they are said to run. */
export const canaryOf = {
  agent: refund.name,
  environment: 'production',
  baseline: '1.4.0',
  canary: '1.5.0-rc1',
} as const;

/** The fleet: two healthy agents, and a canary release of one of them whose tools fail far too often. */
const agents: readonly Agent[] = [
  { ...refund, release: canaryOf.baseline, transport: 'grpc', toolFailure: 0.04, giveUp: 0.5 },
  { ...refund, release: canaryOf.canary, transport: 'grpc', toolFailure: 0.35, giveUp: 0.6 },
  {
    name: 'research-agent',
    release: '7.2.1',
    model: 'claude-sonnet-4-5',
    provider: 'anthropic',
    tools: ['web_search', 'fetch_page'],
    transport: 'http',
    toolFailure: 0.08,
    giveUp: 0.2,
    escalation: 0.03,
  },
];

/** Where the fleet sends its spans. */
export interface FleetTarget {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  /** A bearer token, where the receiver wants one. */
  readonly token: string | undefined;
}

/** A fleet at work: real OpenTelemetry SDK exporters, make-believe agents. */
export interface Fleet {
  /** Runs so far. */
  readonly runs: () => number;
  /** Ends the work, flushes every exporter and resolves when all spans are delivered. */
  stop(): Promise<void>;
}

/**
 * Starts a fleet whose every agent finishes `runsPerSecond` tasks a second until it is stopped, or of those that `shareOf`
 * gives a release only a share, from 0 to 1: it is asked again for every task.
 */
export function startFleet(
  target: FleetTarget,
  runsPerSecond: number,
  shareOf: (agent: string, release: string) => number = () => 1,
): Fleet {
  let runs = 0;
  const members = agents.map((agent) => {
    const provider = providerOf(agent, target);
    const tracer = provider.getTracer('plimsoll-demo');
    const timer = setInterval(() => {
      if (Math.random() >= shareOf(agent.name, agent.release)) return;
      runs += 1;
      work(tracer, agent, `${agent.name}-session-${Math.floor(runs / 5)}`);
    }, 1000 / runsPerSecond);
    return { provider, timer };
  });
  return {
    runs: () => runs,
    stop: async () => {
      for (const { timer } of members) clearInterval(timer);
      await Promise.all(members.map(({ provider }) => provider.shutdown()));
    },
  };
}

function providerOf(agent: Agent, target: FleetTarget): TracerProvider {
  const headers: Record<string, string> = target.token ? { authorization: `Bearer ${target.token}` } : {};
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const exporter =
    agent.transport === 'grpc'
      ? new GrpcExporter({ url: target.grpcUrl, metadata })
      : new HttpExporter({ url: `${target.httpUrl}/v1/traces`, headers });
  return new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': agent.name,
      'service.version': agent.release,
      'deployment.environment.name': canaryOf.environment,
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 500 })],
  });
}

/** A task as it unfolds: its clock runs ahead of the call, so that one task is written in one go and ends now. */
interface Task {
  readonly tracer: Tracer;
  readonly agent: Agent;
  readonly root: Span;
  atMs: number;
}

function work(tracer: Tracer, agent: Agent, sessionId: string): void {
  const startMs = Date.now() - 4000;
  const attributes = {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.agent.name': agent.name,
    'session.id': sessionId,
  };
  const root = tracer.startSpan(
    `invoke_agent ${agent.name}`,
    { kind: SpanKind.INTERNAL, startTime: startMs, attributes },
    ROOT_CONTEXT,
  );
  const task: Task = { tracer, agent, root, atMs: startMs };
  const done = agent.tools.every((tool) => {
    chat(task);
    return callTool(task, tool);
  });
  if (done && Math.random() < agent.escalation) askHuman(task);
  if (done) chat(task);
  else root.setStatus({ code: SpanStatusCode.ERROR, message: 'gave up' });
  root.end(task.atMs);
}

function child(task: Task, name: string, kind: SpanKind, attributes: Record<string, string | number>): Span {
  return task.tracer.startSpan(
    name,
    { kind, startTime: task.atMs, attributes: { 'gen_ai.agent.name': task.agent.name, ...attributes } },
    trace.setSpan(ROOT_CONTEXT, task.root),
  );
}

function chat(task: Task): void {
  const { model, provider } = task.agent;
  const span = child(task, `chat ${model}`, SpanKind.CLIENT, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': provider,
    'gen_ai.request.model': model,
    'gen_ai.usage.input_tokens': 400 + Math.floor(Math.random() * 1200),
    'gen_ai.usage.output_tokens': 40 + Math.floor(Math.random() * 200),
    'gen_ai.input.messages':
      '[{"role":"user","parts":[{"type":"text","content":"a question of a customer"}]}]',
  });
  task.atMs += 100 + Math.random() * 400;
  span.end(task.atMs);
}

/** Calls a tool; a failure may end the task. Returns whether the task goes on. */
function callTool(task: Task, tool: string): boolean {
  const span = child(task, `execute_tool ${tool}`, SpanKind.INTERNAL, {
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': tool,
    'gen_ai.tool.call.arguments': '{"order_id":"A-1042"}',
  });
  task.atMs += 20 + Math.random() * 300;
  const failed = Math.random() < task.agent.toolFailure;
  if (failed) {
    span.recordException(
      Object.assign(new Error('the order system did not answer'), { name: 'TimeoutError' }),
      task.atMs,
    );
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end(task.atMs);
  return !failed || Math.random() >= task.agent.giveUp;
}

function askHuman(task: Task): void {
  const span = child(task, 'approve refund', SpanKind.INTERNAL, {
    'plimsoll.step': 'review',
    'plimsoll.escalation.reason': 'approval',
    'plimsoll.escalation.state': Math.random() < 0.8 ? 'approved' : 'rejected',
  });
  task.atMs += 300 + Math.random() * 600;
  span.end(task.atMs);
}
