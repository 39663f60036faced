/**
 * How Go compiles what tests run: without optimisation, which takes half the time, and without what a debugger needs. All
 * that is built has the same flags, so that Go's own packages are compiled once.
 */
export const gcflags = 'all=-N -l -dwarf=false';

/** What Go is told beside that: no module but the one at hand, and no compiler of C. */
export const goEnvironment = { GOWORK: 'off', CGO_ENABLED: '0' } as const;
