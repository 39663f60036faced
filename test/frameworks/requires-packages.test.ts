import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { finished } from '../finished.ts';

test("one answer that does not come takes no tests away: npm's registry is asked again", async () => {
  let asked = 0;
  const registry = createServer((request, response) => {
    asked++;
    if (asked === 1) request.socket.destroy();
    else response.setHeader('content-type', 'application/json').end('{}');
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  const { port }: AddressInfo = JSON.parse(JSON.stringify(registry.address()));
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-registry-'));
  const module = new URL('requires-packages.ts', import.meta.url).href;
  const script = `const { npmMissing } = await import(${JSON.stringify(module)}); console.log(String(npmMissing));`;
  const env = {
    ...process.env,
    npm_config_registry: `http://127.0.0.1:${port}`,
    PIP_INDEX_URL: 'http://127.0.0.1:1', // nobody is asked
    XDG_CACHE_HOME: folder, // nothing is here already
  };
  const said = await finished(process.execPath, ['--input-type=module', '--eval', script], { env });
  expect(said.trim()).toBe('undefined');
  expect(asked).toBeGreaterThan(1);
  registry.close();
  rmSync(folder, { recursive: true });
});
