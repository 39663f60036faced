import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = new URL('..', import.meta.url).pathname;
let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'plimsoll-gates-'));
  for (const name of ['package.json', 'tsconfig.json', '.config'])
    cpSync(join(root, name), join(checkout, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
});

afterEach(() => rmSync(checkout, { recursive: true }));

function plant(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(checkout, name)), { recursive: true });
    writeFileSync(join(checkout, name), text);
  }
}

function gate(command: string, ...words: string[]): { readonly passed: boolean; readonly said: string } {
  const run = spawnSync(join(root, 'node_modules/.bin', command), words, { cwd: checkout, encoding: 'utf8' });
  return { passed: run.status === 0, said: run.stdout + run.stderr };
}

const lint = () => gate('oxlint', '-c', '.config/oxlint.json', '--type-aware', '--deny-warnings', 'src');

const sound = { 'src/core/sound.ts': 'export const sound = 1;\n' };

test('the lint passes sound code', () => {
  plant({
    ...sound,
    'src/receiver/user.ts': "import { sound } from '../core/sound.ts';\nexport const user = sound;\n",
  });
  const result = lint();
  expect(result.said).toContain('0 errors');
  expect(result.passed).toBe(true);
});

test.each([
  ['core', 'otlp'],
  ['otlp', 'semconv'],
  ['otlp', 'enrich'],
  ['enrich', 'kpi'],
  ['enrich', 'receiver'],
  ['kpi', 'assess'],
  ['policy', 'incidents'],
  ['incidents', 'kpi'],
  ['judge', 'policy'],
  ['judge', 'gate'],
  ['gate', 'policy'],
  ['report', 'policy'],
  ['report', 'store'],
  ['kpi', 'report'],
  ['gate', 'api'],
  ['rollback', 'rehearsal'],
  ['api', 'metrics'],
  ['api', 'page'],
  ['page', 'metrics'],
  ['page', 'rollback'],
  ['kpi', 'page'],
  ['receiver', 'stream'],
  ['store', 'assess'],
  ['stream', 'cli'],
])('the lint refuses an import from %s up to or across to %s', (from, to) => {
  plant({
    [`src/${to}/sound.ts`]: 'export const sound = 1;\n',
    [`src/${from}/planted.ts`]: `import { sound } from '../${to}/sound.ts';\nexport const planted = sound;\n`,
  });
  const result = lint();
  expect(result.said).toContain('it may import only its own folder and lower ranks');
  expect(result.passed).toBe(false);
});

test.each([
  [
    'an import cycle',
    'no-cycle',
    {
      'src/core/a.ts': "import { b } from './b.ts';\nexport const a = (): number => b();\n",
      'src/core/b.ts': "import { a } from './a.ts';\nexport const b = (): number => a();\n",
    },
  ],
  [
    'a floating promise',
    'no-floating-promises',
    {
      'src/core/a.ts':
        'async function work(): Promise<void> {}\nexport function start(): void {\n  work();\n}\n',
    },
  ],
  [
    'a timer in a pure folder',
    'no-restricted-globals',
    { 'src/kpi/a.ts': 'export const t = setTimeout(() => 1, 1);\n' },
  ],
  [
    'an environment variable outside config.ts',
    'no-process-env',
    { 'src/store/a.ts': "export const a = process.env['A'];\n" },
  ],
  ['any', 'no-explicit-any', { 'src/core/a.ts': 'export const a = (b: any): unknown => b;\n' }],
  ['a barrel', 'no-barrel-file', { ...sound, 'src/core/all.ts': "export * from './sound.ts';\n" }],
])('the lint refuses %s', (_, rule, files) => {
  plant(files);
  const result = lint();
  expect(result.said).toContain(rule);
  expect(result.passed).toBe(false);
});

test('the compiler refuses syntax that Node cannot strip', () => {
  plant({ 'src/core/a.ts': 'export enum Colour {\n  Red,\n}\n' });
  const result = gate('tsc', '--noEmit');
  expect(result.said).toContain('erasableSyntaxOnly');
  expect(result.passed).toBe(false);
});

test('the unused-code check refuses an export that nobody imports', () => {
  plant({
    'src/plimsoll.js': "import './main.ts';\n",
    'src/main.ts': "import { used } from './core/sound.ts';\nused();\n",
    'src/core/sound.ts': 'export const used = (): number => 1;\nexport const planted = 2;\n',
  });
  const result = gate('knip', '--no-config-hints', '--include', 'exports');
  expect(result.said).toContain('planted');
  expect(result.said).not.toMatch(/^used /m);
  expect(result.passed).toBe(false);
});
