import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, test } from 'vitest';
import { finished } from '../finished.ts';
import { gcflags, goEnvironment } from '../go-build.ts';
import { expectJob } from './expect-job.ts';

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-go-'));
const fileOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

beforeAll(async () => {
  mkdirSync(join(folder, 'plimsoll'));
  cpSync(fileOf('deploy/instrument/plimsoll.go'), join(folder, 'plimsoll', 'plimsoll.go'));
  for (const name of ['job.go', 'go.mod', 'go.sum'])
    cpSync(fileOf(`test/instrument/${name}`), join(folder, name));
  const words = ['build', '-mod=readonly', '-gcflags', gcflags, '-o', 'job', '.'];
  await finished('go', words, { cwd: folder, env: { ...process.env, ...goEnvironment } });
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true }));

test('what deploy/instrument/plimsoll.go says is what Plimsoll knows', async () => {
  await expectJob(async (url) =>
    finished(join(folder, 'job'), [], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: url } }),
  );
});
