import { test } from 'vitest';
import { runNode } from '../frameworks/script.ts';
import { expectJob } from './expect-job.ts';

test('what deploy/instrument/plimsoll.mjs says is what Plimsoll knows', { timeout: 600_000 }, async () => {
  const files = ['test/instrument/job.mjs', 'deploy/instrument/plimsoll.mjs'];
  await expectJob(async (url) => runNode(files, [], { OTEL_EXPORTER_OTLP_ENDPOINT: url }));
});
