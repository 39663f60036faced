import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

/** The folder of the Helm chart. */
export const chart = fileURLToPath(new URL('../../deploy/helm/plimsoll', import.meta.url));

const manifest = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string() }),
  data: z.record(z.string(), z.string()).optional(),
  spec: z.looseObject({}).optional(),
});

/** An object as it is sent to Kubernetes. */
export type Manifest = z.infer<typeof manifest>;

/** Runs the `helm` of the folder `programs` (see `validatorPrograms`). */
export function helm(programs: string, ...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(join(programs, 'helm'), words, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** What `helm install agents` would send to Kubernetes, with `words` more. */
export function rendered(programs: string, ...words: readonly string[]): string {
  const where = ['agents', chart, '--namespace', 'agents', '--kube-version', '1.34.0'];
  const { status, stdout, stderr } = helm(programs, 'template', ...where, ...words);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** The objects in what was rendered. */
export const manifestsOf = (text: string): readonly Manifest[] =>
  parseAllDocuments(text).flatMap((document) => {
    const value: unknown = document.toJS();
    return value === null ? [] : [manifest.parse(value)];
  });
