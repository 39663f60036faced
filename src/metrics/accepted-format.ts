/** A media type of /metrics, without the parameters that everybody ignores. */
interface Offer {
  readonly type: string;
  readonly version: string;
}

/** One media range of an Accept header. */
interface Range {
  readonly type: string;
  readonly version: string | undefined;
  /** How much it is wanted, 0 to 1. */
  readonly weight: number;
}

const prometheus: Offer = { type: 'text/plain', version: '0.0.4' };
const openMetrics: Offer = { type: 'application/openmetrics-text', version: '1.0.0' };

/** Whether who sent this Accept header would rather have OpenMetrics than the Prometheus text format (RFC 9110 §12.5.1). */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  const ranges = rangesOf(accept);
  return weightOf(openMetrics, ranges) > weightOf(prometheus, ranges);
}

function rangesOf(accept: string): readonly Range[] {
  const written = accept.toLowerCase().match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return written.map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const said = new Map(parameters.map((parameter) => pairOf(parameter)));
    const weight = Number(said.get('q') ?? 1);
    return { type, version: said.get('version'), weight: weight >= 0 && weight <= 1 ? weight : 0 };
  });
}

function pairOf(parameter: string): readonly [string, string] {
  const [name = '', value = ''] = parameter.split('=', 2);
  return [name.trim(), value.trim().replaceAll('"', '')];
}

/** That of the range which names the offer most closely; 0 when none does. */
function weightOf(offer: Offer, ranges: readonly Range[]): number {
  let [closest, weight] = [0, 0];
  for (const range of ranges) {
    const close = closeness(offer, range);
    if (close > closest || (close === closest && close > 0 && range.weight > weight))
      [closest, weight] = [close, range.weight];
  }
  return weight;
}

/** 0 when it does not name the offer. */
function closeness({ type, version }: Offer, range: Range): number {
  if (range.version !== undefined) return range.type === type && range.version === version ? 4 : 0;
  if (range.type === type) return 3;
  if (range.type === `${type.split('/', 1)[0]}/*`) return 2;
  return range.type === '*/*' ? 1 : 0;
}
