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

test('what agents of Pydantic AI did is what Plimsoll says', async () => {
  const files = ['test/frameworks/pydantic-ai.py', 'deploy/instrument/plimsoll.py'];
  const told = await runPython<Told>(files, ['pydantic-ai'], {
    OPENAI_BASE_URL: model.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: program.url('OTLP HTTP'),
  });
  await expectAnswers(program, 'pydantic-ai', told);
});
