import type { SpanFacts } from '../semconv/span-facts.ts';
import { unknown } from '../semconv/vocabulary.ts';

/** How well a span speaks for its run; smaller is better. */
const authority = { root: 0, agent: 1, other: 2 } as const;
type Authority = (typeof authority)[keyof typeof authority];

/** One label of a run: the best spoken value, whatever the order in which spans arrive. */
class Label {
  value: string;
  #authority = Number.POSITIVE_INFINITY;
  #startMs = 0;
  readonly #unsaid: string;

  constructor(unsaid: string) {
    this.value = unsaid;
    this.#unsaid = unsaid;
  }

  /** Whether a span of this authority and start could change the value. */
  mayChange(rank: Authority, startMs: number): boolean {
    return rank < this.#authority || (rank === this.#authority && startMs <= this.#startMs);
  }

  offer(value: string, rank: Authority, startMs: number): void {
    if (value === this.#unsaid || !this.mayChange(rank, startMs)) return;
    if (rank === this.#authority && startMs === this.#startMs && value >= this.value) return;
    this.value = value;
    this.#authority = rank;
    this.#startMs = startMs;
  }
}

/** Who carried out a run, and where: as its root span says, else its earliest agent span, else its earliest span that says. */
export class RunLabels {
  readonly #agent = new Label(unknown);
  readonly #release = new Label(unknown);
  readonly #environment = new Label(unknown);
  readonly #session = new Label('');

  get agent(): string {
    return this.#agent.value;
  }

  get release(): string {
    return this.#release.value;
  }

  get environment(): string {
    return this.#environment.value;
  }

  get sessionId(): string {
    return this.#session.value;
  }

  add(span: SpanFacts, isRoot: boolean, startMs: number): void {
    const rank = isRoot ? authority.root : span.step === 'agent' ? authority.agent : authority.other;
    if (this.#agent.mayChange(rank, startMs)) this.#agent.offer(span.agent, rank, startMs);
    if (this.#release.mayChange(rank, startMs)) this.#release.offer(span.release, rank, startMs);
    if (this.#environment.mayChange(rank, startMs)) this.#environment.offer(span.environment, rank, startMs);
    if (this.#session.mayChange(rank, startMs)) this.#session.offer(span.sessionId, rank, startMs);
  }
}
