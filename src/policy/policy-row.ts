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

/** A longer policy would not fit every stream; its file has what its row then leaves out. */
const limitCharacters = 50_000;

/** The row of a policy that is in use since `sinceMs`. Of several the one of the earliest use stands. */
export function policyRow({ policy, revision }: PolicyFile, sinceMs: number): TableRow {
  const { metadata, scope, good_outcomes } = policy;
  const document = JSON.stringify(policy);
  const isShort = document.length <= limitCharacters;
  const version = Number.MAX_SAFE_INTEGER - Math.floor(sinceMs); // the earlier the greater
  const row: Record<(typeof policyColumns)[number]['name'], unknown> = {
    PolicyRevision: revision,
    Policy: metadata.name,
    PolicyVersion: metadata.version,
    Owner: metadata.owner,
    OnCall: metadata.on_call,
    Agents: isShort ? scope.agents : undefined,
    Environments: isShort ? scope.environments : undefined,
    GoodOutcomes: good_outcomes,
    Document: isShort ? document : undefined,
    FirstUsed: instantText(sinceMs),
    Version: version,
  };
  return { table: 'policies', key: revision, version, row: JSON.stringify(row).toWellFormed() };
}
