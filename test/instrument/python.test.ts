import { test } from 'vitest';
import { runPython } from '../frameworks/script.ts';
import { expectJob } from './expect-job.ts';

test('what deploy/instrument/plimsoll.py says is what Plimsoll knows', { timeout: 600_000 }, async () => {
  const files = ['test/instrument/job.py', 'deploy/instrument/plimsoll.py'];
  await expectJob(async (url) => runPython(files, [], { OTEL_EXPORTER_OTLP_ENDPOINT: url }));
});
