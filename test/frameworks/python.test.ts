import { afterAll, beforeAll, test } from 'vitest';
import { Place, Program } from '../e2e/program.ts';
import { expectAnswers, type Told } from './answers.ts';
import { ModelServer } from './model-server.ts';
import { python } from './packages.ts';
import { runPython } from './script.ts';

let place: Place;
let program: Program;
let model: ModelServer;

beforeAll(async () => {
  await python();
  place = new Place('processors: { runs: { idle_timeout: 2s, guess_escalations: true } }');
  model = await ModelServer.start();
  program = await Program.start(place);
}, 600_000);

afterAll(async () => {
  model.stop();
  await program.kill('SIGKILL');
  place.remove();
});

const agents = [['pydantic-ai'], ['langgraph-langsmith', 'short'], ['langgraph-langsmith', 'long']];

test.each(agents.map((words) => ({ service: words.join(' '), words })))(
  'what agents of $service did is what Plimsoll says',
  async ({ service, words: [name = '', ...words] }) => {
    const files = [`${name}.py`, 'scenarios.py'].map((file) => `test/frameworks/${file}`);
    const told = await runPython<Told>([...files, 'deploy/instrument/plimsoll.py'], [service, ...words], {
      OPENAI_BASE_URL: model.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: program.url('OTLP HTTP'),
      LANGSMITH_TRACING: 'true',
      LANGSMITH_TRACING_MODE: 'otel',
      LANGSMITH_API_KEY: 'none',
    });
    await expectAnswers(program, service, told);
  },
);
