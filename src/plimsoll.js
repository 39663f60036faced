#!/usr/bin/env node
// Plain JavaScript, so that a Node too old to read TypeScript says so in one sentence instead of a syntax error.
const [major = 0] = process.versions.node.split('.').map(Number);
if (major < 24) {
  process.stderr.write(
    `plimsoll needs Node 24 or newer and this is ${process.versions.node}: run it through npm (npm start), or install Node 24.\n`,
  );
  process.exitCode = 1;
} else {
  await import('./main.ts');
}
