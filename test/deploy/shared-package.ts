import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { packedInto, type Tarball } from './pack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    readonly sharedPackageUrl: string;
  }
}

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-pack-'));
let packed: Promise<Tarball> | undefined;

const server = createServer((_, response) => {
  packed ??= packedInto(folder);
  packed.then(
    (tarball) => response.end(JSON.stringify(tarball)),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});

/** The package, which the test files of a run share: `GET` of `sharedPackageUrl` answers with its `Tarball`, as JSON. */
export async function setup(project: TestProject): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('a TCP server has a port');
  project.provide('sharedPackageUrl', `http://127.0.0.1:${address.port}`);
}

/** Removes it. */
export async function teardown(): Promise<void> {
  server.close();
  server.closeAllConnections();
  await packed?.catch(() => undefined);
  rmSync(folder, { recursive: true });
}
