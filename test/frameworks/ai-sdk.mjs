import { createOpenAI } from '@ai-sdk/openai';
import { OpenTelemetry } from '@ai-sdk/otel';
import { generateText, isStepCount, registerTelemetry, tool } from 'ai';
import { z } from 'zod';
import { humanGate, run } from './plimsoll.mjs';
import { finish, scenario, tools as work } from './scenarios.mjs';

registerTelemetry(new OpenTelemetry());

const model = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: 'none' }).chat('gpt-4o-mini');
const inputSchema = z.object({ order: z.string() });
const transfer = async () => 'somebody will call';
const tools = Object.fromEntries(
  Object.entries({ ...work, transfer_to_human: transfer }).map(([name, execute]) => [
    name,
    tool({ description: name, inputSchema, execute }),
  ]),
);

const begin = (name) => [{ role: 'user', content: `scenario ${name}` }];

/** One run of the agent; adds what it did to the scenario. */
async function ask(known, messages) {
  const result = await generateText({
    model,
    tools,
    messages,
    toolApproval: { refund: 'user-approval' },
    stopWhen: isStepCount(5),
    maxRetries: 0,
    telemetry: { functionId: 'clerk' },
  });
  known.inputTokens += result.totalUsage.inputTokens;
  known.outputTokens += result.totalUsage.outputTokens;
  return result;
}

for (const name of ['tool-success', 'tool-failure', 'retry', 'parallel'])
  await scenario(name, async (known) => {
    await ask(known, begin(name));
    known.runs.push('completed');
  });

await scenario('human-handoff', async (known) => {
  await ask(known, begin('human-handoff'));
  known.handoffs.push('human');
  known.escalations.push('human_handoff requested');
  known.runs.push('escalated');
  known.escalatedRuns.push('human_handoff');
});

await scenario('model-failure', async (known) => {
  await ask(known, begin('model-failure')).catch(() => known.runs.push('failure'));
});

/** Messages with the answer of a human to the approval that `result` asks for. */
function answered(messages, result, state) {
  const { approvalId } = result.content.find(({ type }) => type === 'tool-approval-request');
  const answer = { type: 'tool-approval-response', approvalId, approved: state === 'approved' };
  return [...messages, ...result.responseMessages, { role: 'tool', content: [answer] }];
}

// Neither the question nor the answer leaves a trace: that the model asked for a tool and none ran is all there is.
for (const state of ['approved', 'rejected'])
  await scenario(`untold-${state}`, async (known) => {
    const messages = begin('approval');
    await ask(known, answered(messages, await ask(known, messages), state));
    known.runs.push('escalated', 'completed');
    known.escalatedRuns.push('approval');
  });

for (const state of ['approved', 'rejected'])
  await scenario(`told-${state}`, async (known) => {
    known.session = `given-${state}`;
    const task = { agent: 'clerk', runId: `ai-sdk-${state}`, sessionId: known.session };
    const messages = begin('approval');
    const result = await run(task, async () => {
      const asks = await ask(known, messages);
      humanGate('approval');
      return asks;
    });
    await run(task, async (span) => {
      humanGate('approval', state);
      await ask(known, answered(messages, result, state));
      span.setAttribute('plimsoll.run.outcome', state === 'approved' ? 'success' : 'failure');
    });
    known.escalations.push('approval requested', `approval ${state}`);
    known.runs.push(state === 'approved' ? 'success' : 'failure');
    known.escalatedRuns.push('approval');
  });

await finish('clerk');
