import { instantText, type TableRow } from '../core/table-row.ts';
import type { PolicyFile } from './read-policy.ts';

const word = 'LowCardinality(String)';

/** The columns of `policies` that a row says, in table order. */
export const policyColumns = [
  { name: 'PolicyRevision', type: word },
  { name: 'Policy', type: word },
  { name: 'PolicyVersion', type: 'UInt32' },
  { name: 'Owner', type: word },
  { name: 'OnCall', type: word },
  { name: 'Agents', type: 'Array(String)' },
  { name: 'Environments', type: 'Array(String)' },
  { name: 'GoodOutcomes', type: 'Array(LowCardinality(String))' },
  { name: 'Document', type: 'String' },
  { name: 'FirstUsed', type: "DateTime64(3, 'UTC')" },
  { name: 'Version', type: 'UInt64' },
] as const;

/** Every stream takes a row of so many bytes; a longer one leaves out what the file of the policy has. */
const limitBytes = 60_000;
/** What a row leaves out, as little as will do. */
const leftOut: readonly (readonly (typeof policyColumns)[number]['name'][])[] = [
  [],
  ['Document'],
  ['Document', 'Agents', 'Environments'],
];

/** The row of a policy that is in use since `sinceMs`. Of several the one of the earliest use stands. */
export function policyRow({ policy, revision }: PolicyFile, sinceMs: number): TableRow {
  const { metadata, scope, good_outcomes } = policy;
  const version = Number.MAX_SAFE_INTEGER - Math.floor(sinceMs); // the earlier the greater
  const row: Record<(typeof policyColumns)[number]['name'], unknown> = {
    PolicyRevision: revision,
    Policy: metadata.name,
    PolicyVersion: metadata.version,
    Owner: metadata.owner,
    OnCall: metadata.on_call,
    Agents: scope.agents,
    Environments: scope.environments,
    GoodOutcomes: good_outcomes,
    Document: JSON.stringify(policy),
    FirstUsed: instantText(sinceMs),
    Version: version,
  };
  const texts = leftOut.map((names) =>
    JSON.stringify({ ...row, ...Object.fromEntries(names.map((name) => [name, undefined])) }).toWellFormed(),
  );
  const fitting = texts.find((text) => Buffer.byteLength(text) <= limitBytes) ?? texts.at(-1)!;
  return { table: 'policies', key: revision, version, row: fitting };
}
