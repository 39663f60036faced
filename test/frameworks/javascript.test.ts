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

test.each(['ai-sdk', 'openai-agents', 'langgraph'])(
  'what agents of %s did is what Plimsoll says',
  async (name) => {
    const files = [
      `test/frameworks/${name}.mjs`,
      'test/frameworks/scenarios.mjs',
      'deploy/instrument/plimsoll.mjs',
    ];
    const told = await runNode<Told>(files, [name], {
      OPENAI_BASE_URL: model.url,
      OTEL_EXPORTER_OTLP_ENDPOINT: program.url('OTLP HTTP'),
    });
    await expectAnswers(program, name, told);
  },
);
