/** Whether an Accept-Encoding header allows gzip (RFC 9110 §12.5.3). */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  const codings = (Array.isArray(header) ? header.join(',') : (header ?? '')).toLowerCase().split(',');
  const weights = new Map(
    codings.map((coding) => [coding.split(';', 1)[0]?.trim(), !/;\s*q=0(\.0*)?\s*$/.test(coding)]),
  );
  return weights.get('gzip') ?? weights.get('*') ?? false;
}
