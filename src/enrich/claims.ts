import { hash } from 'node:crypto';
import { ByName } from './by-name.ts';

/** What is claimed: whose work a span is, where, and of which release. */
const kinds = ['agent', 'environment', 'release'] as const;
type Kind = (typeof kinds)[number];

/** Names of one kind that may be claimed, as of `ByName`; of a kind that is not there all may be. */
export type ClaimLimits = Readonly<Partial<Record<Kind, readonly string[] | undefined>>>;

/** So many of the names that were claimed, and of those that may be, are said, and so much of each. */
const shownNames = 5;
const shownCharacters = 64;

/** The names of one kind that one bearer may claim. */
interface Limit {
  readonly bearer: string;
  readonly kind: Kind;
  readonly names: readonly string[];
  readonly allowed: ByName<true>;
}

/** What the bearer of a token or of a client certificate may claim that its spans are of. */
export class Claims {
  /** A digest: equal for claims that say the same of the same bearer, and short, for what it tells apart is kept by the hundred thousand. */
  readonly key: string;
  readonly limits: readonly Limit[];

  /** `bearer` is what senders are told that it is called. */
  constructor(bearer: string, limits: ClaimLimits) {
    this.limits = kinds.flatMap((kind) => {
      const names = limits[kind];
      const allowed = new ByName<true>(Object.fromEntries(names?.map((name) => [name, true] as const) ?? []));
      return names ? [{ bearer, kind, names, allowed }] : [];
    });
    const said = this.limits.map(({ kind, names }) => [bearer, kind, names.toSorted()]);
    this.key = hash('sha256', JSON.stringify(said), 'base64');
  }
}

/** The claims of whoever may claim everything. */
export const unlimited: readonly Claims[] = [];

/** Asks of each span of a request whether its bearer may claim it. Reusable. */
export class ClaimCheck {
  /** Whether any span could be refused. */
  isNeeded = false;
  /** Spans that were refused. */
  refused = 0;
  #limits: readonly Limit[] = [];
  readonly #faults = new Map<Limit, { spans: number; readonly claimed: Set<string> }>();

  /** Starts on a request whose spans must be within all of `claims`. */
  begin(claims: readonly Claims[]): void {
    this.#limits = claims.flatMap(({ limits }) => limits);
    this.isNeeded = this.#limits.length > 0;
    this.refused = 0;
    this.#faults.clear();
  }

  /** Whether a span may be claimed that is counted as of these, which are `unknown` where nobody says. */
  allows(claimed: Readonly<Record<Kind, string>>): boolean {
    const limit = this.#limits.find(({ kind, allowed }) => allowed.get(claimed[kind]) === undefined);
    if (!limit) return true;
    this.refused++;
    const fault = this.#faults.get(limit) ?? { spans: 0, claimed: new Set<string>() };
    this.#faults.set(limit, fault);
    fault.spans++;
    if (fault.claimed.size <= shownNames) fault.claimed.add(claimed[limit.kind]);
    return false;
  }

  /** How many spans were refused, by the sentence that says why. */
  *reasons(): Generator<readonly [string, number]> {
    for (const [{ bearer, kind, names }, { spans, claimed }] of this.#faults)
      yield [
        `${bearer} may not claim the ${kind} ${shown([...claimed])}, only ${shown(names)}: correct what the spans say, show another token or certificate, or have auth of this receiver list it`,
        spans,
      ];
  }
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, shownNames).map((name) => JSON.stringify(name.slice(0, shownCharacters)));
  return `${some.join(', ')}${names.length > shownNames ? ' and more' : ''}`;
}
