export function jsonToProtobuf(_body: Uint8Array): { bytes: Uint8Array; rejected: number; reasons: readonly string[] } {
  throw new Error('being written');
}
