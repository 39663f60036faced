import { afterAll, beforeAll, test } from 'vitest';
import { Place, Program } from '../e2e/program.ts';
import { expectAnswers, type Told } from './answers.ts';
import { ModelServer } from './model-server.ts';

/**
 * Tests that Plimsoll says what agents did, for each of `agents`, a script and its words. `install` gets their frameworks;
 * `work` lets one do its scenarios with `environment`, which leads to a model and to Plimsoll, and returns what it knows.
 */
export function testAgents(
  install: () => Promise<unknown>,
  agents: readonly (readonly string[])[],
  work: (script: string, words: readonly string[], environment: Record<string, string>) => Promise<Told>,
): void {
  let place: Place;
  let program: Program;
  let model: ModelServer;

  beforeAll(async () => {
    await install();
    place = new Place('processors: { runs: { idle_timeout: 2s, guess_escalations: true } }');
    model = await ModelServer.start();
    program = await Program.start(place);
  }, 600_000);

  afterAll(async () => {
    model.stop();
    await program.kill('SIGKILL');
    place.remove();
  });

  test.each(agents.map((words) => ({ service: words.join(' '), words })))(
    'what agents of $service did is what Plimsoll says',
    async ({ service, words: [script = '', ...words] }) => {
      const told = await work(script, [service, ...words], {
        OPENAI_BASE_URL: model.url,
        OTEL_EXPORTER_OTLP_ENDPOINT: program.url('OTLP HTTP'),
      });
      await expectAnswers(program, service, told);
    },
  );
}
