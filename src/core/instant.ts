/** A time, in milliseconds since the epoch, as people and programs read it: RFC 3339, in UTC. */
export function instant(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
