import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'vitest';
import { parseCases } from './parse-cases.ts';
import { runCase } from './run-case.ts';

const here = import.meta.dirname;

for (const file of readdirSync(here).filter((name) => name.endsWith('.kpi'))) {
  describe(file, () => {
    const cases = parseCases(file, readFileSync(join(here, file), 'utf8'));
    test.concurrent.each(cases)('$title', async (one) => runCase(file, one));
  });
}
