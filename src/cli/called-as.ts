import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How a user calls the program, and where its files are. */
interface CalledAs {
  /** How the command line of `command` begins. */
  readonly call: (command: string) => string;
  /** The path of a file of the folder config, as seen from the working directory. */
  readonly config: (name: string) => string;
}

/**
 * How it is called whose module `src/cli/called-as.ts` is at `url`: of a clone the sources are run as they are, and of an
 * installed package what was compiled of them.
 */
export function calledAs(url = import.meta.url, directory = process.cwd()): CalledAs {
  const isClone = url.endsWith('.ts');
  return {
    call: (command) => `${isClone ? 'npm run -s plimsoll --' : 'npx plimsoll'} ${command}`,
    config: (name) => relative(directory, fileURLToPath(new URL(`../../config/${name}`, url))),
  };
}
