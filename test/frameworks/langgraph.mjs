import { LangChainInstrumentation } from '@arizeai/openinference-instrumentation-langchain';
import * as callbacks from '@langchain/core/callbacks/manager';
import { ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import {
  Command,
  getCurrentTaskInput,
  interrupt,
  MemorySaver,
  MessagesAnnotation,
  StateGraph,
} from '@langchain/langgraph';
import { createReactAgent } from '@langchain/langgraph/prebuilt';
import { ChatOpenAI } from '@langchain/openai';
import { z } from 'zod';
import { humanGate, run } from './plimsoll.mjs';
import { called, finish, provider, scenario, tools as work } from './scenarios.mjs';

new LangChainInstrumentation({ tracerProvider: provider }).manuallyInstrument(callbacks);

const schema = z.object({ order: z.string() });
const toolNamed = (name, does = work[name]) => tool(does, { name, description: name, schema });

/** Stops the graph until a human has answered, and ends well whatever the answer. */
const refund = toolNamed('refund', async () => called('refund', answer(interrupt('refund?')))());
const answer = (state) => () => (state === 'approved' ? 'refunded' : 'not approved');
const transfer = toolNamed('transfer_to_billing', async (_, { toolCall: { id } }) => {
  const { messages } = getCurrentTaskInput();
  const moved = new ToolMessage({ content: 'moved', tool_call_id: id });
  return new Command({ goto: 'billing', graph: Command.PARENT, update: { messages: [...messages, moved] } });
});
const others = ['lookup_order', 'flaky', 'unsteady'].map((name) => toolNamed(name));

const llm = new ChatOpenAI({ model: 'gpt-4o-mini', apiKey: 'none', maxRetries: 0, useResponsesApi: false });
const clerk = createReactAgent({ llm, name: 'clerk', tools: [...others, refund, transfer] });
const billing = createReactAgent({ llm, name: 'billing', tools: others });
const graph = new StateGraph(MessagesAnnotation)
  .addNode('clerk', clerk, { ends: ['billing'] })
  .addNode('billing', billing)
  .addEdge('__start__', 'clerk')
  .compile({ checkpointer: new MemorySaver(), name: 'support' });

/** One run of the graph on a thread; adds what it did to the scenario. */
async function ask(known, thread, input) {
  const config = { configurable: { thread_id: thread } };
  const before = (await graph.getState(config)).values.messages?.length ?? 0;
  const { messages } = await graph.invoke(input, config);
  for (const { usage_metadata: usage } of messages.slice(before)) {
    known.inputTokens += usage?.input_tokens ?? 0;
    known.outputTokens += usage?.output_tokens ?? 0;
  }
  return messages;
}
const begin = (name) => ({ messages: [{ role: 'user', content: `scenario ${name}` }] });

for (const name of ['tool-success', 'tool-failure', 'retry', 'parallel'])
  await scenario(name, async (known) => {
    await ask(known, name, begin(name));
    known.runs.push('completed');
  });

await scenario('handoff', async (known) => {
  await ask(known, 'handoff', begin('handoff'));
  known.handoffs.push('billing');
  known.runs.push('completed');
});

await scenario('model-failure', async (known) => {
  await ask(known, 'model-failure', begin('model-failure')).catch(() => known.runs.push('failure'));
});

// An interrupt is thrown, by the tool and by all that is around it.
for (const state of ['approved', 'rejected'])
  await scenario(`untold-${state}`, async (known) => {
    const thread = `thread-${state}`;
    await ask(known, thread, begin('approval'));
    await ask(known, thread, new Command({ resume: state }));
    known.escalations.push('input_request requested');
    known.runs.push('escalated', 'completed');
    known.escalatedRuns.push('input_request');
  });

for (const state of ['approved', 'rejected'])
  await scenario(`told-${state}`, async (known) => {
    known.session = `given-${state}`;
    const task = { agent: 'langgraph', runId: `langgraph-${state}`, sessionId: known.session };
    await run(task, () => ask(known, known.session, begin('approval')));
    await run(task, async (span) => {
      humanGate('input_request', state);
      await ask(known, known.session, new Command({ resume: state }));
      span.setAttribute('plimsoll.run.outcome', state === 'approved' ? 'success' : 'failure');
    });
    known.escalations.push('input_request requested', `input_request ${state}`);
    known.runs.push(state === 'approved' ? 'success' : 'failure');
    known.escalatedRuns.push('input_request');
  });

await finish('langgraph');
