#!/usr/bin/env node
// Plain JavaScript, so that a Node too old to read TypeScript says so in one sentence instead of a syntax error.
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `plimsoll needs Node 24 or newer and this is ${process.versions.node}: run npm start in a clone, or npm install node@24 beside the package, whose npx then finds it.\n`,
  );
  process.exitCode = 1;
} else {
  const { enableCompileCache, flushCompileCache } = await import('node:module'); // an older Node has no such names
  const { setFlagsFromString } = await import('node:v8');
  // The young generation stays small. What arrives from the network is garbage within milliseconds, and only a
  // collection of the young gives it back; where those are rare, every 64 MB of it make V8 walk the whole heap instead
  // (75 times in 10 s of load, against 7).
  setFlagsFromString('--semi-space-growth-factor=1');
  // From the second start on nothing is compiled, nor are types stripped: that is done in WebAssembly, whose growing
  // memory costs every typed array of the process its fastest path.
  enableCompileCache();
  setTimeout(flushCompileCache, 5000).unref(); // all is loaded by then, and a process that is killed writes nothing
  const { endUnread } = await import('./cli/stop-signals.ts');
  endUnread();
  const { main } = await import('./main.ts');
  process.exitCode = await main(process.argv.slice(2));
}
