import { cpSync, rmSync } from 'node:fs';

// What the compiler does not write stands beside what it does: migrations, and the files of the live page.
rmSync('dist', { recursive: true, force: true });
cpSync('src', 'dist', { recursive: true, filter: (path) => !path.endsWith('.ts') });
