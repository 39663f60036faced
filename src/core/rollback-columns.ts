const word = 'LowCardinality(String)';

/** The columns of `rollbacks` that a row says, in table order. */
export const rollbackColumns = [
  { name: 'Timestamp', type: "DateTime64(3, 'UTC')" },
  { name: 'Seq', type: 'UInt64' },
  { name: 'Hash', type: 'String' },
  { name: 'PrevHash', type: 'String' },
  { name: 'RollbackId', type: 'String' },
  { name: 'Event', type: word },
  { name: 'State', type: word },
  { name: 'Target', type: word },
  { name: 'Policy', type: word },
  { name: 'PolicyRevision', type: word },
  { name: 'AgentName', type: word },
  { name: 'Environment', type: word },
  { name: 'FromRelease', type: word },
  { name: 'ToRelease', type: word },
  { name: 'Mode', type: word },
  { name: 'Cause', type: word },
  { name: 'Actor', type: word },
  { name: 'Reason', type: 'String' },
  { name: 'Evidence', type: 'String' },
  { name: 'Version', type: 'UInt64' },
] as const;
