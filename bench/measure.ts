import { readFileSync } from 'node:fs';

const ticksPerSecond = 100; // sysconf(_SC_CLK_TCK) of every Linux that Node runs on

/** The median of `values`. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** The value below which `share` of `values` lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Name and CPU seconds so far, user and system, of the process or thread whose `/proc/…/stat` file is `path`. */
export function cpuOf(path: string): { readonly name: string; readonly seconds: number } {
  const stat = readFileSync(path, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  return { name, seconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
}

/** CPU seconds that process `pid` has used so far, all threads, user and system. Linux only. */
export function cpuSecondsOf(pid: number): number {
  return cpuOf(`/proc/${pid}/stat`).seconds;
}

/** The most memory process `pid` has had resident, in bytes. Linux only. */
export function peakRssBytesOf(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}
