/** Without a unit for so long a release is idle. */
export const idleMs = 30 * 60_000;
