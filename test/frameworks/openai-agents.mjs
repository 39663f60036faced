import { OpenAIAgentsInstrumentation } from '@arizeai/openinference-instrumentation-openai-agents';
import * as agents from '@openai/agents';
import { z } from 'zod';
import { humanGate, run } from './plimsoll.mjs';
import { finish, provider, scenario, tools as work } from './scenarios.mjs';

new OpenAIAgentsInstrumentation({ tracerProvider: provider }).manuallyInstrument(agents);
agents.setTracingDisabled(false);
const api = process.argv[3];
agents.setOpenAIAPI(api);

const parameters = z.object({ order: z.string() });
const toolNamed = (name) =>
  agents.tool({
    name,
    description: name,
    parameters,
    execute: work[name],
    needsApproval: name === 'refund',
  });
const tools = Object.keys(work).map(toolNamed);
const model = 'gpt-4o-mini';
const billing = new agents.Agent({ name: 'billing', model, instructions: 'Look.', tools });
const clerk = new agents.Agent({ name: 'clerk', model, instructions: 'Help.', tools, handoffs: [billing] });

/** One run of the agent, or the rest of one; adds what it did to the scenario. */
async function ask(known, input) {
  const { inputTokens = 0, outputTokens = 0 } = { ...input.usage };
  const result = await agents.run(clerk, input);
  known.inputTokens += result.state.usage.inputTokens - inputTokens;
  known.outputTokens += result.state.usage.outputTokens - outputTokens;
  return result;
}

for (const name of ['tool-success', 'tool-failure', 'retry', 'parallel'])
  await scenario(name, async (known) => {
    await ask(known, `scenario ${name}`);
    known.runs.push('completed');
  });

await scenario('handoff', async (known) => {
  const result = await ask(known, 'scenario handoff');
  if (result.lastAgent === billing) known.handoffs.push('billing');
  known.runs.push('completed');
});

await scenario('model-failure', async (known) => {
  await ask(known, 'scenario model-failure').catch(() => known.runs.push('failure'));
});

/** The state of a run with the answer of a human to the approval that `result` asks for. */
function answered(result, state) {
  const [asked] = result.interruptions;
  if (state === 'approved') result.state.approve(asked);
  else result.state.reject(asked);
  return result.state;
}

// That somebody is asked leaves no trace but the model's reason to stop, which the API of responses does not say; a yes
// leaves none, and a no is an error of the tool.
for (const state of ['approved', 'rejected'])
  await scenario(`untold-${state}`, async (known) => {
    await ask(known, answered(await ask(known, 'scenario approval'), state));
    const seen = api === 'chat_completions';
    known.runs.push(seen ? 'escalated' : 'completed', 'completed');
    known.escalatedRuns.push(...(seen ? ['approval'] : []));
    if (state === 'approved') return;
    known.escalations.push('approval rejected');
    known.escalatedRuns.push('approval');
  });

for (const state of ['approved', 'rejected'])
  await scenario(`told-${state}`, async (known) => {
    known.session = `given-${state}`;
    const task = { agent: 'clerk', runId: `${api}-${state}`, sessionId: known.session };
    const result = await run(task, async () => {
      const asks = await ask(known, 'scenario approval');
      humanGate('approval');
      return asks;
    });
    await run(task, async (span) => {
      humanGate('approval', state);
      await ask(known, answered(result, state));
      span.setAttribute('plimsoll.run.outcome', state === 'approved' ? 'success' : 'failure');
    });
    known.escalations.push('approval requested', `approval ${state}`);
    known.runs.push(state === 'approved' ? 'success' : 'failure');
    known.escalatedRuns.push('approval');
  });

await finish('clerk');
