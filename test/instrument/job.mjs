import { trace } from '@opentelemetry/api';
import { humanGate, humanReview, run, score, startTracing } from './plimsoll.mjs';

const provider = startTracing({ service: 'shop', version: '1.4.0', environment: 'staging' });

/** What a library does, which knows nothing of runs. */
const library = trace.getTracer('library');
const callTool = () =>
  library
    .startSpan('execute_tool lookup', {
      attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'lookup' },
    })
    .end();

const task = {
  agent: 'clerk',
  runId: 'run-1',
  sessionId: 'session-1',
  userId: 'user-hash',
  taskType: 'refund',
};
await run(task, async () => {
  callTool();
  humanGate('approval');
});
await run(task, async (span) => {
  humanGate('approval', 'approved');
  await humanReview('lawyer', async () => callTool());
  score(span, 'helpfulness', 0.8, 'good');
  span.setAttribute('plimsoll.run.outcome', 'success');
});

await run({ agent: 'clerk', runId: 'run-2' }, async () => {
  throw new TypeError('no such order');
}).catch(() => {});

await run({ agent: 'clerk', runId: 'run-3' }, () => {
  throw new RangeError('broken before it was awaited');
}).catch(() => {});

callTool();
await provider.shutdown();
console.log('{}');
