import { afterAll, beforeAll, test } from 'vitest';
import { Place, Program } from '../e2e/program.ts';
import { expectAnswers, type Told } from './answers.ts';
import { ModelServer } from './model-server.ts';
import { nodeModules } from './packages.ts';
import { runNode } from './script.ts';

let place: Place;
let program: Program;
let model: ModelServer;

beforeAll(async () => {
  await nodeModules();
  place = new Place('processors: { runs: { idle_timeout: 2s, guess_escalations: true } }');
  model = await ModelServer.start();
  program = await Program.start(place);
}, 600_000);

afterAll(async () => {
  model.stop();
  await program.kill('SIGKILL');
  place.remove();
});

const agents = [
  ['ai-sdk'],
  ['openai-agents', 'chat_completions'],
  ['openai-agents', 'responses'],
  ['langgraph'],
];

test.each(agents.map((words) => ({ service: words.join(' '), words })))(
  'what agents of $service did is what Plimsoll says',
  async ({ service, words: [name = '', ...words] }) => {
    const files = [`${name}.mjs`, 'scenarios.mjs'].map((file) => `test/frameworks/${file}`);
    const told = await runNode<Told>([...files, 'deploy/instrument/plimsoll.mjs'], [service, ...words], {
      OPENAI_BASE_URL: model.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: program.url('OTLP HTTP'),
    });
    await expectAnswers(program, service, told);
  },
);
