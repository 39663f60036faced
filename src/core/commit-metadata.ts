/** What `metadata` of a commit says, written as a JSON object; nothing where it is none, such as an operator's, who moved the commit. */
export function readMetadata(metadata: string): Readonly<Record<string, unknown>> {
  try {
    const said: unknown = JSON.parse(metadata);
    return typeof said === 'object' && said !== null ? { ...said } : {};
  } catch {
    return {}; // the position alone counts
  }
}
